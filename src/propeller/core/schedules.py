"""Schedules: tasks, workflows and jobs that run by themselves at the times that a cron text names.

- A task with a schedule runs itself again at each time, as its next attempt.
- A workflow or job with a schedule never runs itself: at each time a copy of it is made and started, which is
  a *run*. Its id, and those of its tasks, have the time in them.
- A task whose last run has not ended is copied in the same way, if its runs may overlap.

The start of a run and the time that comes next are one change of one record, so a crash can't come between
them. Times go by the machine's own clock (``ClusterState.wall``). If that is set back, the next time stays
where it is: nothing runs twice.

Ids of runs may be taken. So a turn has three steps: ``ring`` says which ids the due schedules are going to
use, the engine looks these up, and ``time_passed`` makes the runs. A schedule that has become due by then
rings in the next turn.
"""

from collections.abc import Iterable

from propeller.core import admission, attempts, calendar, causes, copies
from propeller.core.calendar import (
    QUEUE_MAX,
    Overlap,
    Ringing,
    Schedule,
    ScheduleState,
    Times,
)
from propeller.core.model import Group, GroupTiming, Spec, Task, Timing
from propeller.core.reasons import Reason, Replaced, Stopped
from propeller.core.state import ClusterState, alarm_key
from propeller.core.states import PENDING
from propeller.core.timers import TimerOf
from propeller.errors import Conflict, Invalid

Record = Task | Group

#: So many tasks the schedules make in a turn; each that is due makes one run all the same.
_TASKS_PER_TURN = 500
_MS = 1_000_000
#: So far ahead of the clock may the time of a start be, if many come at once.
_SOON_NS = 60_000_000_000
_ID_CHARS_MAX = 255

# -- what users ask for ------------------------------------------------------------------------------------


def check(schedule: Schedule, ids: Iterable[str]) -> None:
    """Raise ``Invalid`` for a schedule that makes no sense, or that can't make ids for its runs of these."""
    try:
        Times(schedule, "")
    except ValueError as error:
        raise Invalid(str(error)) from error
    options = schedule.options
    if options.end and options.end <= options.start:
        raise Invalid("schedule_options.end: it is not after start; name a later time, or leave it out")
    longest = max(ids, key=len, default="")
    if len(longest) + copies.RUN_CHARS > _ID_CHARS_MAX:
        raise Invalid(
            f"id: {longest[:40]}… has {len(longest)} characters; with a schedule it may have "
            f"{_ID_CHARS_MAX - copies.RUN_CHARS}, because the ids of its runs have their time in them"
        )


def check_comes(schedule: Schedule | None, wall: int) -> None:
    """Raise ``Invalid`` for a schedule that is new and of which no time comes any more."""
    if schedule is None or Times(schedule, "").after(wall):
        return
    if schedule.options.end:
        raise Invalid(
            "schedule_options.end: no time of the schedule comes from now until then; name a later time, or "
            "leave it out"
        )
    raise Invalid("schedule_options.start: no time of the schedule is known after it; name an earlier time")


def check_task(spec: Spec) -> None:
    """Raise ``Invalid`` for a task that can't have the schedule it asks for."""
    schedule = spec.whole_schedule
    if schedule is None:
        if spec.is_recurring or spec.timezone not in ("", "UTC") or spec.schedule_options is not None:
            field = (
                "is_recurring" if spec.is_recurring else "timezone" if spec.timezone else "schedule_options"
            )
            raise Invalid(
                f"{field}: it is for a schedule, and the task has none; give schedule, or leave it out"
            )
        return
    if spec.group_id:
        kind = "workflow" if spec.workflow_id else "job"
        raise Invalid(
            f"schedule: task {spec.id} is part of {kind} {spec.group_id}, and does not run by itself; give "
            f"the {kind} a schedule instead"
        )
    check(schedule, (spec.id,))


def begin(state: ClusterState, record: Record) -> None:
    """Set a schedule going that is new."""
    _keep(record, ScheduleState())
    _await(state, record, state.wall)


