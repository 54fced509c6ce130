"""The simulation sees faults of workflows and jobs as a whole: each that is planted here breaks its law."""

from propeller.core import failfast, places, reruns
from propeller.core.cluster import Cluster
from propeller.core.commands import groups

from .faults import assert_caught, spoil


def test_a_rerun_runs_all_of_it(monkeypatch):
    monkeypatch.setattr(reruns, "all_but_good", lambda group: list(group.tasks.values()))
    assert_caught("rerun")


def test_a_rerun_forgets_what_hangs_on_a_task(monkeypatch):
    spoil(monkeypatch, reruns, "from_task", lambda _real, _group, task: [task])
    assert_caught("rerun")


def test_a_rerun_leaves_out_what_was_skipped(monkeypatch):
    def spoiled(real, group):
        return [task for task in real(group) if task.started_at]

    spoil(monkeypatch, reruns, "all_but_good", spoiled)
    assert_caught("rerun")


def test_a_rerun_throws_good_results_away(monkeypatch):
    def spoiled(real, state, tasks, now):
        real(state, tasks, now)
        for task in state.groups[tasks[0].spec.group_id].tasks.values():
            if task.state.has_ended:
                task.results = None
                state.turn.touched[task.id] = task

    spoil(monkeypatch, groups, "_reset", spoiled)
    assert_caught("ended-stays", "inputs")


def test_more_run_at_once_than_may(monkeypatch):
    monkeypatch.setattr(places, "_is_one_free", lambda _: True)
    assert_caught("at-once")


def test_what_is_handed_back_takes_a_second_place(monkeypatch):
    spoil(monkeypatch, places, "join", lambda _real, _found, task, placement: placement.wait(task))
    assert_caught("at-once", "invariants")


def test_who_leaves_lets_nobody_in(monkeypatch):
    def spoiled(_real, found, task, _placement):
        for known in (found.waiting, found.queued):
            known.leave(task.id)
        found.running.discard(task.id)

    spoil(monkeypatch, places, "leave", spoiled)
    assert_caught("room")


def test_a_fail_fast_workflow_goes_on(monkeypatch):
    def spoiled(state, failed, now):
        if failed.spec.job_id:
            failfast.stop_others(state, failed, now)

    class Lenient(Cluster):
        def __init__(self, state):
            super().__init__(state)
            self._consequences = tuple(
                (waiting, spoiled if rule is failfast.stop_others else rule)
                for waiting, rule in self._consequences
            )

    assert_caught("fail-fast", cluster_class=Lenient)
