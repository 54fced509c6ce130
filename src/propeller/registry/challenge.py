"""Reading ``WWW-Authenticate``: which authorization a registry wants."""

import re
from collections.abc import Iterable

import msgspec

_SCHEME = re.compile(r"\s*,?\s*([A-Za-z][A-Za-z0-9_-]*)(?:\s+(?![=,])|\s*(?=,|$))")
_PARAMETER = re.compile(r'\s*,?\s*([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


class Challenge(msgspec.Struct, frozen=True):
    #: In lower case: ``basic``, ``bearer``.
    scheme: str
    parameters: dict[str, str]


def parse_challenges(headers: Iterable[str]) -> list[Challenge]:
    """Read the headers of an answer; what is not understood ends its header."""
    return [challenge for header in headers for challenge in _parse(header)]


def _parse(header: str) -> Iterable[Challenge]:
    at = 0
    while (scheme := _SCHEME.match(header, at)) is not None:
        at = scheme.end()
        parameters: dict[str, str] = {}
        while (found := _PARAMETER.match(header, at)) is not None:
            at = found.end()
            name, quoted, plain = found.groups()
            parameters[name.lower()] = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        yield Challenge(scheme[1].lower(), parameters)
