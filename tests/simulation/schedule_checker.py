"""Checks the laws of schedules: each time once, none too early or late, overlap and missed times as the options say.

It looks at what is committed and at the machine's time, and reads cron texts by a table of its own.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from propeller.core.calendar import CatchUp, Overlap, Schedule, ScheduleState
from propeller.core.effects import Changes
from propeller.core.events import StartTask
from propeller.core.model import Group, Task
from propeller.core.states import COMPLETED, RUNNING, SCHEDULED
from propeller.manager.engine import Ask, Input

from .store import SimulatedStore
from .world import LawBroken, S

#: Minutes and hours of the texts that users write, and whether the hour begins with a star.
TEXTS: dict[str, tuple[set[int], set[int], bool]] = {
    "*/5 * * * *": (set(range(0, 60, 5)), set(range(24)), True),
    "7,37 */2 * * *": ({7, 37}, set(range(0, 24, 2)), True),
    "@hourly": ({0}, set(range(24)), True),
    "30 2 * * *": ({30}, {2}, False),
    "15 1-3 * * ?": ({15}, {1, 2, 3}, False),
    "*/10 2 * * *": (set(range(0, 60, 10)), {2}, False),
}
LATE_NS = 60 * S
MINUTE_NS = 60 * S
#: So many may wait for the run before; what was missed counts, and may be more.
WAITING_MAX = 100
#: With these, a time may be passed over for the others.
_PASSED_OVER = (Overlap.SKIP, Overlap.QUEUE)


@lru_cache(maxsize=100_000)
def is_time(text: str, zone: str, minute_ns: int) -> bool:
    """Say whether a minute is a time of a text, by looking at the clock on the wall."""
    minutes, hours, by_elapsed = TEXTS[text]
    now = datetime.fromtimestamp(minute_ns // S, UTC)
    local, before = (moment.astimezone(ZoneInfo(zone)) for moment in (now, now - timedelta(minutes=1)))
    meets = local.minute in minutes and local.hour in hours
    if by_elapsed:
        return meets
    wall, last = local.replace(tzinfo=None), before.replace(tzinfo=None) + timedelta(minutes=1)
    while last < wall:  # the clock was put forward over these
        if last.minute in minutes and last.hour in hours:
            return True
        last += timedelta(minutes=1)
    return meets and not local.fold


def times_between(schedule: Schedule, start: int, end: int) -> list[int]:
    """Give the times from ``start`` on and before ``end``."""
    first = -(-start // MINUTE_NS) * MINUTE_NS
    options = schedule.options
    return [
        at
        for at in range(first, end, MINUTE_NS)
        if is_time(schedule.text, schedule.timezone or "UTC", at)
        and at >= options.start
        and (not options.end or at <= options.end)
    ]


class _Known(msgspec.Struct):
    """A schedule as it was committed last."""

    schedule: Schedule
    course: ScheduleState
    #: The times that have begun a run since it was made, or changed.
    fired: set[int] = set()
    #: The ids of its runs that had not ended.
    live: set[str] = set()


class ScheduleChecker:
    def __init__(self, store: SimulatedStore, owners: Sequence[str]):
        """Look at the records with these ids, which are made and deleted; nobody else uses ids like theirs."""
        self._store = store
        self._owners = owners
        #: By ``seq`` of the record, and whether it is a task.
        self._known: dict[tuple[bool, int], _Known] = {}
        self.runs = 0

    def committed(self, changes: Changes, inputs: Sequence[Input], wall: int) -> None:
        """Check a commit of a turn that was taken at this time of the machine."""
        asked = [item.command for item in inputs if isinstance(item, Ask)]
        asked_tasks = Counter(one.task_id for one in asked if isinstance(one, StartTask))
        created = [self._store.task(task.seq) for task in changes.created]
        moves = Counter(move.task_id for move in changes.transitions if move.state is SCHEDULED)
        # In the turn in which a user starts a task, its time may come too, and replace that run.
        began = {task_id for task_id, count in moves.items() if count > asked_tasks[task_id]}
        unclear = moves.keys() & asked_tasks.keys() - began
        for record in self._records():
            key = isinstance(record, Task), record.seq
            schedule, course = record.schedule, record.course
            if schedule is None or course is None:
                self._known.pop(key, None)
                continue
            known = self._known.get(key)
            if known is None or known.schedule != schedule:
                known = self._known[key] = _Known(schedule, ScheduleState(next_run=course.next_run))
            started = self._started(record, created, began)
            self._check_starts(record, known, started, wall)
            # If its user was refused, its time began it.
            perhaps = {course.last_run} if record.id in unclear else set()
            self._check_dealt_with(record, known, course, started | perhaps, wall)
            known.course, known.live = course, self._live(record)

    def _records(self) -> list[Task | Group]:
        store = self._store
        found: list[Task | Group] = [
            store.task(store.ids[name]) for name in self._owners if name in store.ids
        ]
        return [*found, *(store.group(name) for name in self._owners if name in store.groups)]

    def _started(self, record: Task | Group, created: Iterable[Task], began: set[str]) -> set[int]:
        """Name the times whose runs this commit begins."""
        found = set()
        for task in created:
            if "." in task.id:  # a user started it
                continue
            if isinstance(record, Group):
                group = self._store.groups.get(task.spec.group_id)
                if group and self._store.group(task.spec.group_id).definition.run_of == record.id:
                    found.add(_time_in(task.spec.group_id))
            elif task.spec.copy_of == record.id and not task.spec.group_id:
                found.add(_time_in(task.id))
        known = self._known[isinstance(record, Task), record.seq]
        found -= known.fired
        if isinstance(record, Task) and record.id in began and record.course is not None:
            own = record.course.last_run
            if own in found:  # copies of it began too, for later times
                before = known.course
                came = times_between(known.schedule, before.next_run, own) if before.next_run else []
                own = max((at for at in (*before.waiting, *came) if at < min(found)), default=0)
            if own in known.fired:
                raise LawBroken("time-once", f"{record.id} runs for {_shown(own)} again", record.id)
            found.add(own)
        return found

    def _check_starts(self, record: Task | Group, known: _Known, started: set[int], wall: int) -> None:
        schedule, course = known.schedule, known.course
        by_schedule = sorted(started)
        for at in by_schedule:
            self.runs += 1
            what = f"the run of {_shown(at)} of {record.id}"
            if at not in times_between(schedule, at, at + 1):
                raise LawBroken("schedule-times", f"{what} is at no time of {schedule.text}", record.id)
            if wall < at and at not in course.waiting:
                raise LawBroken("schedule-times", f"{what} began at {_shown(wall)}", record.id)
            if course.is_paused and record.course is not None and record.course.is_paused:
                raise LawBroken("paused", f"{what} began, and it is paused", record.id)
        known.fired.update(by_schedule)
        if by_schedule and not schedule.is_recurring and len(known.fired) > 1:
            raise LawBroken("time-once", f"{record.id} is to run once, and ran again", record.id)
        live = self._live(record)
        if by_schedule and schedule.options.overlap in (Overlap.SKIP, Overlap.QUEUE):
            still = known.live & live - ({record.id} if isinstance(record, Task) else set())
            if still or len(by_schedule) > 1:
                raise LawBroken("overlap", f"{record.id} runs, and {sorted(still)} have not ended", record.id)
        if by_schedule and schedule.options.overlap is Overlap.REPLACE and known.live & live - {record.id}:
            raise LawBroken(
                "overlap", f"{record.id} runs, and {known.live & live} were not stopped", record.id
            )

    def _live(self, record: Task | Group) -> set[str]:
        """Name the runs that have not ended, without those of an earlier record with the same id."""
        store, begin = self._store, f"{record.id}-"
        if isinstance(record, Group):
            runs = {name: row for name, row in store.groups.items() if name.startswith(begin)}
            return {name for name, row in runs.items() if row[0] > record.seq and row[6] > 0}
        live = {record.id} if record.state in (SCHEDULED, RUNNING) else set()
        copies = {name: seq for name, seq in store.ids.items() if name.startswith(begin) and seq > record.seq}
        return live | {name for name, seq in copies.items() if store.runs[seq][0] < COMPLETED}

    def _check_dealt_with(
        self, record: Task | Group, known: _Known, course: ScheduleState, started: set[int], wall: int
    ) -> None:
        """Check what became of each time that came: it runs, it waits, or there is a reason that it does not."""
        before, options = known.course, known.schedule.options
        if not before.next_run or course.is_paused or course.next_run == before.next_run:
            return
        came = times_between(known.schedule, before.next_run, course.next_run or wall + 1)
        if course.next_run and not is_time(
            known.schedule.text, known.schedule.timezone or "UTC", course.next_run
        ):
            raise LawBroken("schedule-times", f"{record.id} waits for {_shown(course.next_run)}", record.id)
        kept = started | set(course.waiting)
        # One that was deleted and made anew finds the runs of the first, if the clock was set back.
        taken = [at for at in came if at not in kept and self._is_taken(record, at)]
        came = [at for at in came if at not in taken]
        late = [at for at in came if wall - at > LATE_NS + options.jitter_ns]
        timely = [at for at in came if wall - at <= LATE_NS]
        last = max(kept, default=0)
        if course.is_over or (options.overlap is Overlap.REPLACE and kept):
            late, timely = [at for at in late if at > last], [at for at in timely if at > last]
            if course.is_over:
                return
        if options.catch_up is CatchUp.SKIP and not kept.isdisjoint(late):
            raise LawBroken("missed", f"{record.id} makes up for {list(map(_shown, late))}", record.id)
        if options.catch_up is CatchUp.LATEST:
            unsure = [at for at in came if wall - at > LATE_NS]
            # The last of them may be such a run of the first: then none is left to be made up for.
            has_last = late and any(late[-1] < at < wall - LATE_NS for at in taken)
            if late and not has_last and kept.isdisjoint(unsure[unsure.index(late[-1]) :]):
                raise LawBroken("missed", f"{record.id} made not up for {_shown(late[-1])}", record.id)
            if len(kept & set(late)) > 1:
                raise LawBroken("missed", f"{record.id} makes up for more than the last", record.id)
        if options.catch_up is CatchUp.ALL and not kept.issuperset(late):
            raise LawBroken(
                "missed", f"{record.id} made not up for all of {list(map(_shown, late))}", record.id
            )
        live = known.live or self._live(record)  # a user may have started it in the same turn
        is_busy = live or before.waiting or course.waiting or kept & set(came)
        is_full = len(kept) >= WAITING_MAX
        for at in timely:
            is_passed_over = is_busy if options.overlap is Overlap.SKIP else is_full
            if at not in kept and not (options.overlap in _PASSED_OVER and is_passed_over):
                raise LawBroken("missed", f"{record.id} did not run at {_shown(at)}", record.id)

    def _is_taken(self, record: Task | Group, at: int) -> bool:
        name = f"{record.id}-{datetime.fromtimestamp(at // S, UTC):%Y%m%dT%H%M%SZ}"
        return name in self._store.ids or name in self._store.groups

    def check_at_end(self, wall: int) -> None:
        """Check that everything that is due has been dealt with."""
        for record in self._records():
            course, schedule = record.course, record.schedule
            if course is None or schedule is None or course.is_paused:
                continue
            if course.next_run and wall > course.due_at + 2 * S:
                raise LawBroken("overdue", f"{record.id} has not run at {_shown(course.next_run)}", record.id)
            if course.waiting and not self._live(record):
                raise LawBroken("overdue", f"{record.id} waits for a run that has ended", record.id)


def _time_in(name: str) -> int:
    stamp = datetime.strptime(name[-16:], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return int(stamp.timestamp()) * S


def _shown(at: int) -> str:
    return f"{datetime.fromtimestamp(at / S, UTC):%d %H:%M:%S}"
