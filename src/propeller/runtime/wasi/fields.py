"""Headers: ``fields`` of ``wasi:http/types``."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from propeller.runtime.component.variants import Case, Err, Ok
from propeller.runtime.wasi.session import Session

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_NOT_IN_VALUE = re.compile(rb"[\x00\r\n]")
#: Headers about one connection, which the host sets.
_FORBIDDEN = frozenset(
    "connection keep-alive proxy-authenticate proxy-authorization proxy-connection transfer-encoding upgrade "
    "host http2-settings".split()
)
#: Bytes of all names and values together.
_BYTES_MAX = 256 * 1024


class Fields:
    """Headers; their names keep their case and are compared without it."""

    def __init__(self, entries: Iterable[tuple[str, bytes]] = (), *, is_immutable: bool = False) -> None:
        self.entries = list(entries)
        self.is_immutable = is_immutable

    def values(self, name: str) -> list[bytes]:
        return [value for one, value in self.entries if one.lower() == name.lower()]

    def remove(self, name: str) -> None:
        self.entries = [entry for entry in self.entries if entry[0].lower() != name.lower()]

    def refusal(self, name: str, values: Iterable[bytes] = ()) -> Err | None:
        """Give the error where a header can't be set; None where it can."""
        if self.is_immutable:
            return Err(Case("immutable"))
        if not TOKEN.fullmatch(name) or any(_NOT_IN_VALUE.search(value) for value in values):
            return Err(Case("invalid-syntax"))
        size = sum(len(one) + len(value) for one, value in self.entries)
        if name.lower() in _FORBIDDEN or size + sum(map(len, values)) > _BYTES_MAX:
            return Err(Case("forbidden"))
        return None


def without_forbidden(entries: Iterable[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    return [entry for entry in entries if entry[0].lower() not in _FORBIDDEN]


def _from_list(session: Session, entries: list[tuple[str, bytes]]) -> Any:
    fields = Fields()
    for name, value in entries:
        refusal = fields.refusal(name, [value])
        if refusal is not None:
            return refusal
        fields.entries.append((name, value))
    return Ok(session.add(fields))


def _set(session: Session, number: int, name: str, values: list[bytes]) -> Any:
    fields = session.get(number, Fields)
    refusal = fields.refusal(name, values)
    if refusal is None:
        fields.remove(name)
        fields.entries += [(name, value) for value in values]
    return refusal or Ok()


def _append(session: Session, number: int, name: str, value: bytes) -> Any:
    fields = session.get(number, Fields)
    refusal = fields.refusal(name, [value])
    if refusal is None:
        fields.entries.append((name, value))
    return refusal or Ok()


def _delete(session: Session, number: int, name: str) -> Any:
    fields = session.get(number, Fields)
    refusal = fields.refusal(name)
    if refusal is None:
        fields.remove(name)
    return refusal or Ok()


FUNCTIONS: dict[str, dict[str, Callable[..., Any]]] = {
    "wasi:http/types": {
        "[constructor]fields": lambda session: session.add(Fields()),
        "[static]fields.from-list": _from_list,
        "[method]fields.get": lambda session, number, name: session.get(number, Fields).values(name),
        "[method]fields.has": lambda session, number, name: bool(session.get(number, Fields).values(name)),
        "[method]fields.set": _set,
        "[method]fields.delete": _delete,
        "[method]fields.append": _append,
        "[method]fields.entries": lambda session, number: session.get(number, Fields).entries,
        "[method]fields.clone": lambda session, number: session.add(
            Fields(session.get(number, Fields).entries)
        ),
    },
}
