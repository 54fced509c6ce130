"""Tasks and workflows: start, run, end, and what an end means to those that depend on it."""

import pytest

from propeller.core.events import (
    CreateTasks,
    DeleteGroup,
    DeleteTask,
    RunUp,
    StartGroup,
    StartTask,
    StopGroup,
    StopTask,
    UpdateTask,
)
from propeller.core.failures import ErrorKind, Failure
from propeller.core.model import GroupKind
from propeller.core.reasons import Stopped
from propeller.core.states import COMPLETED, FAILED, SKIPPED
from propeller.errors import Conflict, Invalid, NotFound
from tests.core.helpers import Rules, a_task, in_workflow, workflow


def a_workflow(*specs) -> Rules:
    rules = Rules()
    rules.proplet()
    rules.workflow(*specs)
    return rules


# -- one task ------------------------------------------------------------------------------------------------


def test_a_task_from_its_creation_to_its_end():
    rules = Rules()
    rules.proplet()
    created = rules.create(a_task("a"))
    assert [task.id for task in created.answer] == ["a"]
    assert created.moves == []
    assert rules.start("a").moves == ["a SCHEDULED", "a RUNNING"]
    turn = rules.completes("a", "30\n")
    assert turn.moves == ["a COMPLETED"]
    assert turn.sent == ["ack a 1 on p"]
    assert rules.task("a").results == "30\n"
    assert [move.results for move in turn.changes.transitions] == ["30\n"]


def test_the_answer_to_a_command_is_a_copy():
    rules = Rules()
    answer = rules.create(a_task("a")).answer[0]
    assert answer is not rules.task("a")


def test_a_new_start_is_a_new_attempt_and_forgets_the_last_one():
    rules = Rules()
    rules.proplet()
    rules.create(a_task("a"))
    rules.start("a")
    rules.fails("a", "it trapped")
    task = rules.task("a")
    assert (task.error, task.finished_at) == ("it trapped", rules.now)
    assert rules.start("a").sent == ["start a 2 on p"]
    assert (task.error, task.reason, task.results, task.finished_at, task.losses) == ("", None, None, 0, 0)
    assert task.started_at == rules.now


@pytest.mark.parametrize("state", ["scheduled", "running"])
def test_what_runs_can_be_neither_started_nor_changed(state):
    rules = Rules()
    if state == "running":
        rules.proplet()
    rules.create(a_task("a"))
    rules.start("a")
    with pytest.raises(Conflict, match=f"task a is {state} already"):
        rules.start("a")
    with pytest.raises(Conflict, match=f"task a is {state}; stop it before you change it"):
        rules.turn(UpdateTask("a", {"priority": 1}))


def test_a_pending_a_scheduled_and_a_running_task_can_be_stopped():
    rules = Rules()
    rules.create(a_task("pending"), a_task("scheduled"), a_task("running", pin="p"))
    rules.proplet(slots=1)
    rules.start("running")
    rules.start("scheduled")
    for task_id, sent in (("pending", []), ("scheduled", []), ("running", ["stop running 1 on p"])):
        turn = rules.turn(StopTask(task_id))
        assert turn.moves == [f"{task_id} INTERRUPTED"]
        assert turn.sent == sent
        assert rules.task(task_id).reason == Stopped()
        again = rules.turn(StopTask(task_id))
        assert (again.moves, again.sent) == ([], [])


@pytest.mark.parametrize("state", [COMPLETED, FAILED, SKIPPED])
def test_a_stop_changes_nothing_of_what_has_ended(state):
    rules = Rules()
    rules.proplet()
    rules.workflow(a_task("a"), a_task("skipped", "a", run_if="failure"))
    rules.start("a")
    if state is FAILED:
        rules.fails("a")
    else:
        rules.completes("a")
    task = rules.task("skipped" if state is SKIPPED else "a")
    before = (task.state, task.results, task.failure, task.reason, task.finished_at)
    assert before[0] is state
    turn = rules.turn(StopTask(task.id))
    assert (turn.moves, turn.sent) == ([], [])
    assert (task.state, task.results, task.failure, task.reason, task.finished_at) == before


def test_a_stop_makes_room_for_the_next():
    rules = Rules()
    rules.proplet(slots=1)
    rules.create(a_task("a"), a_task("b"))
    rules.start("a")
    rules.start("b")
    assert rules.turn(StopTask("a")).sent == ["stop a 1 on p", "start b 1 on p"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"module": None}, "task a has no module; upload one with PUT /tasks/a/upload"),
        ({"encrypted": True}, "encrypted: no proplet here can run encrypted workloads; set it to false"),
    ],
)
def test_a_task_that_can_not_be_run_can_not_be_started(fields, message):
    rules = Rules()
    rules.create(a_task("a", **fields))
    with pytest.raises(Conflict, match=message):
        rules.start("a")


def test_a_task_that_can_not_be_run_fails_where_it_becomes_ready():
    rules = a_workflow(a_task("a"), a_task("b", "a"))
    rules.start("a")
    rules.turn(UpdateTask("b", {"module": None}))
    assert rules.completes("a").moves == ["a COMPLETED", "b SCHEDULED", "b FAILED"]
    error = "task b has no module; upload one with PUT /tasks/b/upload"
    assert rules.task("b").failure == Failure(error, ErrorKind.MODULE)


