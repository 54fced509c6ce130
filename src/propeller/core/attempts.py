"""The life of an attempt: its task is scheduled, begun, sent to a proplet, ended, lost, run again.

Every placement raises ``Task.attempt``; a report of any other attempt changes nothing. A task becomes ready
when its count of unmet parents reaches 0 (``tell_children``), so the end of a task costs work for its own
children only.
"""

from propeller.core import causes, executions, inputs, retries
from propeller.core.conditions import is_handler, why_not
from propeller.core.effects import SendStart, SendStop
from propeller.core.failures import ErrorKind, Failure
from propeller.core.model import Execution, Group, GroupTiming, Proplet, Spec, Task, Timing
from propeller.core.reasons import AttemptLost, Compiles, Reason
from propeller.core.relations import after, has_had_its_turn
from propeller.core.state import ClusterState
from propeller.core.states import FAILED, INTERRUPTED, PENDING, RUNNING, SCHEDULED, SKIPPED, TaskState
from propeller.core.timers import TimerOf

# -- ready -------------------------------------------------------------------------------------------------


def obstacle(spec: Spec) -> Failure | None:
    """Give the failure of a task that no proplet of this version can run; None if one can."""
    if spec.encrypted:
        error = "encrypted: no proplet here can run encrypted workloads; set it to false"
        return Failure(error, ErrorKind.REFUSED)
    if spec.module is None and not spec.image_url and spec.workflow is None:
        error = f"task {spec.id} has no module; upload one with PUT /tasks/{spec.id}/upload"
        return Failure(error, ErrorKind.MODULE)
    return None


def refused(state: ClusterState, spec: Spec) -> Failure | None:
    """Give the failure of a task whose module the manager's policy does not allow; None if it does."""
    why = state.policy.trust.refusal(spec)
    return Failure(why, ErrorKind.REFUSED) if why else None


def tell_children(state: ClusterState, task: Task, now: int) -> None:
    """Count down the unmet parents of a task's children; start or skip the children that are ready."""
    state.cause = causes.by_parent(task.id)
    for child in task.children:
        _count_down(state, child, now)


def tell_children_early(state: ClusterState, task: Task, now: int) -> None:
    """Do so for a task of a sequential job that has ended before its turn.

    The task after it waits for its turn, but is skipped at once if the job is halted for it.
    """
    state.cause = causes.by_parent(task.id)
    for child in task.children:
        if child.before is not task:
            _count_down(state, child, now)
        elif child.state is PENDING and not is_handler(child.spec.run_if):
            why = why_not(child, state.groups.get(child.spec.group_id))
            if isinstance(why, Reason):
                skip(state, child, why, now)


def _count_down(state: ClusterState, child: Task, now: int) -> None:
    """Take in that a predecessor of a task has ended.

    Where the task has ended before its turn, its turn is over now, and that of the task after it may begin.
    """
    follower: Task | None = child
    while follower is not None:
        follower.unmet -= 1
        if follower.unmet:
            return
        if follower.state is PENDING:
            start_or_skip(state, follower, now)
            return
        never_began = not (follower.started_at or follower.was_up)
        ended_early = never_began and follower.before is not None and follower.state.has_ended
        follower = after(follower) if ended_early else None


def start_or_skip(state: ClusterState, task: Task, now: int) -> None:
    """Start or skip a pending task whose parents have all ended, or fail it for its condition."""
    spec = task.spec
    why = why_not(task, state.groups.get(spec.workflow_id or spec.job_id))
    if why is not None and isinstance(why, Reason):
        skip(state, task, why, now)
    else:
        schedule(state, task, now, why)


def schedule(state: ClusterState, task: Task, now: int, failure: Failure | None = None) -> None:
    """Queue a task that is ready, or fail it if it can't be run at all."""
    task.reason = state.why_waits(task)
    state.move(task, SCHEDULED, now)
    failure = failure or obstacle(task.spec) or refused(state, task.spec) or inputs.missing(task)
    if failure:
        fail(state, task, failure, now)
    else:
        _set_deadlines(state, task, now)
        wait_for_proplet(state, task, now)


def _set_deadlines(state: ClusterState, task: Task, now: int) -> None:
    """Begin to count the time that a task may take, and its group if this is the first of it."""
    if task.spec.deadline_ns:
        timing = task.timing = task.timing or Timing()
        timing.deadline_at = now + task.spec.deadline_ns
        state.timers.set(TimerOf.DEADLINE, task.id, state.ticks + task.spec.deadline_ns)
    group = state.groups.get(task.spec.workflow_id or task.spec.job_id)
    timeout_ns = group.definition.timeout_ns if group is not None else 0
    if timeout_ns and group is not None and group.timing is None:
        group.timing = GroupTiming(deadline_at=now + timeout_ns)
        state.timers.set(TimerOf.GROUP, group.id, state.ticks + timeout_ns)


