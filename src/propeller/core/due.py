"""What is due by the clock: a task is tried again, or a task or group has used up its time.

``retry`` waits between two attempts, ``deadline`` and the ``timeout`` of a group hold for a run in all, and
``queue_timeout`` for each wait for a proplet. The ``timeout`` of an attempt is for its proplet to hold.
"""

from propeller.core import attempts, causes
from propeller.core.failures import ErrorKind, Failure
from propeller.core.groups import UP
from propeller.core.model import Group, Task
from propeller.core.reasons import GroupTimedOut
from propeller.core.state import ClusterState
from propeller.core.states import COMPLETED, PENDING, RUNNING, SCHEDULED, SKIPPED
from propeller.core.timers import TimerOf
from propeller.core.times import in_words


def manager_started(state: ClusterState, now: int) -> None:
    """Go on with what the previous manager waited for; what became due meanwhile is due now.

    The machine's time may have been set since: nothing is waited for longer than was asked for.
    """
    for task in state.tasks.values():
        timing, spec = task.timing, task.spec
        if timing is None or task.state.has_ended:
            continue
        for kind, due, whole_ns in (
            (TimerOf.RETRY, timing.retry_at, spec.retry.max_delay_ns if spec.retry else 0),
            (TimerOf.DEADLINE, timing.deadline_at, spec.deadline_ns),
            (TimerOf.QUEUE, timing.queue_until, spec.queue_timeout_ns),
        ):
            if due:
                state.timers.set(kind, task.id, state.ticks + min(max(due - now, 0), whole_ns))
    for group in state.groups.values():
        if group.timing is not None and group.timing.deadline_at:
            left_ns = min(max(group.timing.deadline_at - now, 0), group.definition.timeout_ns)
            state.timers.set(TimerOf.GROUP, group.id, state.ticks + left_ns)


def time_passed(state: ClusterState, now: int) -> None:
    """Do what is due. What ends is ended first: a task is not tried again when its time is over."""
    timers, ticks = state.timers, state.ticks
    state.cause = causes.by_timer(TimerOf.GROUP)
    while (group_id := timers.pop_due(TimerOf.GROUP, ticks)) is not None:
        _end_group(state, state.groups[group_id], now)
    state.cause = causes.by_timer(TimerOf.DEADLINE)
    while (task_id := timers.pop_due(TimerOf.DEADLINE, ticks)) is not None:
        _miss_deadline(state, state.tasks[task_id], now)
    state.cause = causes.by_timer(TimerOf.QUEUE)
    while (task_id := timers.pop_due(TimerOf.QUEUE, ticks)) is not None:
        _leave_queue(state, state.tasks[task_id], now)
    while (task_id := timers.pop_due(TimerOf.RETRY, ticks)) is not None:
        attempts.try_again(state, state.tasks[task_id], now)


def _miss_deadline(state: ClusterState, task: Task, now: int) -> None:
    if task.was_up:  # it has come up in time, and has no end of its own
        return
    last = f"; attempt {task.attempt} had failed: {_last_error(task)}" if _last_error(task) else ""
    error = f"deadline: the task had not ended within {in_words(task.spec.deadline_ns)} of its start{last}"
    attempts.send_stops(state, task)
    attempts.fail(state, task, Failure(error, ErrorKind.DEADLINE), now)


def _last_error(task: Task) -> str:
    return str(getattr(task.reason, "error", "")) if task.timing and task.timing.tries else ""


def _leave_queue(state: ClusterState, task: Task, now: int) -> None:
    why = state.why_waits(task)
    waited = f" ({why})" if why else ""
    error = f"queue_timeout: no proplet took the task within {in_words(task.spec.queue_timeout_ns)}{waited}"
    attempts.fail(state, task, Failure(error, ErrorKind.QUEUE_TIMEOUT), now)


def _end_group(state: ClusterState, group: Group, now: int) -> None:
    """Fail what is under way in a group, and skip what has not begun, handlers of failures too."""
    if sum(group.counts[:COMPLETED]) == group.counts[UP]:  # only what stays up is left
        group.timing = None  # what begins later has its whole time
        state.turn.groups[group.id] = group
        return
    # To the task that runs it, it is an attempt that took too long.
    kind = ErrorKind.TIMEOUT if group.definition.run_for else ErrorKind.DEADLINE
    reason = GroupTimedOut(group.kind, in_words(group.definition.timeout_ns))
    for task in reversed(group.tasks.values()):  # so that none starts because one before it ended
        if task.state is PENDING:
            task.reason = reason
            attempts.end(state, task, SKIPPED, now)
        elif task.state in (SCHEDULED, RUNNING) and task.is_up:
            attempts.interrupt(state, task, reason, now)
        elif task.state in (SCHEDULED, RUNNING):
            attempts.send_stops(state, task)
            attempts.fail(state, task, Failure(f"timeout: {reason}", kind), now)