def test_unknown_names():
    rules = Rules()
    for command in (
        StartTask("a"),
        StopTask("a"),
        DeleteTask("a"),
        UpdateTask("a", {}),
        StartGroup(GroupKind.WORKFLOW, "w"),
        StopGroup(GroupKind.JOB, "j"),
    ):
        with pytest.raises(NotFound, match="not found"):
            rules.turn(command)


def test_a_workflow_is_no_job():
    rules = a_workflow(a_task("a"))
    with pytest.raises(NotFound):
        rules.turn(StartGroup(GroupKind.JOB, "w"))


# -- creation ------------------------------------------------------------------------------------------------


def test_all_tasks_of_a_request_are_created_or_none():
    rules = Rules()
    with pytest.raises(Invalid, match="id: two tasks of the request have the same id"):
        rules.workflow(a_task("a"), a_task("a"))
    with pytest.raises(Invalid, match="circular dependency"):
        rules.workflow(a_task("a", "b"), a_task("b", "a"))
    assert not rules.state.tasks
    assert not rules.state.groups
    assert rules.state.last_task_seq == rules.state.last_group_seq == 0


def test_a_chosen_id_is_taken_once():
    rules = a_workflow(a_task("a"))
    for taken in ("a", "w"):
        with pytest.raises(Conflict, match=f"id: {taken} exists already; choose another or leave it out"):
            rules.turn(CreateTasks(specs=(a_task(taken),), chosen_ids=(taken,)))


def test_a_dependency_needs_a_workflow():
    with pytest.raises(Invalid, match="workflow_id is required when depends_on is specified"):
        Rules().create(a_task("a", "b"))


def test_a_task_can_be_added_to_a_workflow_that_runs():
    rules = a_workflow(a_task("a"))
    rules.start("a")
    rules.turn(CreateTasks(specs=in_workflow(a_task("b", "a"))))
    assert rules.completes("a").moves == ["a COMPLETED", "b SCHEDULED", "b RUNNING"]


# -- readiness -----------------------------------------------------------------------------------------------


def test_a_workflow_starts_at_its_roots():
    rules = a_workflow(a_task("a"), a_task("b"), a_task("c", "a", "b"))
    assert rules.start_workflow().sent == ["start a 1 on p", "start b 1 on p"]
    with pytest.raises(Conflict, match="workflow w is running already"):
        rules.start_workflow()


def test_a_child_waits_for_all_of_its_parents_and_gets_their_results():
    rules = a_workflow(a_task("a"), a_task("b"), a_task("c", "a", "b"))
    rules.start_workflow()
    assert rules.completes("a", "1").moves == ["a COMPLETED"]
    turn = rules.completes("b", "2")
    assert turn.moves == ["b COMPLETED", "c SCHEDULED", "c RUNNING"]
    assert turn.effects[-1].parent_results == {"a": "1", "b": "2"}


def test_two_parents_that_end_together_start_their_child_once():
    rules = a_workflow(a_task("a"), a_task("b"), a_task("c", "a", "b"))
    rules.start_workflow()
    turn = rules.turn(rules.end_of("a"), rules.end_of("b"))
    assert turn.moves == ["a COMPLETED", "b COMPLETED", "c SCHEDULED", "c RUNNING"]


def test_a_task_with_unmet_dependencies_can_not_be_started():
    rules = a_workflow(
        *(a_task(f"p{number}") for number in range(7)), a_task("c", *(f"p{number}" for number in range(7)))
    )
    with pytest.raises(Conflict) as refusal:
        rules.start("c")
    assert str(refusal.value) == "task c has unmet dependencies: p0, p1, p2, p3, p4 and 2 more"


def test_a_parent_that_is_up_is_no_unmet_dependency():
    rules = a_workflow(a_task("a", daemon=True), a_task("b"), a_task("c", "a", "b"))
    rules.start_workflow()
    rules.turn(RunUp("p", "a", 1))
    with pytest.raises(Conflict, match=r"task c has unmet dependencies: b$"):
        rules.start("c")


def test_a_child_of_a_failure_is_skipped_and_so_are_its_own():
    rules = a_workflow(a_task("a"), a_task("b", "a"), a_task("c", "b"))
    rules.start_workflow()
    assert rules.fails("a").moves == ["a FAILED", "b SKIPPED", "c SKIPPED"]
    assert str(rules.task("b").reason) == "its parent a failed"
    assert str(rules.task("c").reason) == "its parent b was skipped"


def test_run_if_failure_runs_after_a_failure_only():
    rules = a_workflow(
        a_task("a"), a_task("clean up", "a", run_if="failure"), a_task("go on", "a", run_if="success")
    )
    rules.start_workflow()
    assert rules.fails("a").moves[:3] == ["a FAILED", "clean up SCHEDULED", "go on SKIPPED"]
    rules.completes("clean up")
    rules.start_workflow()
    assert rules.completes("a").moves[:3] == ["a COMPLETED", "clean up SKIPPED", "go on SCHEDULED"]
    assert str(rules.task("clean up").reason) == "run_if is failure, and none of its parents failed"