def wait_for_proplet(state: ClusterState, task: Task, now: int) -> None:
    """Let a scheduled task wait for a proplet."""
    if task.spec.queue_timeout_ns:
        timing = task.timing = task.timing or Timing()
        timing.queue_until = now + task.spec.queue_timeout_ns
        state.timers.set(TimerOf.QUEUE, task.id, state.ticks + task.spec.queue_timeout_ns)
    state.queue(task)


def try_again(state: ClusterState, task: Task, now: int) -> None:
    """Queue a task once more whose wait after a failed attempt is over."""
    assert task.timing is not None
    task.timing.retry_at = 0
    state.turn.touched[task.id] = task
    wait_for_proplet(state, task, now)


def fail(state: ClusterState, task: Task, failure: Failure, now: int) -> None:
    """End a task that can't be run, or not again; what it said when it was up counts no more."""
    task.results = None
    task.failure, task.reason = failure, None
    end(state, task, FAILED, now)


# -- begin -------------------------------------------------------------------------------------------------


def place_waiting(state: ClusterState, now: int) -> None:
    """Start each waiting task for which there is room, in the order of the queue."""
    placement = state.placement
    while (choice := placement.next()) is not None:
        task, proplet = choice
        given = to_run(state, task)
        if isinstance(given, Failure):
            fail(state, task, given, now)
            placement.offer_room(proplet.id)
            continue
        begin(state, task, proplet, now)
        placement.placed(task, proplet, state.ticks)
        send_start(state, task, proplet, given)


def to_run(state: ClusterState, task: Task) -> inputs.Given | Failure:
    """Give what a task is to run with now; or why it can't, though it could when it began to wait."""
    return refused(state, task.spec) or inputs.given(task)


def begin(state: ClusterState, task: Task, proplet: Proplet | None, now: int) -> None:
    """Begin the next attempt of a task; ``proplet`` is None if the task goes to several."""
    state.starts += 1
    task.attempt += 1
    task.proplet_id = proplet.id if proplet else ""
    task.placed_at = task.started_at = now
    task.ran = None
    timing = task.timing
    if timing is not None and timing.queue_until:
        timing.queue_until = 0
        state.timers.drop(TimerOf.QUEUE, task.id)
    task.reason = task.reason if task.losses or (timing and timing.tries) else None
    state.move(task, RUNNING, now)


def send_start(state: ClusterState, task: Task, proplet: Proplet, given: inputs.Given) -> None:
    """Tell a proplet to run the attempt that it has of a task."""
    is_native, trust = proplet.is_native, state.policy.trust
    if not is_native:
        state.lease(proplet, task)
    state.turn.effects.append(
        SendStart(
            proplet_id=proplet.id,
            spec=task.spec,
            attempt=task.attempt_on(proplet.id),
            placed_at=task.placed_on(proplet.id),
            inputs=given.inputs,
            stdin=given.stdin,
            stdin_encoding=given.stdin_encoding,
            parent_results=given.parent_results,
            is_native=is_native,
            keys=trust.keys.texts if trust.keys is not None and trust.names_keys(task.spec) else None,
        )
    )


def send_stop(state: ClusterState, task: Task, proplet_id: str) -> None:
    """Tell a proplet to end the attempt that it has of a task."""
    proplet = state.proplets.get(proplet_id)
    is_native = proplet is None or proplet.is_native
    state.turn.effects.append(SendStop(proplet_id, task.id, task.attempt_on(proplet_id), is_native=is_native))


def send_stops(state: ClusterState, task: Task) -> None:
    """Tell all proplets that run a task to end it."""
    for proplet_id in state.holders(task):
        send_stop(state, task, proplet_id)


# -- end ---------------------------------------------------------------------------------------------------


def end(state: ClusterState, task: Task, how: TaskState, now: int) -> None:
    """Move a task to an end; its children, or the others of a fail-fast group, follow before the next event.

    The children of a task that was up have been told before.
    """
    state.release(task)
    if task.timing is not None:
        _stop_timers(state, task)
    if task.executions:
        executions.close(state, task, now)
    if isinstance(task.reason, Compiles):
        task.reason = None
    if task.spec.workflow is not None:
        state.consequences.left.append(task)
    if how is not SKIPPED and not task.finished_at:
        task.finished_at = max(now, task.started_at)  # the clock may have been set back before a restart
    state.move(task, how, now)
    if not task.was_up:
        state.settled(task)
    group = state.groups.get(task.spec.workflow_id or task.spec.job_id)
    if group is None:
        return
    if group.timing is not None and not group.has_live_tasks:
        stop_timer(state, group)
    if how is FAILED and group.fail_fast:
        state.consequences.failed.append(task)


