"""Values as the host's functions have them, and as wasmtime's package has them; by their types.

In the functions a result is ``Ok`` or ``Err``, an option the value or None, a variant its case with a
payload, a record a dictionary, and a resource its number.
"""

from types import SimpleNamespace
from typing import Any, NamedTuple

from wasmtime import StoreContext
from wasmtime.component import ResourceHost

from propeller.runtime import wit
from propeller.runtime.component_values import Cases, cases_of

#: Numbers that tell the types of resources apart.
RESOURCES = {
    name: number
    for number, name in enumerate(
        (
            "error pollable input-stream output-stream terminal-input terminal-output descriptor "
            "directory-entry-stream fields incoming-request outgoing-request request-options "
            "response-outparam incoming-response incoming-body future-trailers outgoing-response "
            "outgoing-body future-incoming-response"
        ).split(),
        start=1,
    )
}


class Ok(NamedTuple):
    value: Any = None


class Err(NamedTuple):
    value: Any = None


class Case(NamedTuple):
    name: str
    payload: Any = None


_CASES: dict[wit.Type, Cases] = {}


def _cases(type_: wit.Variant | wit.Option | wit.Result) -> Cases:
    if type_ not in _CASES:
        _CASES[type_] = Cases(cases_of(type_))
    return _CASES[type_]


def to_guest(type_: wit.Type | None, value: Any) -> Any:
    """Convert what a function of the host returns."""
    match type_:
        case wit.Result():
            is_ok = isinstance(value, Ok)
            payload = to_guest(type_.ok if is_ok else type_.err, value.value)
            return _cases(type_).wrap("ok" if is_ok else "err", payload)
        case wit.Option(payload=inner):
            found = None if value is None else to_guest(inner, value)
            return _cases(type_).wrap("none" if value is None else "some", found)
        case wit.Variant():
            inner_type = dict(type_.cases)[value.name]
            return _cases(type_).wrap(value.name, to_guest(inner_type, value.payload))
        case wit.Record(fields=fields):
            return SimpleNamespace(**{name: to_guest(of, value[name]) for name, of in fields})
        case wit.Tuple(elements=elements):
            return tuple(to_guest(of, one) for of, one in zip(elements, value, strict=True))
        case wit.List(element=wit.Primitive("u8")):
            return bytes(value)
        case wit.List(element=element):
            return [to_guest(element, one) for one in value]
        case wit.Handle(name=name):
            return ResourceHost.own(value, RESOURCES[name])
    return value


def from_guest(store: StoreContext, type_: wit.Type, value: Any) -> Any:
    """Convert what a guest gives."""
    match type_:
        case wit.Result() | wit.Variant() | wit.Option():
            name, payload = _cases(type_).unwrap(value)
            inner = dict(cases_of(type_))[name]
            found = None if inner is None else from_guest(store, inner, payload)
            if isinstance(type_, wit.Option):
                return found
            if isinstance(type_, wit.Result):
                return Ok(found) if name == "ok" else Err(found)
            return Case(name, found)
        case wit.Record(fields=fields):
            return {name: from_guest(store, of, getattr(value, name)) for name, of in fields}
        case wit.Tuple(elements=elements):
            return tuple(from_guest(store, of, one) for of, one in zip(elements, value, strict=True))
        case wit.List(element=element) if not isinstance(value, bytes):
            return [from_guest(store, element, one) for one in value]
        case wit.Handle():
            return value.to_host(store).rep
    return value
