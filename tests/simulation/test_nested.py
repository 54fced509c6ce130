"""The laws of workflows that tasks run hold in worlds with crashes; each planted fault breaks its law."""

from functools import partial

import msgspec
import pytest

from propeller.core import copies, subworkflows
from propeller.core.states import COMPLETED, FAILED

from . import faults
from .faults import spoil
from .nested import simulate_nested
from .store import SimulatedStore

SEEDS = 40
CHUNK = 10


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_no_law_is_broken(first):
    runs = 0
    for seed in range(first, first + CHUNK):
        outcome = simulate_nested(seed)
        if outcome.law:
            pytest.fail(f"{outcome.story}\n\nseed {seed} breaks a law: {outcome.text}", pytrace=False)
        runs += outcome.tasks_run
    assert runs > 10 * CHUNK, "next to nothing ran, so nothing was checked"


def test_the_same_seed_is_the_same_story():
    assert simulate_nested(3).transcript == simulate_nested(3).transcript
    assert simulate_nested(3).transcript != simulate_nested(4).transcript


# -- planted faults ----------------------------------------------------------------------------------------


assert_caught = partial(faults.assert_caught, seeds=SEEDS, play=simulate_nested)


def test_a_workflow_goes_on_without_its_task(monkeypatch):
    monkeypatch.setattr(subworkflows, "_stop", lambda *_: None)
    assert_caught("inner-alone")


def test_a_failure_is_taken_for_success(monkeypatch):
    def kind(real, counts):
        found = real(counts)
        return COMPLETED if found is FAILED else found

    spoil(monkeypatch, subworkflows, "group_state", kind)
    assert_caught("inner-end")


def test_the_end_of_a_workflow_is_not_noticed(monkeypatch):
    monkeypatch.setattr(subworkflows, "follow", lambda *_: None)
    assert_caught("inner-there")


def test_results_of_all_tasks_are_taken(monkeypatch):
    def of_all(group):
        return {copies.id_inside(task): task.results for task in group.tasks.values() if task.results}

    monkeypatch.setattr(subworkflows, "results_of", of_all)
    assert_caught("inner-results")


def test_the_workflow_of_an_attempt_is_run_again(monkeypatch):
    monkeypatch.setattr(copies, "id_of_inner", lambda task_id, _attempt: f"{task_id}.1")
    assert_caught("inner-once", "inner-end", "inner-there", "invariants")


def test_ids_are_not_looked_up(monkeypatch):
    def blind(real, state):
        real(state)
        return [], []

    spoil(monkeypatch, subworkflows, "call", blind)
    assert_caught("store")


def test_a_retry_is_no_new_attempt(monkeypatch):
    def again(real, state, task, proplet, now):
        if task.spec.workflow is not None and task.timing is not None and task.timing.tries:
            task.attempt -= 1
        real(state, task, proplet, now)

    spoil(monkeypatch, subworkflows.attempts, "begin", again)
    assert_caught("inner-once", "inner-end", "inner-there", "invariants", "store")


def test_a_task_is_not_told_that_its_workflow_was_deleted(monkeypatch):
    def deaf(real, state, group, now):
        if state.groups.get(group.id) is group:
            real(state, group, now)

    spoil(monkeypatch, subworkflows, "follow", deaf)
    assert_caught("inner-there", "invariants")


def test_the_store_forgets_whose_a_workflow_is():
    class Forgetful(SimulatedStore):
        def commit(self, changes):
            for group in changes.groups:
                group.definition = msgspec.structs.replace(group.definition, run_for="")
            super().commit(changes)

    assert_caught("inner-there", "inner-once", "invariants", "replay", store_class=Forgetful)
