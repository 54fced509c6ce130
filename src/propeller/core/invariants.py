"""Invariants that hold between two turns, each checked the slow way.

The rules keep counts, queues and relations up to date in small steps. ``check`` computes them from the
records and compares. It looks at everything, ``check_touched`` at what one turn changed: both are meant for
tests and the simulation.
"""

from collections import Counter

from propeller.core import places
from propeller.core.copies import id_of_inner
from propeller.core.effects import Changes
from propeller.core.groups import UP
from propeller.core.model import Group, JobMode, Proplet, Task, Timing
from propeller.core.placement import has_room, needs_of, needs_of_pinned, refused_by, takes_work
from propeller.core.relations import count_unmet, predecessors
from propeller.core.state import ClusterState, alarm_key
from propeller.core.states import COMPLETED, FAILED, INTERRUPTED, PENDING, RUNNING, SCHEDULED, SKIPPED
from propeller.core.timers import TimerOf
from propeller.core.trust import Trust


def check(state: ClusterState) -> None:
    """Check all invariants; raise ``AssertionError`` with a sentence about one that does not hold.

    Call it between turns: after ``let_go``, before the next event.
    """
    _check_turn_is_over(state)
    for group in state.groups.values():
        _check_group(state, group)
    for task in state.tasks.values():
        _check_task(state, task)
    _check_live(state)
    _check_queue(state)
    _check_placed(state)
    _check_room(state)
    for task in state.tasks.values():
        _check_schedule(state, task)
    for group in state.groups.values():
        _check_schedule(state, group)


def check_touched(state: ClusterState, changes: Changes | None) -> None:
    """Check the invariants of what a turn has changed, and of the groups that this belongs to.

    It costs as much as the turn did. What a turn spoils elsewhere only ``check`` finds.
    """
    _check_turn_is_over(state)
    if changes is None:
        return
    changed = [*changes.created, *changes.updated, *[task for task, _ in changes.executions]]
    of_groups = [(task.spec.group_id, task) for task in changed]
    made_anew = {task.spec.group_id for task in (*changes.created, *changes.respecified, *changes.deleted)}
    names = {group_id for group_id, _ in of_groups}.union(made_anew, [group.id for group in changes.groups])
    for group in [state.groups[name] for name in sorted(names) if name in state.groups]:
        _check_group(state, group, is_as_before=group.id not in made_anew)
        for task in group.tasks.values():
            _check_task(state, task)
        _check_schedule(state, group)
    for group_id, task in of_groups:
        if not group_id and state.tasks.get(task.spec.id) is task:
            _check_task(state, task)
            _check_schedule(state, task)
    _check_room(state)


def _check_turn_is_over(state: ClusterState) -> None:
    assert not state.consequences.settled, "children of an ended task wait to be told"
    assert not state.consequences.settled_early, "children of a task that ended early wait to be told"
    assert not state.consequences.failed, "the other tasks of a failed job wait to be stopped"
    assert not state.consequences.left, "a task has ended, and its workflow waits to be stopped"
    assert not state.consequences.inner, "a workflow has moved, and the task that runs it does not know"
    assert not state.called, "a task was called to run its workflow, and nothing has come of it"
    assert not state.ringing, "a schedule is due, and nothing has come of it"
    assert not state.consequences.back, "resident broadcast tasks wait to be started on a proplet"
    assert not state.turn.effects, "an effect was left over from the turn before"
    assert not state.turn.transitions, "a transition was left over from the turn before"


def _check_live(state: ClusterState) -> None:
    found = Counter(task.state for task in state.tasks.values())
    live = [found[PENDING], found[SCHEDULED], found[RUNNING]]
    counted = state.tally[:COMPLETED]
    assert counted == live, f"{counted} tasks are counted that have not ended, and there are {live}"


def _check_group(state: ClusterState, group: Group, *, is_as_before: bool = False) -> None:
    """Check a group; one that has the same tasks as before has them related as before."""
    counts, known = [0] * (UP + 1), state.tasks
    for task in group.tasks.values():
        counts[task.state] += 1
        counts[UP] += task.was_up and not task.state.has_ended
        assert known.get(task.spec.id) is task, f"task {task.id} of group {group.id} is not in memory"
        assert task.spec.namespace == group.definition.namespace, (
            f"task {task.id} of group {group.id} belongs to another namespace"
        )
    assert group.counts == counts, f"group {group.id} counts {group.counts}, and its tasks are {counts}"
    _check_times(group)
    is_timed = group.timing is not None and group.timing.deadline_at > 0
    assert not is_timed or group.definition.timeout_ns, (
        f"a clock runs for group {group.id}, which asks for none"
    )
    assert group.has_live_tasks or is_awaited(group), (
        f"group {group.id} is in memory, and all of its tasks have ended"
    )
    if group.mode is JobMode.SEQUENTIAL:
        running = counts[SCHEDULED] + counts[RUNNING] - counts[UP]
        assert running <= 1, f"sequential job {group.id} runs {running} tasks at once"
    if not is_as_before:
        _check_relations(group)
    _check_unmet(group)
    _check_places(group)


