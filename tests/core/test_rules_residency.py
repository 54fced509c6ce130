"""What is in memory: what lives, and what a command names; nothing else."""

import pytest

from propeller.core.events import (
    CreateTasks,
    DeleteGroup,
    DeleteTask,
    StartGroup,
    StartTask,
    StopTask,
    UpdateTask,
)
from propeller.core.model import GroupKind
from propeller.errors import NotFound
from tests.core.helpers import Rules, a_task, workflow


def test_an_ended_task_is_let_go():
    rules = Rules()
    rules.proplet()
    rules.turn(CreateTasks(specs=(a_task("a"),)), StartTask("a"))
    assert "a" in rules.state.tasks
    rules.completes("a")
    assert not rules.state.tasks


def test_a_workflow_is_let_go_as_a_whole():
    rules = Rules()
    rules.proplet()
    rules.workflow(a_task("a"), a_task("b", "a"))
    rules.start_workflow()
    rules.completes("a")
    assert set(rules.state.tasks) == {"a", "b"}
    rules.completes("b")
    assert not rules.state.tasks
    assert not rules.state.groups


def test_a_task_that_is_created_and_stopped_at_once_is_let_go():
    rules = Rules()
    turn = rules.turn(CreateTasks(specs=(a_task("a"),)), StartTask("a"), StopTask("a"))
    assert turn.moves == ["a SCHEDULED", "a INTERRUPTED"]
    assert not rules.state.tasks


def test_a_task_that_replaces_an_ended_one_stays():
    rules = Rules()
    rules.proplet()
    rules.turn(CreateTasks(specs=(a_task("a"),)), StartTask("a"))
    rules.completes("a")
    rules.turn(DeleteTask("a"), CreateTasks(specs=(a_task("a", name="new"),), chosen_ids=("a",)))
    assert rules.state.tasks["a"].spec.name == "new"


def test_a_task_that_takes_a_used_id_goes_on_with_its_attempts():
    """Or a proplet takes its first attempt for the old one's, and does not run it."""
    rules = Rules()
    rules.proplet()
    rules.turn(CreateTasks(specs=(a_task("a"),)), StartTask("a"))
    turn = rules.turn(DeleteTask("a"), CreateTasks(specs=(a_task("a"),), chosen_ids=("a",)), StartTask("a"))
    assert turn.sent == ["stop a 1 on p", "start a 2 on p"]


def test_an_ended_workflow_is_adopted_for_a_command_and_let_go_again():
    rules = Rules()
    rules.turn(workflow(a_task("a"), a_task("b", "a")))
    rules.turn(StopTask("a"))
    assert rules.states() == {"a": "INTERRUPTED", "b": "SKIPPED"}
    assert not rules.state.groups
    rules.turn(UpdateTask("b", {"priority": 7}))
    assert not rules.state.groups
    assert rules.task("b").spec.priority == 7
    assert rules.start_workflow().moves == ["a PENDING", "b PENDING", "a SCHEDULED"]
    assert set(rules.state.groups) == {"w"}


def test_a_deleted_workflow_is_gone():
    rules = Rules()
    rules.workflow(a_task("a"), a_task("b", "a"))
    rules.turn(DeleteGroup(GroupKind.WORKFLOW, "w"))
    with pytest.raises(NotFound):
        rules.turn(StartGroup(GroupKind.WORKFLOW, "w"))
    assert not rules.state.tasks


def test_what_is_here_wins_over_what_the_store_says():
    rules = Rules()
    rules.create(a_task("a"))
    mine, fresh = rules.state.tasks["a"], Rules()
    fresh.create(a_task("a", name="theirs"))
    rules.state.adopt([], fresh.state.tasks.values(), {})
    assert rules.state.tasks["a"] is mine
