"""Groups that run only so many of their tasks at once; the others that are ready wait for a place."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from propeller.core.events import (
    CreateTasks,
    NewGroup,
    PropletLost,
    PropletSeen,
    RunHandedBack,
    RunUp,
    StartGroup,
    StopGroup,
    StopTask,
)
from propeller.core.model import Definition, GroupKind, JobMode
from propeller.core.reasons import WaitsForPlace
from propeller.core.states import RUNNING, SCHEDULED
from propeller.errors import Invalid
from tests.core.helpers import Rules, a_task, workflow


def limited(most: int, *specs, slots: int = 10, **fields) -> Rules:
    """Make a workflow that runs so many tasks at once, and start it."""
    rules = Rules()
    if slots:
        rules.proplet(slots=slots)
    create = workflow(*specs)
    group = replace(create.group, definition=Definition(max_parallel=most), **fields)
    rules.turn(replace(create, group=group))
    rules.start_workflow()
    return rules


def without(rules: Rules) -> list[str]:
    return sorted(task.id for task in rules.state.groups["w"].places.waiting)


def test_so_many_tasks_run_at_once_and_the_next_follows_one_that_ends():
    rules = limited(2, *(a_task(name) for name in "abcd"))
    assert rules.states() == {"a": "RUNNING", "b": "RUNNING", "c": "SCHEDULED", "d": "SCHEDULED"}
    assert str(rules.task("c").reason) == "waits for its workflow, which runs 2 tasks at once"
    assert rules.completes("b").moves == ["b COMPLETED", "c RUNNING"]
    assert rules.fails("a").moves == ["a FAILED", "d RUNNING"]


def test_the_queue_counts_and_priority_comes_before_age():
    rules = limited(1, a_task("a"), a_task("b"), a_task("c", priority=90), slots=0)
    assert (without(rules), rules.state.why_waits(rules.task("b"))) == (
        ["a", "b"],
        WaitsForPlace("workflow", 1),
    )
    assert not isinstance(rules.state.why_waits(rules.task("c")), WaitsForPlace), "it waits for a proplet"
    assert rules.proplet().moves == ["c RUNNING"]
    assert rules.completes("c").moves == ["c COMPLETED", "a RUNNING"]


def test_what_follows_goes_before_what_has_waited_if_it_is_more_urgent():
    rules = limited(1, a_task("a"), a_task("b"), a_task("c", "a", priority=90), slots=1)
    assert rules.completes("a").moves == ["a COMPLETED", "c SCHEDULED", "c RUNNING"]


def test_a_task_that_was_lost_or_handed_back_keeps_its_place():
    rules = limited(1, a_task("a"), a_task("b", priority=90), a_task("c"))
    rules.completes("b")
    assert rules.states() == {"a": "RUNNING", "b": "COMPLETED", "c": "SCHEDULED"}
    back = RunHandedBack(proplet_id="p", task_id="a", attempt=1, reason="it is full")
    assert rules.turn(back).moves == ["a SCHEDULED", "a RUNNING"]
    rules.turn(PropletLost("p", "it is gone"))
    assert (rules.states()["a"], without(rules)) == ("SCHEDULED", ["c"])
    rules.restart()
    assert without(rules) == ["c"]
    assert rules.proplet("q").moves == ["a RUNNING"]


def test_a_daemon_that_is_up_takes_no_place():
    rules = limited(1, a_task("a", daemon=True), a_task("b"), a_task("c"))
    assert rules.turn(RunUp("p", "a", 1)).moves == ["a RUNNING", "b RUNNING"]
    rules.turn(PropletLost("p", "it is gone"))
    assert rules.proplet("q").moves == ["a RUNNING", "b RUNNING"]
    assert without(rules) == ["c"]


def test_a_task_that_is_stopped_while_it_is_held_leaves_no_trace():
    rules = limited(1, *(a_task(name) for name in "abc"))
    assert rules.turn(StopTask("b")).moves == ["b INTERRUPTED"]
    assert rules.turn(StopTask("a")).moves == ["a INTERRUPTED", "c RUNNING"]


def test_a_group_that_is_stopped_starts_nothing_more():
    rules = limited(1, *(a_task(name) for name in "abc"))
    turn = rules.turn(StopGroup(GroupKind.WORKFLOW, "w"))
    assert turn.moves == ["c INTERRUPTED", "b INTERRUPTED", "a INTERRUPTED"]


def test_held_tasks_are_held_after_a_restart():
    rules = limited(2, *(a_task(name) for name in "abcd"))
    rules.restart()
    assert without(rules) == ["c", "d"]


def test_a_sequential_job_takes_no_number():
    group = NewGroup(
        id="j", kind=GroupKind.JOB, mode=JobMode.SEQUENTIAL, definition=Definition(max_parallel=2)
    )
    with pytest.raises(Invalid, match="max_parallel: a sequential job runs one task at a time"):
        Rules().turn(CreateTasks(specs=(a_task("a", job_id="j"),), group=group))


def test_a_workflow_that_asks_for_it_stops_at_its_first_failure():
    rules = limited(2, *(a_task(name) for name in "abcd"), fail_fast=True)
    assert rules.fails("a").moves[0] == "a FAILED"
    assert rules.states() == {"a": "FAILED", **dict.fromkeys("bcd", "INTERRUPTED")}
    assert str(rules.task("b").reason) == "task a of its workflow failed, and the workflow is fail-fast"


# -- against a model -------------------------------------------------------------------------------------------

_TASKS = st.lists(
    st.tuples(
        st.sets(st.integers(1, 3), max_size=2), st.sampled_from((10, 50, 90)), st.sampled_from((0, 0, 0, 1))
    ),
    min_size=1,
    max_size=9,
)
_DEEDS = st.lists(st.tuples(st.sampled_from("cccflhrus"), st.integers(0, 8)), max_size=25)


def _who_has_places(rules: Rules, most: int) -> set[str]:
    """Say who should be in the queue of proplets, or run: the first of those that are ready."""
    tasks = [task for task in rules._tasks.values() if not task.was_up]
    running = [task for task in tasks if task.state is RUNNING]
    ready = [task for task in tasks if task.state is SCHEDULED]
    ready.sort(key=lambda task: (task.placed_at == 0, -task.spec.priority, task.seq))
    return {task.id for task in (*running, *ready[: max(most - len(running), 0)])}


def _do(rules: Rules, deed: str, task_id: str) -> None:
    task = rules.task(task_id)
    match deed:
        case "c" | "f" if task.state is RUNNING:
            (rules.completes if deed == "c" else rules.fails)(task_id)
        case "u" if task.state is RUNNING and task.spec.daemon:
            rules.turn(RunUp(task.proplet_id, task_id, task.attempt))
        case "h" if task.state is RUNNING:
            back = {"task_id": task_id, "attempt": task.attempt, "reason": "full"}
            rules.turn(RunHandedBack(proplet_id=task.proplet_id, **back))
        case "l":
            rules.turn(PropletLost("p", "it is gone"))
            rules.turn(PropletSeen(proplet_id="p", boot=rules.now, slots=2, metadata={"os": "linux"}))
        case "r" if rules.state.groups:
            rules.restart()
            rules.turn(PropletSeen(proplet_id="p", boot=rules.now, slots=2, metadata={"os": "linux"}))
        case "s":
            rules.turn(StopTask(task_id))


@given(tasks=_TASKS, most=st.integers(1, 3), deeds=_DEEDS)
@settings(max_examples=60, deadline=None)
def test_never_more_than_so_many_and_none_is_held_while_there_is_room(tasks, most, deeds):
    specs = [
        a_task(
            f"t{number}",
            *(f"t{number - back}" for back in above if back <= number),
            priority=priority,
            daemon=bool(stays),
            run_if="",
        )
        for number, (above, priority, stays) in enumerate(tasks)
    ]
    rules = limited(most, *specs, slots=2)
    for deed, number in (*deeds, *(("c", n) for n in range(len(specs)) for _ in specs)):
        _do(rules, deed, f"t{number % len(specs)}")
        wanted = _who_has_places(rules, most)
        assert len(wanted) <= most
        queued = {task.id for task in rules.state.placement.waiting() if not task.was_up}
        runs = {task.id for task in rules.state.tasks.values() if task.state is RUNNING and not task.was_up}
        assert queued | runs == wanted
    if not rules.state.groups:
        rules.turn(StartGroup(GroupKind.WORKFLOW, "w"))
        assert len(_who_has_places(rules, most)) <= most