def _check_times(group: Group) -> None:
    starts = [task.started_at for task in group.tasks.values() if task.started_at]
    ends = [task.finished_at for task in group.tasks.values() if task.finished_at]
    kept = group.started_at, group.finished_at
    truth = min(starts) if starts else 0, max(ends) if ends else 0
    assert kept == truth, f"group {group.id} has the times {kept}, and its tasks have {truth}"
    counts = starts.count(truth[0]), ends.count(truth[1])
    assert (group.first_count, group.last_count) == counts, f"group {group.id} counts its times wrongly"


def _check_relations(group: Group) -> None:
    children: dict[str, list[str]] = {task_id: [] for task_id in group.tasks}
    before: Task | None = None
    is_sequential = group.mode is JobMode.SEQUENTIAL
    for task in group.tasks.values():
        parents = tuple([parent.spec.id for parent in task.parents])
        assert parents == task.spec.depends_on, f"task {task.id} has parents {parents}"
        assert task.before is (before if is_sequential else None), (
            f"task {task.id} has the wrong task before it"
        )
        for other in predecessors(task):
            other_id = other.spec.id
            assert group.tasks.get(other_id) is other, (
                f"task {task.id} waits for {other_id}, of no such group"
            )
            children[other_id].append(task.spec.id)
        before = task
    for task in group.tasks.values():
        found = sorted([child.spec.id for child in task.children])
        assert found == sorted(children[task.spec.id]), f"task {task.id} has children {found}"


def _check_unmet(group: Group) -> None:
    for task in group.tasks.values():
        if task.unmet or task.parents or task.before is not None:
            unmet = count_unmet(task)
            assert task.unmet == unmet, (
                f"task {task.id} counts {task.unmet} unmet, and {unmet} have not ended"
            )


def _check_task(state: ClusterState, task: Task) -> None:
    spec, has_ended, is_running = task.spec, task.state.has_ended, task.state is RUNNING
    if group_id := spec.workflow_id or spec.job_id:
        group = state.groups.get(group_id)
        assert group is not None, f"task {task.id} is in memory without its group {group_id}"
        assert group.tasks.get(spec.id) is task, f"group {group_id} does not know task {task.id}"
    else:
        assert not has_ended or is_awaited(task), f"task {task.id} is in memory, and has ended"
    if has_ended:
        is_timed = task.finished_at > 0
        assert is_timed or task.state is SKIPPED, f"task {task.id} has ended at no time"
        assert task.state is FAILED or not task.error, f"task {task.id} has an error and has not failed"
        assert task.state is not FAILED or task.error, f"task {task.id} failed without an error"
        assert task.state not in (SKIPPED, INTERRUPTED) or task.reason, (
            f"task {task.id} ended without a reason"
        )
    else:
        assert not task.finished_at, f"task {task.id} has not ended, and has an end"
        assert task.results is None or task.was_up, f"task {task.id} has not ended, and has results"
        assert not task.failure or not task.error, f"task {task.id} has not ended, and has an error"
    assert not task.is_up or (task.was_up and is_running), f"task {task.id} can't be up"
    if task.timing is not None:
        _check_timing(task, task.timing)
    if spec.workflow is not None:
        _check_workflow(state, task)
    if is_running:
        assert task.attempt > 0, f"task {task.id} runs without an attempt"
        for proplet_id in state.holders(task):
            assert proplet_id in state.proplets, f"task {task.id} runs on a proplet that is not known"
    if spec.broadcast:
        live = len(state.holders(task))
        assert task.live_executions == live, (
            f"task {task.id} counts {task.live_executions} executions, {live} run"
        )
        assert not is_running or live, f"task {task.id} runs, and none of its executions does"
    is_everywhere = is_running and spec.broadcast and spec.is_resident
    assert (state.everywhere.get(spec.id) is task) == is_everywhere, (
        f"task {task.id} is{'' if is_everywhere else ' not'} to run everywhere, and is kept otherwise"
    )
    if is_everywhere:
        for proplet in state.proplets.values():
            may_go = takes_work(proplet) and not refused_by(proplet, needs_of(spec, state.policy.trust))
            assert not may_go or proplet.id in task.executions, f"task {task.id} did not reach {proplet.id}"


