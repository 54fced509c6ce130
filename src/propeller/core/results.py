"""Results: text, any JSON value, or bytes that are no text; as JSON has them, bytes are base64.

A broadcast's results are those of its proplets, by proplet; where one has bytes, all have.
"""

import base64
from collections.abc import Iterable
from typing import Any

#: The word that stands beside results that are base64.
BASE64 = "base64"


def of_output(data: bytes) -> str | bytes:
    """Give what a program printed: as text where it is UTF-8, else as it is."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def as_text(results: Any) -> Any:
    """Give results to whom knows only text: what is no UTF-8 in them is replaced."""
    return results.decode(errors="replace") if isinstance(results, bytes) else results


def as_bytes(results: Any) -> Any:
    """Give text as bytes, and anything else as it is."""
    return results.encode() if isinstance(results, str) else results


def all_alike(results: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Put the results of several proplets together; if one has bytes, all have."""
    found = dict(results)
    return {name: as_bytes(one) for name, one in found.items()} if has_bytes(found) else found


def has_bytes(results: Any) -> bool:
    """Say whether results have a part that is no text."""
    if isinstance(results, dict):
        return any(isinstance(one, bytes) for one in results.values())
    return isinstance(results, bytes)


def to_json(results: Any) -> tuple[Any, str]:
    """Give results as JSON has them, and ``BASE64`` where texts in them are that, else ``""``."""
    if results is None or isinstance(results, str) or not has_bytes(results):
        return results, ""
    if isinstance(results, dict):
        return {name: _base64(one) for name, one in results.items()}, BASE64
    return _base64(results), BASE64


def to_guest(results: Any) -> Any:
    """Give results as a child finds them in JSON: bytes are ``{"base64": "…"}``, which no text is."""
    if isinstance(results, dict) and has_bytes(results):
        return {name: to_guest(one) for name, one in results.items()}
    return {BASE64: _base64(results)} if isinstance(results, bytes) else results


def from_json(results: Any, encoding: str) -> Any:
    """Read what ``to_json`` gave; what is no base64 although it should be stays as it is."""
    if encoding != BASE64:
        return results
    if isinstance(results, dict):
        return {name: from_json(one, encoding) for name, one in results.items()}
    try:
        return base64.b64decode(results, validate=True) if isinstance(results, str) else results
    except ValueError:
        return results


def _base64(results: Any) -> Any:
    return base64.b64encode(results).decode() if isinstance(results, bytes) else results