def changed(state: ClusterState, task: Task, before: Schedule | None) -> None:
    """Follow a change of a task's spec; only another schedule than before begins anew."""
    schedule, course = task.schedule, task.course
    if schedule == before:
        return
    state.alarms.drop(TimerOf.SCHEDULE, alarm_key(task))
    if schedule is None:
        _keep(task, None)
        return
    course = course or ScheduleState()
    _keep(task, ScheduleState(is_paused=course.is_paused, last_run=course.last_run, runs=course.runs))
    if not course.is_paused:
        _await(state, task, state.wall)


def pause(state: ClusterState, record: Record) -> None:
    """Let no times come until ``resume``; what waits for the run before is dropped."""
    course = _course(record)
    if not course.is_paused:
        course.done_until = max(course.done_until, course.next_run, course.last_run + 1)
    course.is_paused = True
    course.next_run = course.due_at = 0
    course.waiting = []
    state.alarms.drop(TimerOf.SCHEDULE, alarm_key(record))
    _note(state, record)


def resume(state: ClusterState, record: Record) -> None:
    """Let times come again; those of the pause are not made up for.

    Raises:
        Invalid: Its zone is not known any more.
        Conflict: It is of a group that has no tasks.

    """
    course = _course(record)
    if not course.is_paused or record.schedule is None:
        return
    check(record.schedule, ())
    if isinstance(record, Group) and not record.tasks:
        raise Conflict(_has_no_tasks(record))
    course.is_paused, course.error = False, ""
    if not course.is_over:
        _await(state, record, max(state.wall, course.done_until - 1))
    _note(state, record)


def _course(record: Record) -> ScheduleState:
    course = record.course
    if course is None:
        kind = "task" if isinstance(record, Task) else record.kind.value
        raise Conflict(f"{kind} {record.id} has no schedule")
    return course


def run_now(state: ClusterState, group: Group, now: int) -> list[Task]:
    """Start a run of a group with a schedule, besides its times; give the tasks of the run.

    Raises:
        Conflict: An id that it needs is taken.

    """
    course = _course(group)
    at = _time_of_start(course, state.wall)
    if taken := _taken(state, group, at):
        raise Conflict(f"id: {taken}, which the run would have, is taken; start it again a moment later")
    run = _run_of_group(state, group, at, now)
    course.last_start = at
    course.runs = [one.id for one in open_runs(state, group)] + [run.id]
    _note(state, group)
    return list(run.tasks.values())


def ids_of_run_now(group: Group, wall: int, number: int) -> tuple[list[str], list[str]]:
    """Give the ids of the tasks and of the group that ``run_now`` uses for the nth start in a turn."""
    at = _time_of_start(_course(group), wall)
    for _ in range(number - 1):
        at = _between_seconds(at + _MS)
    return _ids_of_run(group, at)


def _time_of_start(course: ScheduleState, wall: int) -> int:
    """Give this millisecond, or one that comes soon if a run was started in this one."""
    last = course.last_start
    return _between_seconds(last + _MS if wall - _MS < last < wall + _SOON_NS else wall)


def _between_seconds(wall: int) -> int:
    """Give this millisecond, or the next one: no time of a schedule is there."""
    ms = wall // _MS
    return (ms if ms % 1000 else ms + 1) * _MS


def open_runs(state: ClusterState, record: Record) -> list[Record]:
    """Give the runs that have not ended; a task that runs itself is one."""
    found: list[Record] = []
    if isinstance(record, Task):
        if _runs(record):
            found.append(record)
        copied = (state.tasks.get(name) for name in (record.course.runs if record.course else ()))
        found += [run for run in copied if run and run.spec.run_of == record.id and not run.state.has_ended]
        return found
    groups = (state.groups.get(name) for name in (record.course.runs if record.course else ()))
    return [run for run in groups if run and run.definition.run_of == record.id and run.has_live_tasks]


def stop_runs(state: ClusterState, record: Record, reason: Reason, now: int) -> None:
    """Stop all runs that have not ended."""
    for run in open_runs(state, record):
        tasks = [run] if isinstance(run, Task) else list(run.tasks.values())
        for task in reversed(tasks):
            if not task.state.has_ended:
                attempts.interrupt(state, task, reason, now)


