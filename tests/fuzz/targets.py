"""What is fuzzed: each target reads bytes that anybody may send. It may refuse them in words of its own, and no more.

What was read and can be written again has to be read as the same.
"""

import contextlib
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from propeller.api.file_check import checked
from propeller.core import cron
from propeller.core.expressions.compiler import CHARS_MAX, compiled, with_other_names
from propeller.errors import Invalid, ModuleUnavailable
from propeller.registry.reference import parse_reference
from propeller.runtime.component import reader as component_reader
from propeller.runtime.component import wave, wit
from propeller.runtime.core_module import interface as core_interface
from propeller.runtime.core_module.values import to_text, to_wasm
from propeller.runtime.outline import outline_of
from propeller.wire.durations import format_duration, parse_duration
from propeller.wire.fleet.codec import decode, encode, from_line
from propeller.wire.fleet.facts import fact_of
from propeller.wire.fleet.messages import TOPICS
from propeller.wire.http.files import NewFile
from propeller.wire.rfc3339 import format_time, parse_time
from propeller.wire.sizes import parse_size

_BYTE = wit.Primitive("u8")
_STRING = wit.Primitive("string")
_POINT = wit.Record((("x", wit.Primitive("s64")), ("y", wit.Option(wit.Primitive("f32")))))
_WAVE_TYPES: list[wit.Type] = [
    *(wit.Primitive(name) for name in ("bool", "char", "string", "f32", "f64", *wit.INTEGERS)),
    wit.List(_BYTE),
    wit.List(wit.List(_STRING)),
    _POINT,
    wit.Tuple((_POINT, _STRING, wit.Primitive("char"))),
    wit.Variant((("none", None), ("some", _POINT), ("list", wit.List(_POINT)))),
    wit.Enum(("red", "green", "true", "some")),
    wit.Option(wit.Option(_BYTE)),
    wit.Result(_STRING, wit.Result(None, _BYTE)),
    wit.Flags(("read", "write", "ok")),
]
_CORE_TYPES = ("i32", "i64", "f32", "f64")
_ZONES = ("", "UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo", "Nowhere/At_All")
_NOON_NS = 1_764_504_000 * 10**9


def _text(data: bytes) -> str:
    return data.decode(errors="replace")


def _same(one: Any, other: Any) -> bool:
    """Compare, where what is no number is the same as itself."""
    return repr(one) == repr(other)


def durations(data: bytes) -> None:
    try:
        seconds = parse_duration(_text(data))
    except ValueError:
        return
    assert math.isclose(parse_duration(format_duration(seconds)), seconds, rel_tol=1e-9, abs_tol=1e-9)


def sizes(data: bytes) -> None:
    try:
        assert parse_size(_text(data)) >= 0
    except ValueError:
        return


def times(data: bytes) -> None:
    at = parse_time(_text(data))
    if at is not None and at > 0:
        assert parse_time(format_time(at)) == at


def crons(data: bytes) -> None:
    zone = _ZONES[data[0] % len(_ZONES)] if data else ""
    try:
        schedule = cron.parse(_text(data[1:]), zone)
    except ValueError:
        return
    at = _NOON_NS
    for _ in range(3):
        following = schedule.next_after(at)
        if following == 0:
            return
        assert following > at
        at = following


def expressions(data: bytes) -> None:
    text = _text(data)
    try:
        expression = compiled(text)
    except Invalid:
        return
    parents = {key.name for key in expression.keys}
    results = {name: [1, {"a": "b", "n": None}, 2.5] for name in parents} | {"p": {"ok": True, "text": "abc"}}
    states = dict.fromkeys(results, "completed")
    found = expression.evaluate(results, states)
    assert isinstance(found, bool | str)
    longer = with_other_names(text, {name: f"{name}x" for name in parents})
    if len(longer) > CHARS_MAX:
        return
    renamed = compiled(longer)
    assert [key.name for key in renamed.keys] == [f"{key.name}x" for key in expression.keys]


def references(data: bytes) -> None:
    try:
        found = parse_reference(_text(data))
    except ModuleUnavailable:
        return
    assert parse_reference(str(found)) == found


def wave_values(data: bytes) -> None:
    type_ = _WAVE_TYPES[data[0] % len(_WAVE_TYPES)] if data else _STRING
    try:
        value = wave.parse(_text(data[1:]), type_)
    except Invalid:
        return
    assert _same(wave.parse(wave.render(value, type_), type_), value)


def numbers(data: bytes) -> None:
    name = _CORE_TYPES[data[0] % len(_CORE_TYPES)] if data else "i32"
    try:
        value = to_wasm(_text(data[1:]), name, export="main", number=1)
    except Invalid:
        return
    assert _same(to_wasm(to_text(value, name), name, export="main", number=1), value)


def component_interfaces(data: bytes) -> None:
    found = component_reader.interface_in(data)
    if found is not None:
        for item in found.exports.functions.values():
            wit.function_text("f", item)


def module_interfaces(data: bytes) -> None:
    core_interface.interface_in(data)
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        with contextlib.suppress(Invalid):
            outline_of(Path(file.name))


def fleet_messages(data: bytes) -> None:
    topic = list(TOPICS)[data[0] % len(TOPICS)] if data else ""
    for read in (lambda: decode(topic, data[1:]), lambda: from_line(data)):
        try:
            message = read()
        except ValueError:
            continue
        for is_local in (False, True):
            fact_of(message, is_local=is_local)
        encode(message)


def run_files(data: bytes) -> None:
    name = "file.json" if data[:1] == b"{" else "file.yaml"
    checked(NewFile(text=_text(data), name=name))


TARGETS: dict[str, Callable[[bytes], None]] = {
    "durations": durations,
    "sizes": sizes,
    "times": times,
    "crons": crons,
    "expressions": expressions,
    "references": references,
    "wave_values": wave_values,
    "numbers": numbers,
    "component_interfaces": component_interfaces,
    "module_interfaces": module_interfaces,
    "fleet_messages": fleet_messages,
    "run_files": run_files,
}


def all_targets(data: bytes) -> None:
    """Read the first byte as the number of a target, and the rest as its input."""
    if data:
        list(TARGETS.values())[data[0] % len(TARGETS)](data[1:])
