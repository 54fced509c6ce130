"""Texts, bars, cells and times as ``propeller top`` draws them.

What users and guests wrote comes in as text and stays text: all that is shown is made here, of ``Text``, in
which brackets mean nothing and control characters are shown and not obeyed.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.text import Text

from propeller.cli import formatting
from propeller.core.states import COMPLETED, FAILED, INTERRUPTED, PENDING, RUNNING, SCHEDULED, SKIPPED

#: States in the order in which people want to see them.
ORDER = (FAILED, INTERRUPTED, RUNNING, SCHEDULED, PENDING, SKIPPED, COMPLETED)
#: The same in the order in which a bar fills.
_FILLED = (COMPLETED, FAILED, INTERRUPTED, SKIPPED, RUNNING, SCHEDULED, PENDING)
_BLOCKS = {RUNNING: "▓", SCHEDULED: "▒", PENDING: "░"}
_CELLS_MAX = 32
_FOLDED_CHARS = 1000


def text(value: Any, chars_max: int = 60, style: str = "") -> Text:
    """Draw what somebody wrote on one line."""
    return Text(formatting.one_line(value, chars_max), style=style, no_wrap=True, overflow="ellipsis")


def long_text(value: Any, style: str = "", *, chars_max: int = _FOLDED_CHARS) -> Text:
    """Draw what somebody wrote with its lines; of much, the beginning and how much there is."""
    whole = value if isinstance(value, str) else formatting.plain(value)
    shown = Text(formatting.plain(whole[:chars_max]), style=style)
    if len(whole) > chars_max:
        shown.append(f" … ({formatting.size(len(whole.encode(errors='replace')))} in all)", style="dim")
    return shown


def state(number: int, *, is_up: bool = False) -> Text:
    """Draw a state by sign and word, so that colours are not needed."""
    shown = formatting.icon(number, is_unicode=True)
    shown.append(f" {formatting.state_name(number)}")
    return shown.append(", up") if is_up else shown


def counts(by_state: Mapping[str, int]) -> Text:
    """Draw how many are in each state, by its name in small letters; states that have none are left out."""
    shown = Text(no_wrap=True, overflow="ellipsis")
    for number, name in enumerate(formatting.STATES):
        if many := by_state.get(name.lower(), 0):
            shown.append("  " if shown else "")
            shown.append_text(formatting.icon(number, is_unicode=True))
            shown.append(f" {many:,} {name.lower()}", style=formatting.state_style(number))
    return shown


def bar(by_state: Mapping[str, int], width: int) -> Text:
    """Draw the share of each state as a part of a bar; no state that has any is left out."""
    known = [by_state.get(name.lower(), 0) for name in formatting.STATES]
    shares = cells(known, width)
    shown = Text(no_wrap=True)
    for number in _FILLED:
        shown.append(_BLOCKS.get(number, "█") * shares[number], style=formatting.state_style(number))
    return shown


def cells(parts: Sequence[int], width: int) -> list[int]:
    """Share cells out among numbers; each that is not 0 gets one as long as there are enough."""
    total = sum(parts)
    if not total:
        return [0] * len(parts)
    shares = [max(part * width // total, 1 if part else 0) for part in parts]
    for _ in range(width - sum(shares)):  # to those whom rounding has cost most
        most = max(range(len(parts)), key=lambda place: parts[place] / total - shares[place] / width)
        shares[most] += 1
    while sum(shares) > width:
        shares[shares.index(max(shares))] -= 1
    return shares


def slots(busy: int, total: int | None) -> Text:
    """Draw slots as cells, those first in which something runs; many share a cell."""
    if not total:
        return Text(f"{busy} run", no_wrap=True)
    wide = min(total, _CELLS_MAX)
    full = cells([min(busy, total), max(total - busy, 0)], wide)[0]
    shown = Text("■" * full, style="green", no_wrap=True)
    shown.append("□" * (wide - full), style="dim")
    return shown.append(f" {busy} of {total}", style="")


def pairs(lines: Iterable[tuple[str, str | Text]], *, chars_max: int = _FOLDED_CHARS) -> Text:
    """Draw names and values, a pair a line; pairs without a value are left out."""
    given = [(formatting.one_line(name, 40), value) for name, value in lines if value]
    wide = max((len(name) for name, _ in given), default=0)
    shown = Text()
    for name, value in given:
        shown.append("\n" if shown else "")
        shown.append(f"{name:<{wide}}  ", style="bold")
        shown.append_text(value if isinstance(value, Text) else long_text(value, chars_max=chars_max))
    return shown


def number_of(count: int, plural: str) -> str:
    """Write how many there are of something, whose plural ends in an s."""
    return f"{count:,} {plural.removesuffix('s') if count == 1 else plural}"


def percent(number: float | None) -> str:
    return "" if number is None else f"{number:.0f} %"


def since_ms(start: int, end: int, now: float) -> str:
    """Say how long it took from one time to another, in ms since the epoch; 0 is none, and ``now`` in s."""
    took = (end or now * 1000) - start
    return "" if not start else "< 1 ms" if took < 1 else formatting.duration(took / 1000)
