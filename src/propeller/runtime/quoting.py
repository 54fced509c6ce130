"""Text of users in messages: quoted, and cut to a readable length."""

from collections.abc import Sequence

_SHOWN_MAX = 80
_LISTED_MAX, _NAME_MAX = 20, 200


def shown(given: str | Sequence[str]) -> str:
    """Quote user text for a message, as in JSON, cut to a readable length."""
    if isinstance(given, str):
        text = given if len(given) <= _SHOWN_MAX else given[:_SHOWN_MAX] + "…"
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    more = f", … ({len(given)} in all)" if len(given) > 8 else ""
    return "[" + ", ".join(shown(text) for text in given[:8]) + more + "]"


def listed(names: Sequence[str]) -> str:
    """List names for a message; of many only the first."""
    more = len(names) - _LISTED_MAX
    cut = [name if len(name) <= _NAME_MAX else name[:_NAME_MAX] + "…" for name in names[:_LISTED_MAX]]
    return ", ".join(cut) + (f" and {more} more" if more > 0 else "")
