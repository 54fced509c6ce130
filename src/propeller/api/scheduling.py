"""Reads the schedules that requests ask for, of tasks and of workflows and jobs."""

from typing import Protocol, TypeVar

from propeller.core import schedules
from propeller.core.calendar import CatchUp, Overlap, Schedule, ScheduleOptions
from propeller.core.model import GroupKind, Spec
from propeller.errors import Invalid
from propeller.wire.durations import parse_duration
from propeller.wire.http.schedules import ScheduleOptionsField
from propeller.wire.http.tasks import TaskFields
from propeller.wire.rfc3339 import parse_time

#: The year 2200, ns since the epoch: zones and calendars are sure of no later time.
_END_OF_TIME = 7_258_118_400 * 1_000_000_000

_Word = TypeVar("_Word", CatchUp, Overlap)


class HasSchedule(Protocol):
    """A request with a schedule."""

    schedule: str | None
    timezone: str | None
    is_recurring: bool | None
    schedule_options: ScheduleOptionsField | None


def options_of(given: ScheduleOptionsField, at: str = "") -> ScheduleOptions:
    """Read the options of a schedule.

    Raises:
        Invalid: A field makes no sense.

    """
    where = f"{at}schedule_options"
    return ScheduleOptions(
        catch_up=_word(CatchUp, given.catch_up, f"{where}.catch_up"),
        overlap=_word(Overlap, given.overlap, f"{where}.overlap"),
        jitter_ns=_jitter(given.jitter, f"{where}.jitter"),
        start=_time(given.start, f"{where}.start"),
        end=_time(given.end, f"{where}.end"),
    )


def _word(words: type[_Word], given: str | None, where: str) -> _Word:
    if given is None:
        return words("skip")
    try:
        return words(given)
    except ValueError:
        raise Invalid(f'{where}: "{given}" is unknown; use {", ".join(words)}') from None


def _jitter(given: str | float | None, where: str) -> int:
    try:
        return int(parse_duration("0" if given is None else str(given)) * 1e9)
    except ValueError as error:
        raise Invalid(f'{where}: "{given}" {error}') from error


def _time(given: str | None, where: str) -> int:
    if given is None:
        return 0
    found = parse_time(given)
    if found is None:
        raise Invalid(f'{where}: "{given[:80]}" is no time; write one as 2026-11-29T02:00:00Z')
    if found >= _END_OF_TIME:
        raise Invalid(f'{where}: "{given[:80]}" is too far ahead; write a time before the year 2200')
    return found


def removed(given: TaskFields) -> dict[str, object]:
    """Give the fields that go with a schedule that a change takes away; none if it takes none."""
    if given.schedule != "":
        return {}
    return {"timezone": "", "is_recurring": False, "schedule_options": None}


def check_new_task(spec: Spec, at: str) -> None:
    """Raise ``Invalid`` for a new task that can't have the schedule it asks for."""
    try:
        schedules.check_task(spec)
    except Invalid as error:
        raise Invalid(f"{at}{error}") from error


def schedule_of_group(given: HasSchedule, kind: GroupKind) -> Schedule | None:
    """Read the schedule of a new workflow or job; None if it has none.

    Raises:
        Invalid: A field makes no sense.

    """
    if not given.schedule:
        for name in ("is_recurring", "timezone", "schedule_options"):
            if getattr(given, name) not in (None, "", False, "UTC"):
                raise Invalid(
                    f"{name}: it is for a schedule, and the {kind} has none; give schedule, or leave it out"
                )
        return None
    schedule = Schedule(
        text=given.schedule,
        timezone=given.timezone or "",
        is_recurring=given.is_recurring is not False,
        options=options_of(given.schedule_options) if given.schedule_options else ScheduleOptions(),
    )
    schedules.check(schedule, ())
    return schedule