def stop(state: ClusterState, record: Record, now: int) -> None:
    """Stop all runs that have not ended, and drop the times that wait."""
    course = _course(record)
    if course.waiting:
        course.waiting = []
        _set_alarm(state, record, course)
        _note(state, record)
    stop_runs(state, record, Stopped() if isinstance(record, Task) else Stopped(record.kind), now)


def _runs(task: Task) -> bool:
    return not task.state.has_ended and task.state is not PENDING


# -- as time passes ----------------------------------------------------------------------------------------


def ring(state: ClusterState, wall: int) -> tuple[list[str], list[str]]:
    """Take out the schedules that are due; give the ids that their runs are going to have."""
    task_ids: list[str] = []
    group_ids: list[str] = []
    while (key := state.alarms.pop_due(TimerOf.SCHEDULE, wall)) is not None:
        record = state.alarmed(key)
        schedule, course = (record.schedule, record.course) if record else (None, None)
        if record is None or schedule is None or course is None or not course.is_live:
            continue
        try:
            agenda = calendar.agenda(schedule, record.id, course.next_run, wall)
        except ValueError as error:  # the zone was known when the schedule was made
            pause(state, record)
            course.error = str(error)
            continue
        overlap = schedule.options.overlap
        most = 1
        if overlap is Overlap.ALLOW:
            size = 1 if isinstance(record, Task) else max(len(record.tasks), 1)
            most = max((_TASKS_PER_TURN - len(task_ids)) // size, 1)
        state.ringing.append(Ringing(key, agenda, course.next_run, most))
        if isinstance(record, Task) and overlap is not Overlap.ALLOW:  # it is never copied
            continue
        for at in _first_of(overlap, [*course.waiting, *agenda.missed, *agenda.on_time], most):
            tasks, groups = _ids_of_run(record, at)
            task_ids += tasks
            group_ids += groups
    return task_ids, group_ids


def _first_of(overlap: Overlap, times: list[int], most: int) -> list[int]:
    """Give the times that may begin a run in one turn."""
    return times[-1:] if overlap is Overlap.REPLACE else times[:most]


def _ids_of_run(record: Record, at: int) -> tuple[list[str], list[str]]:
    if isinstance(record, Task):
        return [copies.run_id(record.id, at)], []
    return list(copies.ids_of_run(record.tasks, at).values()), [copies.run_id(record.id, at)]


def time_passed(state: ClusterState, now: int) -> None:
    """Begin the runs of the schedules that rang in this turn."""
    ringing, state.ringing = state.ringing, []
    for one in ringing:
        record = state.alarmed(one.key)
        course = record.course if record else None
        if record is None or course is None or course.is_paused or course.next_run != one.next_run:
            continue  # something else has happened to it in this turn
        state.cause = causes.by_timer(TimerOf.SCHEDULE)
        if isinstance(record, Group) and not record.tasks:
            pause(state, record)
            course.error = _has_no_tasks(record)
            continue
        _come(state, record, course, one, now)


def _has_no_tasks(group: Group) -> str:
    return f"{group.kind} {group.id} has no tasks; add one, and resume its schedule"


def _come(state: ClusterState, record: Record, course: ScheduleState, ringing: Ringing, now: int) -> None:
    schedule, agenda = record.schedule, ringing.agenda
    assert schedule is not None
    overlap = schedule.options.overlap
    course.next_run, course.due_at = agenda.next_run, agenda.due_at
    is_busy = bool(open_runs(state, record))
    waiting = [*course.waiting, *agenda.missed]
    if overlap is Overlap.SKIP:
        # What is made up for waits; what comes meanwhile does not.
        waiting += [] if is_busy or waiting else agenda.on_time[:1]
    elif overlap is Overlap.QUEUE:
        waiting += agenda.on_time[: max(QUEUE_MAX - len(waiting), 0)]
    else:
        waiting += agenda.on_time
    starts: list[int] = []
    if overlap in (Overlap.ALLOW, Overlap.REPLACE) or not is_busy:
        starts = _first_of(overlap, waiting, ringing.most)
        waiting = [] if overlap is Overlap.REPLACE else waiting[len(starts) :]
    if overlap is Overlap.REPLACE and any(not _left_out(state, record, course, at) for at in starts):
        stop_runs(state, record, Replaced(), now)
    course.waiting = waiting
    course.runs = [run.id for run in open_runs(state, record) if run is not record]
    for at in starts:
        if _left_out(state, record, course, at):
            continue
        _start(state, record, course, at, now)
        course.last_run, course.error = at, ""
        if not schedule.is_recurring:
            course.is_over, course.waiting = True, []
            course.next_run = course.due_at = 0
            break
    _set_alarm(state, record, course)
    _note(state, record)


def _left_out(state: ClusterState, record: Record, course: ScheduleState, at: int) -> bool:
    """Say whether there can't be a run of a time, because an id is taken that it needs; note that."""
    if isinstance(record, Task) and not _is_copied(record):
        return False
    taken = _taken(state, record, at)
    if taken:
        course.error = (
            f"id: there was no run {copies.run_id(record.id, at)}, because {taken} is taken; delete what has "
            "it, or use ids that don't end like those of runs"
        )
    return bool(taken)


def _is_copied(task: Task) -> bool:
    """Say whether the next run of a task is a copy of it."""
    schedule = task.schedule
    return _runs(task) and schedule is not None and schedule.options.overlap is not Overlap.REPLACE


def _taken(state: ClusterState, record: Record, at: int) -> str:
    """Give an id that is taken and that the copy for a time needs; ``""`` if there is none."""
    tasks, groups = _ids_of_run(record, at)
    return next((name for name in (*groups, *tasks) if name in state.tasks or name in state.groups), "")


def _start(state: ClusterState, record: Record, course: ScheduleState, at: int, now: int) -> None:
    """Begin the run of a time."""
    if isinstance(record, Group):
        course.runs.append(_run_of_group(state, record, at, now).id)
    elif _runs(record):
        name = copies.run_id(record.id, at)
        (copied,) = admission.admit(state, [copies.run_of_task(record.spec, name)], None, now)
        attempts.schedule(state, copied, now)
        course.runs.append(name)
    else:
        if record.state.has_ended:
            attempts.clear(state, record)
        attempts.schedule(state, record, now)


def _run_of_group(state: ClusterState, group: Group, at: int, now: int) -> Group:
    """Make and start the run of a time."""
    name = copies.run_id(group.id, at)
    ids = copies.ids_of_run(group.tasks, at)
    run = copies.run_of(group, name, now)
    specs = [copies.copy_of(task.spec, ids, name) for task in group.tasks.values()]
    tasks = admission.admit(state, specs, run, now)
    for task in tasks:
        if task.unmet == 0:
            attempts.start_or_skip(state, task, now)
    return run


def _set_alarm(state: ClusterState, record: Record, course: ScheduleState) -> None:
    schedule, key = record.schedule, alarm_key(record)
    assert schedule is not None
    if course.waiting and (schedule.options.overlap is Overlap.ALLOW or not open_runs(state, record)):
        state.alarms.set(TimerOf.SCHEDULE, key, 0)
    elif course.due_at:
        state.alarms.set(TimerOf.SCHEDULE, key, course.due_at)
    else:
        state.alarms.drop(TimerOf.SCHEDULE, key)


def _await(state: ClusterState, record: Record, after: int) -> None:
    """Wait for the first time after another."""
    schedule, course = record.schedule, record.course
    assert schedule is not None
    assert course is not None
    times = Times(schedule, record.id)
    course.next_run = times.after(after)
    course.due_at = times.due(course.next_run) if course.next_run else 0
    _set_alarm(state, record, course)


def _keep(record: Record, course: ScheduleState | None) -> None:
    if isinstance(record, Task):
        record.timing = record.timing or Timing()
        record.timing.schedule = course
        if record.timing == Timing():
            record.timing = None
    else:
        record.timing = record.timing or GroupTiming()
        record.timing.schedule = course


def _note(state: ClusterState, record: Record) -> None:
    """Have what has become of a schedule stored."""
    if isinstance(record, Task):
        state.turn.touched[record.id] = record
    else:
        state.turn.groups[record.id] = record
