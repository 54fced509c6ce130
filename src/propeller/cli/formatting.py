"""Formats states, times and other values for people.

Results and errors of guests may hold anything: such text passes ``plain`` before a terminal shows it.
"""

import json
import re
from datetime import UTC, datetime
from typing import Any, TextIO

from rich.text import Text

from propeller.client.shapes import ZERO_TIME
from propeller.core.results import from_json
from propeller.core.states import COMPLETED, TaskState

STATES = tuple(state.name.capitalize() for state in TaskState)
STYLES = ("dim", "cyan", "yellow", "green", "bold red", "dim", "magenta")
_ICONS = ("○", "◌", "▶", "✔", "✘", "↷", "■")
_ASCII_ICONS = (".", ":", ">", "+", "x", "-", "#")

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def has_ended(state: int) -> bool:
    return state >= COMPLETED


def state_name(state: int) -> str:
    return STATES[state] if 0 <= state < len(STATES) else f"state {state}"


def state_style(state: int) -> str:
    return STYLES[state] if 0 <= state < len(STYLES) else ""


def state(number: int) -> Text:
    return Text(state_name(number), style=state_style(number))


def icon(number: int, *, is_unicode: bool) -> Text:
    icons = _ICONS if is_unicode else _ASCII_ICONS
    return Text(icons[number] if 0 <= number < len(icons) else "?", style=state_style(number))


def plain(value: Any) -> str:
    """Return a JSON value as text, with control characters shown and not obeyed."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


def shown_on(stream: TextIO, text: str) -> str:
    """Return a guest's text as it is, but for a terminal with control characters shown and not obeyed."""
    return plain(text) if stream.isatty() else text


def one_line(value: Any, chars_max: int = 60) -> str:
    """Return text that fits in a table."""
    text = " ".join(plain(value).split())
    return text if len(text) <= chars_max else text[: chars_max - 1] + "…"


def result(value: Any, chars_max: int = 60) -> str:
    """Return a task's result on one line, without the line end of a function's result."""
    text = value.removesuffix("\n").replace("\n", " ⏎ ") if isinstance(value, str) else value
    return one_line(text, chars_max)


def content(answer: Any) -> Any:
    """Give the results in an answer, bytes where they are no text."""
    return from_json(answer.get("results"), answer.get("results_encoding", ""))


def results(answer: Any) -> str:
    """Return the results in an answer as text for a terminal."""
    found = content(answer)
    if isinstance(found, bytes):
        return f"{size(len(found))} that are no text"
    return "" if found is None else plain(answer["results"])


def when(time: str | None) -> datetime | None:
    """Read a time of the API; None if it is not set or can't be read."""
    if not time or time == ZERO_TIME:
        return None
    try:
        return datetime.fromisoformat(time)
    except ValueError:
        return None


def clock(time: str | None) -> str:
    """Write date and time, to the second, in the time zone of this machine."""
    at = when(time)
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}" if at else ""


def ago(time: str | None) -> str:
    """Say roughly how long ago a time was."""
    at = when(time)
    if not at:
        return ""
    seconds = int((datetime.now(UTC) - at).total_seconds())
    if seconds < 0:
        return clock(time)
    if seconds < 1:
        return "just now"
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return "just now"


def took(start: str | None, finish: str | None) -> str:
    """Say how long a run took, or has taken so far; ``""`` before its start."""
    begun, ended = when(start), when(finish)
    if not begun:
        return ""
    return duration(((ended or datetime.now(UTC)) - begun).total_seconds())


def duration(seconds: float) -> str:
    """Write a duration in the unit that suits it; below zero counts as zero."""
    seconds = max(seconds, 0.0)
    if seconds < 0.0009995:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 0.9995:
        return f"{_short(seconds * 1e3)} ms"
    if seconds < 60:
        return f"{_short(seconds)} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def size(count: float) -> str:
    """Write a number of bytes."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{_short(count)} {unit}"
        count /= 1024
    return f"{_short(count)} GiB"


def _short(number: float) -> str:
    """Write three digits, or all digits before the point if there are more."""
    return f"{number:.3g}" if number < 999.5 else f"{number:.0f}"
