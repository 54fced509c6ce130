"""Clones: a workflow or job once more, under other ids, of which nothing has run."""

import pytest
from msgspec.structs import replace

from propeller.core.calendar import Schedule
from propeller.core.events import CloneGroup, DeleteTask, RunUp, StartGroup, UpdateTask
from propeller.core.model import Definition, FromParent, GroupKind, JobMode
from propeller.core.states import PENDING
from propeller.errors import Conflict, NotFound
from tests.core.helpers import Rules, a_task, job, workflow


def test_a_clone_is_the_same_work_under_other_ids():
    rules = Rules()
    rules.proplet()
    create = workflow(
        a_task("a", priority=7),
        a_task("b", "a", inputs=(FromParent("a"), "at ${a}")),
        a_task("c", "a", "b", stdin=FromParent("b")),
    )
    definition = Definition(labels={"team": "ops"}, max_parallel=2)
    group = replace(create.group, name="nightly", fail_fast=True, definition=definition)
    rules.turn(replace(create, group=group))
    rules.start_workflow()
    rules.completes("a", "30")
    turn = rules.turn(CloneGroup(GroupKind.WORKFLOW, "w", "w2"))
    a, b, c = turn.answer
    assert [task.state for task in turn.answer] == [PENDING] * 3
    assert len({"a", "b", "c", a.id, b.id, c.id}) == 6
    assert (b.spec.depends_on, c.spec.depends_on) == ((a.id,), (a.id, b.id))
    assert b.spec.inputs == (FromParent(a.id), f"at ${{{a.id}}}")
    assert (c.spec.stdin, a.spec.priority, a.spec.name) == (FromParent(b.id), 7, "a")
    made = rules.state.groups["w2"]
    assert (made.name, made.fail_fast, made.definition) == ("nightly", True, definition)
    assert [task.spec.workflow_id for task in turn.answer] == ["w2"] * 3
    assert rules.turn(StartGroup(GroupKind.WORKFLOW, "w2")).sent == [f"start {a.id} 1 on p"]
    assert rules.states()["a"] == "COMPLETED"


def test_a_clone_of_a_clone_has_ids_of_its_own():
    rules = Rules()
    rules.turn(workflow(a_task("a")))
    made = [rules.turn(CloneGroup(GroupKind.WORKFLOW, *ids)).answer[0].id for ids in (("w", "x"), ("x", "y"))]
    assert len({"a", *made}) == 3


def test_a_condition_finds_the_clone_of_what_it_names_however_often_it_was_cloned():
    rules = Rules()
    rules.proplet()
    rules.turn(workflow(a_task("a"), a_task("b", "a", run_if="states['a'] == 'completed'"), a_task("c", "a")))
    _, _, changed = rules.turn(CloneGroup(GroupKind.WORKFLOW, "w", "x")).answer
    first = changed.spec.depends_on[0]
    rules.turn(UpdateTask(changed.id, {"run_if": f"states['{first}'] == 'completed'"}))
    for before, after in (("x", "y"), ("y", "z")):
        tasks = rules.turn(CloneGroup(GroupKind.WORKFLOW, before, after)).answer
        rules.turn(StartGroup(GroupKind.WORKFLOW, after))
        turn = rules.completes(tasks[0].id)
        assert [move.split()[1] for move in turn.moves] == ["COMPLETED", *["SCHEDULED"] * 2, *["RUNNING"] * 2]


def test_a_clone_of_a_job_keeps_mode_and_order_and_has_another_name():
    rules = Rules()
    rules.proplet()
    rules.turn(job(JobMode.SEQUENTIAL, a_task("a", daemon=True), a_task("b")))
    rules.start_job()
    rules.turn(RunUp("p", "a", 1))
    turn = rules.turn(CloneGroup(GroupKind.JOB, "j", "j2", "again"))
    group = rules.state.groups["j2"]
    assert (group.name, group.mode, group.definition.schedule) == ("again", JobMode.SEQUENTIAL, None)
    assert rules.turn(StartGroup(GroupKind.JOB, "j2")).sent == [f"start {turn.answer[0].id} 1 on p"]


def test_a_clone_has_no_schedule():
    rules = Rules()
    create = job(JobMode.PARALLEL, a_task("a"))
    definition = Definition(schedule=Schedule(text="0 2 * * *"))
    rules.turn(replace(create, group=replace(create.group, definition=definition)))
    rules.turn(CloneGroup(GroupKind.JOB, "j", "j2"))
    assert rules.state.groups["j2"].definition == Definition()


def test_what_can_not_be_cloned():
    rules = Rules()
    rules.turn(workflow(a_task("a"), a_task("b")))
    with pytest.raises(NotFound, match="there is no job w"):
        rules.turn(CloneGroup(GroupKind.JOB, "w", "x"))
    rules.turn(DeleteTask("a"))
    rules.turn(DeleteTask("b"))
    with pytest.raises((Conflict, NotFound)):
        rules.turn(CloneGroup(GroupKind.WORKFLOW, "w", "x"))