def skip(state: ClusterState, task: Task, reason: Reason, now: int) -> None:
    """End a pending task that must not run."""
    task.reason = reason
    end(state, task, SKIPPED, now)


def _stop_timers(state: ClusterState, task: Task) -> None:
    schedule = task.timing.schedule if task.timing else None
    task.timing = Timing(schedule=schedule) if schedule else None
    for kind in (TimerOf.RETRY, TimerOf.DEADLINE, TimerOf.QUEUE):
        state.timers.drop(kind, task.id)


def stop_timer(state: ClusterState, group: Group) -> None:
    """Count the time of a group no more: it has ended, or is deleted."""
    if group.timing is not None:
        schedule = group.timing.schedule
        group.timing = GroupTiming(schedule=schedule) if schedule else None
        state.timers.drop(TimerOf.GROUP, group.id)


def interrupt(state: ClusterState, task: Task, reason: Reason, now: int) -> None:
    """Stop a task that has not ended."""
    send_stops(state, task)
    if not task.is_up:  # what an attempt before said when it was up counts no more
        task.results = None
    task.reason = reason
    end(state, task, INTERRUPTED, now)


def delete(state: ClusterState, task: Task) -> None:
    """Delete a task, and tell all proplets that run it to end it."""
    send_stops(state, task)
    if task.timing is not None:
        _stop_timers(state, task)
    if task.spec.workflow is not None:
        state.consequences.left.append(task)
    state.delete(task)


# -- again -------------------------------------------------------------------------------------------------


def clear(state: ClusterState, task: Task) -> None:
    """Forget the last run of an ended task before it is started again, but for its last attempt."""
    has_let_go_on = has_had_its_turn(task)
    if task.spec.workflow is not None:
        state.consequences.left.append(task)
    if (task.proplet_id or task.spec.workflow is not None) and task.started_at and not task.executions:
        state.past(
            task,
            Execution(
                proplet_id=task.proplet_id,
                attempt=task.attempt,
                state=task.state,
                results=task.results,
                failure=task.failure,
                started_at=task.started_at,
                finished_at=task.finished_at,
                ran=task.ran,
            ),
        )
    task.results = task.ran = None
    task.failure = task.reason = None
    task.placed_at = task.started_at = task.finished_at = 0
    task.losses = task.restarts = 0
    task.was_up = False
    executions.forget(state, task)
    for child in task.children:
        if child.before is not task or has_let_go_on:
            _count_up(child)


def _count_up(child: Task) -> None:
    """Take in that a predecessor of a task is to run again; see ``_count_down``."""
    follower: Task | None = child
    while follower is not None:
        had_its_turn = has_had_its_turn(follower)
        follower.unmet += 1
        loses_it = follower.before is not None and had_its_turn and not has_had_its_turn(follower)
        follower = after(follower) if loses_it else None


def run_again(state: ClusterState, task: Task, reason: Reason, now: int) -> None:
    """Queue a running task once more.

    One that was up keeps its result: children that wait for a proplet are to be given it.
    """
    if not task.spec.broadcast:
        state.past(task, state.attempt_of(task, *_how_it_went(reason), now))
    state.release(task)
    task.started_at = 0
    task.reason = reason
    state.move(task, SCHEDULED, now)
    wait_for_proplet(state, task, now)


def _how_it_went(reason: Reason) -> tuple[TaskState, Failure]:
    """Say how an attempt ended after which its task has to run again."""
    if isinstance(reason, AttemptLost):
        return FAILED, Failure(f"lost: {reason.how}", ErrorKind.LOST)
    return INTERRUPTED, Failure(str(reason), ErrorKind.RETURNED)


def lose(
    state: ClusterState,
    task: Task,
    how: str,
    now: int,
    *,
    proplet_lives: bool = False,
    kind: ErrorKind = ErrorKind.LOST,
) -> None:
    """Run a task again whose attempt was lost, up to a limit; then fail it.

    A task that was up is to run without end, and so may outlive any number of proplets. But if its proplet
    lives on, the task may have killed its process: then losses since it last came up count. A loss of a kind
    that the retry policy names is a failed attempt like any other.
    """
    lost = AttemptLost(task.attempt, how)
    if task.was_up and not proplet_lives:
        run_again(state, task, lost, now)
        return
    if task.spec.retry is not None and task.spec.retry.covers(kind):
        if not retries.attempt_failed(state, task, Failure(str(lost), kind), now):
            fail(state, task, Failure(str(lost), kind), now)
        return
    task.losses += 1
    losses_max = state.policy.losses_max
    if task.losses <= losses_max:
        run_again(state, task, AttemptLost(task.attempt, how, task.losses, losses_max), now)
    else:
        error = f"{lost}; not run again after {task.losses} losses"
        fail(state, task, Failure(error, kind), now)
