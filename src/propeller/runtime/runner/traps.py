"""Traps and other errors of the engine as sentences, and those after which a guest can never begin."""

import contextlib
import re
from collections.abc import Iterator

import wasmtime

from propeller.core.failures import ErrorKind, Failure
from propeller.runtime.failures import size
from propeller.runtime.guest_run import Limits

_BACKTRACE_LINES = 12
_MESSAGE_MAX = 4096

_TRAPS = {
    wasmtime.TrapCode.MEMORY_OUT_OF_BOUNDS: "memory access out of bounds",
    wasmtime.TrapCode.TABLE_OUT_OF_BOUNDS: "table access out of bounds",
    wasmtime.TrapCode.INDIRECT_CALL_TO_NULL: "indirect call of a null function",
    wasmtime.TrapCode.BAD_SIGNATURE: "indirect call of a function of another type",
    wasmtime.TrapCode.INTEGER_OVERFLOW: "integer overflow",
    wasmtime.TrapCode.INTEGER_DIVISION_BY_ZERO: "integer division by zero",
    wasmtime.TrapCode.BAD_CONVERSION_TO_INTEGER: "a float that does not fit was converted to an integer",
    wasmtime.TrapCode.UNREACHABLE: "unreachable code was reached (a panic or an abort)",
    wasmtime.TrapCode.INTERRUPT: "it was interrupted",
}
#: The engine's words where it gives no code: for a trap inside a component.
_CAUSES = {
    "call stack exhausted": wasmtime.TrapCode.STACK_OVERFLOW,
    "all fuel consumed": wasmtime.TrapCode.OUT_OF_FUEL,
    "out of bounds memory access": wasmtime.TrapCode.MEMORY_OUT_OF_BOUNDS,
    "integer divide by zero": wasmtime.TrapCode.INTEGER_DIVISION_BY_ZERO,
    "`unreachable` instruction": wasmtime.TrapCode.UNREACHABLE,
    "wasm trap: interrupt": wasmtime.TrapCode.INTERRUPT,
}
_TOO_LARGE = re.compile(r"(memory|table) minimum size of \d+ \w+ exceeds \w+ limits")
_TOO_MANY = re.compile(r"resource limit exceeded: (instance|table|memory) count too high(?: at (\d+))?")
_NOT_OFFERED = re.compile(r"component imports [a-z ]+ `([^`]+)`, but a matching implementation was not found")

_SHARED = re.compile(r"shared memory support is disabled")


class NeverBegins(Exception):
    """There can't be an instance of it with these limits."""

    def __init__(self, error: wasmtime.WasmtimeError) -> None:
        super().__init__(str(error))
        #: The engine's own.
        self.error = error

    @property
    def raised_by(self) -> str:
        """The field of a task that raises the limit which it meets; empty where there is none."""
        if found := _TOO_LARGE.search(str(self)):
            return f"limits.{found[1]}"
        found = _TOO_MANY.search(str(self))
        return "limits.instances" if found and found[1] == "instance" else ""


@contextlib.contextmanager
def of_instantiation() -> Iterator[None]:
    """Raise ``NeverBegins`` for errors that every instantiation meets, not for those of the guest's code."""
    try:
        yield
    except wasmtime.WasmtimeError as error:
        if any(cause.search(str(error)) for cause in (_TOO_LARGE, _TOO_MANY, _NOT_OFFERED, _SHARED)):
            raise NeverBegins(error) from error
        raise


def explained(error: wasmtime.Trap | wasmtime.WasmtimeError, limits: Limits) -> Failure:
    """Word an error: a sentence, then wasmtime's own message with the first lines of the backtrace."""
    text = str(error).strip()
    sentence, kind = _sentence(error, text, limits)
    lines = text.splitlines()
    if len(lines) > _BACKTRACE_LINES:
        lines = [*lines[:_BACKTRACE_LINES], f"  … {len(lines) - _BACKTRACE_LINES} more lines"]
    text = "\n".join(lines)
    text = text if len(text) <= _MESSAGE_MAX else text[:_MESSAGE_MAX] + "…"
    return Failure(f"{sentence}\n{text}" if sentence else text, kind)


def _sentence(
    error: wasmtime.Trap | wasmtime.WasmtimeError, text: str, limits: Limits
) -> tuple[str, ErrorKind]:
    code = error.trap_code if isinstance(error, wasmtime.Trap) else None
    if code is None:
        code = next((code for cause, code in _CAUSES.items() if cause in text), None)
    if code is wasmtime.TrapCode.STACK_OVERFLOW:
        words = (
            f"the stack overflowed its limit of {size(limits.stack_bytes)} (endless recursion?); "
            "limits.stack raises it"
        )
        return words, ErrorKind.STACK
    if code is wasmtime.TrapCode.OUT_OF_FUEL:
        return f"it used up its {limits.fuel:,} units of fuel; limits.fuel raises that", ErrorKind.FUEL
    if code is not None:
        return _TRAPS.get(code, code.name.lower().replace("_", " ")), ErrorKind.TRAP
    if found := _TOO_LARGE.search(text):
        kind = found[1]
        most = size(limits.memory_bytes) if kind == "memory" else f"{limits.table_elements:,} elements"
        words = f"its {kind} is larger than the limit of {most} from the beginning; limits.{kind} raises it"
        return words, ErrorKind.MEMORY if kind == "memory" else ErrorKind.LIMIT
    if found := _NOT_OFFERED.search(text):
        return f"it imports {found[1]}, which is not offered, or not all of it", ErrorKind.MODULE
    if _SHARED.search(text):
        return "it has a shared memory, which is not offered", ErrorKind.MODULE
    found = _TOO_MANY.search(text)
    if found and found[1] == "instance":
        words = f"it has more than the limit of {limits.instances} core instances; limits.instances raises it"
        return words, ErrorKind.LIMIT
    if found and found[2]:
        kinds = {"table": "tables", "memory": "memories"}[found[1]]
        return f"it has more {kinds} than it may have, which is {int(found[2]) - 1}", ErrorKind.LIMIT
    return "", ErrorKind.TRAP
