"""The simulation sees faults of conditions: each that is planted here breaks the law that it ought to break."""

from propeller.core import attempts, conditions, relations
from propeller.core import state as state_module
from propeller.core.commands import tasks as task_commands
from propeller.core.failures import Failure
from propeller.core.model import Task
from propeller.core.reasons import Note
from propeller.core.states import FAILED, PENDING

from .faults import assert_caught, spoil


def test_run_if_is_ignored(monkeypatch):
    monkeypatch.setattr(attempts, "why_not", lambda *_: None)
    monkeypatch.setattr(task_commands, "why_not", lambda *_: None)
    assert_caught("parents-first", "sequential")


def test_all_is_skipped_that_has_run_if(monkeypatch):
    def spoiled(real, task, group):
        return real(task, group) or (Note("run_if") if task.spec.run_if else None)

    spoil(monkeypatch, attempts, "why_not", spoiled)
    assert_caught("skips")


def test_a_handler_hears_of_its_parents_only(monkeypatch):
    monkeypatch.setattr(conditions, "_brings_failure", lambda parent: parent.state is FAILED)
    assert_caught("skips")


def test_a_join_waits_for_all_branches_to_succeed(monkeypatch):
    spoil(
        monkeypatch,
        conditions,
        "_why_not_any_success",
        lambda real, task: real(task) or conditions._why_not_success(task),
    )
    assert_caught("skips")


def test_an_interrupted_parent_is_done(monkeypatch):
    monkeypatch.setattr(conditions, "_why_not_all_done", lambda _: None)
    assert_caught("parents-first")


def test_a_skip_leaks_to_the_siblings(monkeypatch):
    def spoiled(real, state, task, reason, now):
        real(state, task, reason, now)
        for parent in task.parents:
            for sibling in parent.children:
                if sibling.state is PENDING and not sibling.unmet:
                    real(state, sibling, reason, now)

    spoil(monkeypatch, attempts, "skip", spoiled)
    assert_caught("skips", "causes")


def test_a_handler_lets_a_halted_job_go_on(monkeypatch):
    def spoiled(real, task, group):
        is_after_handler = task.before is not None and conditions.is_handler(task.before.spec.run_if)
        return None if is_after_handler else real(task, group)

    spoil(monkeypatch, conditions, "_why_halted", spoiled)
    assert_caught("sequential")


def test_a_handler_does_not_wait_for_its_turn(monkeypatch):
    for module in (relations, state_module):
        monkeypatch.setattr(module, "waits_for_its_turn", lambda _: False)
    assert_caught("sequential", "invariants")


def test_an_expression_that_can_not_be_evaluated_counts_as_true(monkeypatch):
    def spoiled(real, task, expression):
        found = real(task, expression)
        return None if isinstance(found, Failure) else found

    spoil(monkeypatch, conditions, "_why_not_expression", spoiled)
    assert_caught("parents-first")


def test_an_expression_that_can_not_be_evaluated_skips(monkeypatch):
    def spoiled(real, task, expression):
        found = real(task, expression)
        return Note(found.error) if isinstance(found, Failure) else found

    spoil(monkeypatch, conditions, "_why_not_expression", spoiled)
    assert_caught("skips")


def test_an_expression_is_not_asked(monkeypatch):
    monkeypatch.setattr(conditions, "_why_not_expression", lambda *_: None)
    assert_caught("parents-first")


def test_an_expression_is_given_no_results(monkeypatch):
    monkeypatch.setattr(Task, "counting_result", property(lambda _: None))
    assert_caught("skips", "inputs", "parents-first")


def test_a_parent_that_failed_counts_as_interrupted(monkeypatch):
    monkeypatch.setattr(
        conditions, "_state", lambda parent: "completed" if parent.has_succeeded else "interrupted"
    )
    assert_caught("skips")
