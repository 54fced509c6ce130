"""Text of users in messages: quoted, and cut to a readable length."""

from collections.abc import Sequence

_SHOWN_MAX = 80


def shown(given: str | Sequence[str]) -> str:
    """Quote user text for a message, as in JSON, cut to a readable length."""
    if isinstance(given, str):
        text = given if len(given) <= _SHOWN_MAX else given[:_SHOWN_MAX] + "…"
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    more = f", … ({len(given)} in all)" if len(given) > 8 else ""
    return "[" + ", ".join(shown(text) for text in given[:8]) + more + "]"