def _check_workflow(state: ClusterState, task: Task) -> None:
    """Check that the workflow which a running task runs is there, and goes on."""
    assert not task.proplet_id, f"task {task.id} runs a workflow, and has a proplet"
    group = state.groups.get(id_of_inner(task.id, task.attempt))
    if task.state is not RUNNING:
        return
    assert group is not None, f"task {task.id} runs, and its workflow is not there"
    assert group.definition.run_for == task.id, f"the workflow of task {task.id} is another's"
    goes_on = sum(group.counts[:COMPLETED]) > group.counts[UP]
    assert goes_on, f"task {task.id} runs, and its workflow has ended"


def _check_queue(state: ClusterState) -> None:
    waiting = [task.id for task in state.placement.waiting()]
    placeless = [task.id for group in state.groups.values() if group.places for task in group.places.waiting]
    scheduled = sorted(
        task.id for task in state.tasks.values() if task.state is SCHEDULED and not _waits_for_retry(task)
    )
    assert sorted(waiting + placeless) == scheduled, (
        f"{waiting} are queued, {placeless} have no place, and {scheduled} are scheduled"
    )


def _check_places(group: Group) -> None:
    fresh = places.derive(group)
    if group.places is None or fresh is None:
        assert group.places is fresh, f"group {group.id} has the wrong number of places"
        return
    assert group.places.running == fresh.running, f"group {group.id} has others in its places than run"
    scheduled = [task for task in group.tasks.values() if task.state is SCHEDULED and not task.was_up]
    ready = [task for task in scheduled if not _waits_for_retry(task)]
    ready.sort(key=places.rank_of)
    free = max(fresh.most - len(fresh.running), 0)
    queued, placeless = [{task.id for task in some} for some in (group.places.queued, group.places.waiting)]
    assert queued == {task.id for task in ready[:free]}, f"group {group.id} has queued {queued}"
    assert placeless == {task.id for task in ready[free:]}, f"in group {group.id}, {placeless} have no place"


def _waits_for_retry(task: Task) -> bool:
    return task.timing is not None and task.timing.retry_at > 0


def _check_timing(task: Task, timing: Timing) -> None:
    if timing == Timing(schedule=timing.schedule):
        return
    assert not task.state.has_ended, f"task {task.id} has ended, and a clock runs for it"
    assert task.state is SCHEDULED or not timing.retry_at, f"task {task.id} is tried again, and runs"
    assert task.state is SCHEDULED or not timing.queue_until, f"task {task.id} is queued, and runs"
    retry = task.spec.retry
    tries, most = timing.tries, retry.max_attempts if retry else 1
    assert tries < most, f"task {task.id} has failed {tries} times of {most}, and is tried again"


def _check_placed(state: ClusterState) -> None:
    running: dict[str, list[str]] = {proplet_id: [] for proplet_id in state.proplets}
    for task in state.tasks.values():
        if task.state is RUNNING:
            for proplet_id in state.holders(task):
                running[proplet_id].append(task.id)
    for proplet in state.proplets.values():
        placed, truth = sorted(proplet.placed), sorted(running[proplet.id])
        assert placed == truth, f"proplet {proplet.id} holds {placed}, and {truth} run there"


def _check_room(state: ClusterState) -> None:
    waiting = [task for task in state.placement.waiting() if task.spec.workflow is None]
    for proplet in state.proplets.values() if waiting else ():
        if has_room(proplet):
            for task in waiting:
                assert not _may_go_to(task, proplet, state.policy.trust), (
                    f"proplet {proplet.id} has room, and {task.id} waits"
                )


def is_awaited(record: Task | Group) -> bool:
    """Say whether a record stays in memory although it has ended."""
    return record.course is not None and record.course.is_live


def _check_schedule(state: ClusterState, record: Task | Group) -> None:
    course = record.course
    assert (record.schedule is None) == (course is None), f"{record.id} has half a schedule"
    if course is None:
        return
    due = state.alarms.due(TimerOf.SCHEDULE, alarm_key(record))
    assert (due is None) <= (not course.next_run), f"{record.id} has a next run, and no alarm"
    assert due is None or due <= (course.due_at or due), f"the alarm of {record.id} comes late"
    assert not (course.is_paused and course.is_live), f"{record.id} is paused, and has a next run"
    assert course.next_run <= course.due_at, f"{record.id} is due before its time"
    if isinstance(record, Group):
        begun = [task.id for task in record.tasks.values() if task.state is not PENDING]
        assert not begun, f"{begun} of group {record.id} have begun, and only its copies run"


def _may_go_to(task: Task, proplet: Proplet, trust: Trust) -> bool:
    if task.spec.pin:
        return task.spec.pin == proplet.id and not refused_by(proplet, needs_of_pinned(task.spec, trust))
    return not refused_by(proplet, needs_of(task.spec, trust))
