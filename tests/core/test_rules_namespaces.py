"""Namespaces: a task, and all that follows from it, stays where it was created."""

import pytest
from msgspec.structs import replace

from propeller.core.calendar import Schedule
from propeller.core.events import CloneGroup, CreateTasks, NewGroup, RerunGroup, StartTask, TimePassed
from propeller.core.model import Definition, GroupKind, Spec, SubWorkflow
from propeller.errors import NotFound
from tests.core.helpers import Rules, a_task, in_workflow
from tests.core.schedules_helpers import HOUR, passes, patient

OURS = {"namespace": "team", "created_by": "ann"}


def owners(rules: Rules) -> dict[str, tuple[str, str]]:
    """Where each task and group belongs, and who created it."""
    tasks = {task.id: (task.spec.namespace, task.spec.created_by) for task in rules.state.tasks.values()}
    groups = rules.state.groups.values()
    return tasks | {group.id: (group.definition.namespace, group.definition.created_by) for group in groups}


def with_workflow(rules: Rules, *specs: Spec, **definition) -> None:
    """Create the workflow ``w`` of these tasks in the namespace ``team``."""
    made = NewGroup(id="w", kind=GroupKind.WORKFLOW, definition=Definition(**OURS, **definition))
    rules.turn(CreateTasks(specs=in_workflow(*specs), group=made))


def test_tasks_of_a_group_belong_where_it_does():
    rules = Rules()
    with_workflow(rules, a_task("a"), a_task("b", "a"))
    assert owners(rules) == dict.fromkeys(["a", "b", "w"], ("team", "ann"))


def test_a_task_that_makes_its_workflow_says_where_both_belong():
    rules = Rules()
    rules.create(a_task("a", workflow_id="w", **OURS))
    assert owners(rules) == dict.fromkeys(["a", "w"], ("team", "ann"))


@pytest.mark.parametrize("kind", GroupKind)
def test_a_group_is_not_there_for_tasks_of_another_namespace(kind):
    rules = Rules()
    made = NewGroup(id="g", kind=kind, definition=Definition(**OURS))
    field = f"{kind}_id"
    rules.turn(CreateTasks(specs=(a_task("a", **{field: "g"}),), group=made))
    for namespace in ("", "other"):
        with pytest.raises(NotFound, match=f"not found: there is no {kind} g"):
            rules.create(a_task("b", namespace=namespace, **{field: "g"}))
    rules.create(a_task("b", namespace="team", created_by="bob", **{field: "g"}))
    assert owners(rules)["b"] == ("team", "bob")


def test_events_say_where_their_task_belongs():
    rules = Rules()
    rules.proplet()
    rules.create(a_task("a", **OURS))
    assert {move.namespace for move in rules.start("a").changes.transitions} == {"team"}


def test_runs_of_a_schedule_belong_where_it_does():
    rules = patient()
    rules.proplet()
    rules.create(a_task("t", schedule="@hourly", is_recurring=True, **OURS))
    with_workflow(rules, a_task("a"), schedule=Schedule(text="@hourly", is_recurring=True))
    turn = passes(rules, HOUR)
    assert turn.changes.groups
    assert set(owners(rules).values()) == {("team", "ann")}
    assert {"a-19700101T010000Z", "w-19700101T010000Z"} <= owners(rules).keys()


def test_the_workflow_of_a_task_belongs_where_the_task_does():
    rules = Rules()
    rules.proplet()
    # Its tasks were copied from a workflow that somebody else created.
    inner = SubWorkflow(
        specs=(a_task("x", created_by="bob"),), definition=Definition(created_by="bob"), copy_of="v"
    )
    rules.create(Spec(id="t", name="t", workflow=inner, **OURS))
    rules.turn(StartTask("t"))
    rules.turn(TimePassed())
    assert owners(rules) == dict.fromkeys(["t", "x.t.1", "t.1"], ("team", "ann"))


@pytest.mark.parametrize(("cloner", "creator"), [("", "ann"), ("bob", "bob")])
def test_a_clone_belongs_where_its_original_does_and_to_who_made_it(cloner, creator):
    rules = Rules()
    with_workflow(rules, a_task("a"))
    created = rules.turn(CloneGroup(GroupKind.WORKFLOW, "w", "new", created_by=cloner)).answer
    (spec,) = (task.spec for task in created)
    assert (spec.namespace, spec.created_by) == ("team", creator)
    assert owners(rules)["new"] == ("team", creator)


def test_a_rerun_changes_nothing_of_that():
    rules = Rules()
    rules.proplet()
    with_workflow(rules, replace(a_task("a"), created_by="bob"))
    rules.start_workflow()
    rules.fails("a")
    rules.turn(RerunGroup(GroupKind.WORKFLOW, "w"))
    assert owners(rules) == {"a": ("team", "bob"), "w": ("team", "ann")}
