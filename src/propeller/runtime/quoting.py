"""Text of users in messages: quoted, and cut to a readable length."""

from collections.abc import Callable, Collection, Sequence
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")

_SHOWN_MAX = 80
_LISTED_MAX, _NAME_MAX = 20, 200


def shown(given: str | Sequence[str]) -> str:
    """Quote user text for a message, as in JSON, cut to a readable length."""
    if isinstance(given, str):
        text = given if len(given) <= _SHOWN_MAX else given[:_SHOWN_MAX] + "…"
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    more = f", … ({len(given)} in all)" if len(given) > 8 else ""
    return "[" + ", ".join(shown(text) for text in given[:8]) + more + "]"


def listed(items: Collection[Item], text: Callable[[Item], str] = str) -> str:
    """List items for a message; of many only the first, of which alone ``text`` is asked."""
    more = len(items) - _LISTED_MAX
    names = map(text, islice(items, _LISTED_MAX))
    cut = [name if len(name) <= _NAME_MAX else name[:_NAME_MAX] + "…" for name in names]
    return ", ".join(cut) + (f" and {more} more" if more > 0 else "")
