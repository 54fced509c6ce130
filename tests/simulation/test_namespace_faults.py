"""The simulation sees what leaves its namespace: each fault that is planted here breaks the law."""

from msgspec.structs import replace

from propeller.core import admission, copies, state, subworkflows
from propeller.core.effects import Transition

from .faults import assert_caught, spoil
from .nested import simulate_nested
from .planned import simulate_schedules


def test_a_task_that_is_added_is_left_where_nothing_is_said(monkeypatch):
    def spoiled(_real, spec, _group):
        return replace(spec, namespace="")

    spoil(monkeypatch, admission, "_belonging", spoiled)
    assert_caught("namespace", "invariants")


def test_the_workflow_of_a_task_belongs_elsewhere(monkeypatch):
    def spoiled(real, task, workflow, now):
        group, specs = real(task, workflow, now)
        group.definition = replace(group.definition, namespace="")
        return group, specs

    spoil(monkeypatch, subworkflows, "_inner_of", spoiled)
    assert_caught("namespace", play=simulate_nested)


def test_a_run_of_a_schedule_belongs_elsewhere(monkeypatch):
    def spoiled(real, spec, new_id):
        return replace(real(spec, new_id), namespace="")

    spoil(monkeypatch, copies, "run_of_task", spoiled)
    assert_caught("namespace", play=simulate_schedules)


def test_an_event_says_another_namespace(monkeypatch):
    monkeypatch.setattr(state, "Transition", lambda **fields: Transition(**{**fields, "namespace": ""}))
    assert_caught("namespace")