def test_run_if_failure_waits_for_all_parents():
    rules = a_workflow(a_task("a"), a_task("b"), a_task("c", "a", "b", run_if="failure"))
    rules.start_workflow()
    assert rules.fails("a").moves == ["a FAILED"]
    assert rules.completes("b").moves == ["b COMPLETED", "c SCHEDULED", "c RUNNING"]


def test_an_interruption_is_no_failure():
    rules = a_workflow(a_task("a"), a_task("b", "a", run_if="failure"))
    rules.start_workflow()
    assert rules.turn(StopTask("a")).moves == ["a INTERRUPTED", "b SKIPPED"]


def test_a_skip_runs_down_a_chain_of_twenty_thousand():
    size = 20_000
    rules = Rules()
    rules.proplet()
    rules.workflow(a_task("t0"), *(a_task(f"t{number}", f"t{number - 1}") for number in range(1, size)))
    rules.start_workflow()
    assert len(rules.fails("t0").moves) == size
    assert not rules.state.tasks


def test_an_end_costs_the_work_of_the_tasks_own_children():
    """Not by the clock: in a workflow of 5,000 roots, one end moves and touches two tasks."""
    size = 5_000
    rules = Rules()
    rules.proplet(slots=1)
    rules.workflow(
        *(a_task(f"root{number}") for number in range(size)),
        a_task("child", "root0"),
        a_task("wide", *(f"root{number}" for number in range(size))),
    )
    rules.start("root0")
    turn = rules.completes("root0")
    assert turn.moves == ["root0 COMPLETED", "child SCHEDULED", "child RUNNING"]
    assert len(turn.changes.updated) == 2
    assert len(turn.changes.groups) == 1


# -- once more -----------------------------------------------------------------------------------------------


def test_a_task_is_started_again_without_those_that_depend_on_it():
    rules = a_workflow(a_task("a"), a_task("b", "a"))
    rules.start_workflow()
    rules.fails("a")
    assert rules.start("a").moves == ["a SCHEDULED", "a RUNNING"]
    assert rules.completes("a").moves == ["a COMPLETED"]
    assert rules.start("b").moves == ["b SCHEDULED", "b RUNNING"]


def test_a_task_is_not_started_again_under_a_child_that_runs():
    rules = a_workflow(a_task("a"), a_task("b", "a"))
    rules.start_workflow()
    rules.completes("a")
    with pytest.raises(Conflict, match="task a can't be started again while b, which depends on it, runs"):
        rules.start("a")


def test_a_skipped_task_is_started_only_when_nothing_stands_against_it():
    rules = a_workflow(a_task("a"), a_task("b", "a"))
    rules.start_workflow()
    rules.fails("a")
    with pytest.raises(
        Conflict, match="task b can't be started: its parent a failed; start that one again first"
    ):
        rules.start("b")


def test_a_workflow_that_has_ended_runs_once_more_as_a_whole():
    rules = a_workflow(a_task("a"), a_task("b", "a"))
    rules.start_workflow()
    rules.completes("a")
    rules.completes("b", "2")
    turn = rules.start_workflow()
    assert turn.moves == ["a PENDING", "b PENDING", "a SCHEDULED", "a RUNNING"]
    assert turn.sent == ["start a 2 on p"]
    assert rules.task("b").results is None


def test_a_stopped_workflow_starts_nothing_more():
    rules = a_workflow(a_task("a"), a_task("b", "a"), a_task("c", "b"))
    rules.start_workflow()
    turn = rules.turn(StopGroup(GroupKind.WORKFLOW, "w"))
    assert turn.moves == ["c INTERRUPTED", "b INTERRUPTED", "a INTERRUPTED"]
    assert turn.sent == ["stop a 1 on p"]
    assert str(rules.task("c").reason) == "its workflow was stopped by a user"


# -- deletion ------------------------------------------------------------------------------------------------


def test_a_task_that_others_depend_on_is_not_deleted():
    rules = a_workflow(a_task("a"), a_task("b", "a"))
    with pytest.raises(Conflict, match="task b depends on task a; delete that one first"):
        rules.turn(DeleteTask("a"))
    rules.turn(DeleteTask("b"))
    rules.turn(DeleteTask("a"))
    assert not rules.state.tasks


def test_a_running_task_that_is_deleted_is_stopped():
    rules = Rules()
    rules.proplet()
    rules.create(a_task("a"))
    rules.start("a")
    turn = rules.turn(DeleteTask("a"))
    assert turn.sent == ["stop a 1 on p"]
    assert [task.id for task in turn.changes.deleted] == ["a"]


def test_what_is_created_and_deleted_at_once_leaves_no_trace():
    rules = Rules()
    turn = rules.turn(workflow(a_task("a")), DeleteGroup(GroupKind.WORKFLOW, "w"))
    assert not turn.changes.created
    assert not turn.changes.deleted
    assert not turn.changes.groups
