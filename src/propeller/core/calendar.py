"""Schedules: what a user says about when something runs, what has become of it, what is due now; pure.

A time is due when it has come and its jitter is over. One that is due for longer than ``LATE_NS`` was missed:
the manager did not run, or the machine's time was set forward. Each time is dealt with once: ``agenda``
begins where the last one ended.

All times are ns since the Unix epoch by the machine's own time, which may be set forward and back; 0 is none.
"""

from collections.abc import Iterator
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

import msgspec

from propeller.core import cron

#: A time that is due for longer was missed.
LATE_NS = 60_000_000_000
#: How many missed times ``catch_up: all`` makes up for at once, the oldest first.
CATCH_UP_MAX = 1000
#: How many times wait for the run before, with ``overlap: queue``.
QUEUE_MAX = 100


class CatchUp(StrEnum):
    """What is made up for of the times that were missed."""

    SKIP = "skip"
    LATEST = "latest"
    ALL = "all"


class Overlap(StrEnum):
    """What becomes of a time that comes while the run before has not ended."""

    SKIP = "skip"
    QUEUE = "queue"
    ALLOW = "allow"
    REPLACE = "replace"


class ScheduleOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    catch_up: CatchUp = CatchUp.SKIP
    overlap: Overlap = Overlap.SKIP
    #: By how much a run begins later than its time at most; it always begins before the next time.
    jitter_ns: int = 0
    #: The times before and after these are none of the schedule's.
    start: int = 0
    end: int = 0


class Schedule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When a task, workflow or job runs by itself."""

    #: A cron text.
    text: str
    #: The zone of its times; ``""`` for UTC, or for the zone that the text names.
    timezone: str = ""
    #: False to run once, at the first time.
    is_recurring: bool = False
    options: ScheduleOptions = ScheduleOptions()


class ScheduleState(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What has become of a schedule. Stored."""

    #: The time that comes next; 0 if none does.
    next_run: int = 0
    #: The same, with its jitter.
    due_at: int = 0
    #: The time of the last run.
    last_run: int = 0
    #: Times that are due, and wait for the end of the run before.
    waiting: list[int] = []
    #: Ids of runs that have records of their own and may not have ended.
    runs: list[str] = []
    is_paused: bool = False
    #: True if it was to run once, and has.
    is_over: bool = False
    #: The times before this one have been dealt with. Set by a pause, so that none comes twice.
    done_until: int = 0
    #: The time in the id of the run that a user started last, of a workflow or job.
    last_start: int = 0
    #: What is wrong: why it can't go on, or why there was no run for its last time.
    error: str = ""

    @property
    def is_live(self) -> bool:
        """True if something is still to come."""
        return self.next_run > 0 or bool(self.waiting)


class Agenda(NamedTuple):
    """The times that are due now, and the next one."""

    #: Those missed that are to be made up for, oldest first.
    missed: list[int]
    on_time: list[int]
    next_run: int
    due_at: int


class Ringing(NamedTuple):
    """A schedule with times that are due; they wait until the ids of their runs have been looked up."""

    key: str
    agenda: Agenda
    #: The next run that the agenda was made for.
    next_run: int
    #: How many runs may begin in this turn.
    most: int


class Times:
    """The times of a schedule.

    Raises:
        ValueError: Its text or its zone is none; the message begins with the field.

    """

    def __init__(self, schedule: Schedule, owner_id: str) -> None:
        self._cron = cron.parse(schedule.text, schedule.timezone)
        self._options = schedule.options
        self._owner_id = owner_id

    def after(self, at: int) -> int:
        """Give the first time after another; 0 for none."""
        options = self._options
        found = self._cron.next_after(max(at, options.start - 1))
        return 0 if options.end and found > options.end else found

    def last_until(self, at: int, since: int) -> int:
        """Give the last time that is not after ``at`` and not before ``since``; 0 for none."""
        low = self.after(since - 1)
        high = min(at, self._options.end or at)
        if not low or low > high:
            return 0
        while high - low >= 1_000_000_000:
            middle = (low + high) // 2
            found = self.after(middle)
            if found and found <= high:
                low = found
            else:
                high = middle
        return low

    def due(self, at: int) -> int:
        """Say when a time is due: at most the jitter later, and before the next time.

        The jitter is always the same for the same owner and time, and is spread evenly.
        """
        jitter = self._options.jitter_ns
        if not jitter:
            return at
        following = self.after(at)
        room = min(jitter + 1, following - at) if following else jitter + 1
        return at + int.from_bytes(sha256(f"{self._owner_id} {at}".encode()).digest()[:8]) % room

    def following(self, at: int) -> Iterator[int]:
        """Give a time and all that come after it, in order."""
        while at:
            yield at
            at = self.after(at)


def agenda(schedule: Schedule, owner_id: str, next_run: int, wall: int) -> Agenda:
    """Give the times that are due, from the next run that was known until now.

    Raises:
        ValueError: As ``Times``.

    """
    times = Times(schedule, owner_id)
    edge = wall - LATE_NS
    last = times.last_until(edge, next_run) if next_run else 0
    first = next_run
    if last:
        first = last if times.due(last) >= edge else times.after(last)
    on_time: list[int] = []
    following = 0
    for at in times.following(first):
        if times.due(at) > wall:
            following = at
            break
        on_time.append(at)
    missed: list[int] = []
    if last and schedule.options.catch_up is CatchUp.LATEST:
        latest = times.last_until(last - 1, next_run) if first == last else last
        missed = [latest] if latest else []
    elif last and schedule.options.catch_up is CatchUp.ALL:
        for at in times.following(next_run):
            if at == first or at > last or len(missed) == CATCH_UP_MAX:
                break
            missed.append(at)
    return Agenda(missed, on_time, following, times.due(following) if following else 0)


def coming(schedule: Schedule, owner_id: str, at: int, count: int) -> list[int]:
    """Give up to ``count`` times: the given one, and those that follow."""
    found: list[int] = []
    for time in Times(schedule, owner_id).following(at):
        if len(found) == count:
            break
        found.append(time)
    return found
