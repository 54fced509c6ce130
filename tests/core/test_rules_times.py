"""A workflow or job knows when the first of its tasks began and when the last one ended."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from propeller.core import invariants, spans
from propeller.core.events import DeleteTask, PropletLost, StartTask
from tests.builders import a_group
from tests.builders import a_task as a_record
from tests.core.helpers import Rules, a_task


def _times(rules, group_id="w"):
    group = rules._groups[group_id]
    return group.started_at, group.finished_at


def _workflow(*specs, slots=10):
    rules = Rules()
    rules.proplet(slots=slots)
    rules.workflow(*(a_task(name, workflow_id="w") for name in specs))
    assert _times(rules) == (0, 0)
    rules.start_workflow()
    return rules


def test_from_the_first_start_to_the_last_end_so_far():
    rules = _workflow("a", "b")
    began = rules.now
    assert _times(rules) == (began, 0)
    rules.turn(rules.end_of("b", started_at=began, finished_at=began + 1), after_s=1)
    assert _times(rules) == (began, began + 1)
    rules.turn(rules.end_of("a", started_at=began, finished_at=began + 7), after_s=1)
    assert _times(rules) == (began, began + 7)


def test_the_own_time_of_a_run_counts_once_it_is_known():
    """A task begins for its group when it is placed; its proplet says later when it began in truth."""
    rules = _workflow("a", "b")
    began = rules.now
    rules.turn(rules.end_of("a", started_at=began + 5, finished_at=began + 9), after_s=1)
    assert _times(rules) == (began, began + 9), "b is there since then"
    rules.turn(rules.end_of("b", started_at=began + 6, finished_at=began + 8), after_s=1)
    assert _times(rules) == (began + 5, began + 9)


def test_what_was_lost_has_not_begun():
    rules = _workflow("a", "b")
    rules.turn(PropletLost("p", "it is gone", 1), after_s=1)
    assert _times(rules) == (0, 0)


def test_a_task_that_is_deleted_or_started_again_takes_its_times_along():
    rules = _workflow("a", "b", "c")
    for name in ("a", "b"):
        rules.turn(rules.end_of(name), after_s=1)
    b_ended = rules.task("b").finished_at
    assert _times(rules)[1] == b_ended
    rules.turn(DeleteTask("b"))
    assert _times(rules)[1] == rules.task("a").finished_at
    rules.turn(StartTask("a"), after_s=1)
    assert _times(rules) == (rules.task("c").started_at, 0)


times = st.integers(0, 4)


@given(st.lists(st.lists(st.tuples(times, times), min_size=4, max_size=4), max_size=20))
def test_small_steps_come_to_what_a_look_at_all_tasks_does(steps):
    group = a_group("g")
    tasks = [a_record(seq, workflow_id="g") for seq in range(4)]
    group.tasks = {task.id: task for task in tasks}
    for step in steps:
        for task, (task.started_at, task.finished_at) in zip(tasks, step, strict=True):  # noqa: B007
            pass
        spans._take_in(group, tasks, ())
        invariants._check_times(group)


def test_a_turn_looks_at_the_tasks_that_changed_and_at_no_others(monkeypatch):
    """But for the few turns in which the first or the last one is another."""
    looks = []
    real = spans.derive
    monkeypatch.setattr(spans, "derive", lambda group: (looks.append(group.id), real(group)))
    names = [f"t{number}" for number in range(50)]
    rules = _workflow(*names, slots=5)
    for name in names:
        placed_at = rules.task(name).placed_at
        rules.turn(rules.end_of(name, started_at=placed_at + 2, finished_at=rules.now), after_s=1)
    assert rules.states().keys() == set(names)
    assert len(looks) <= 3


@pytest.mark.parametrize("how", ["completes", "fails", "stop"])
def test_a_run_ends_no_sooner_than_it_began_though_the_clock_was_set_back(how):
    """After a restart nobody knows what the clock showed before."""
    rules = Rules()
    rules.proplet()
    rules.create(a_task("a"))
    rules.start("a")
    rules.restart()
    rules.turn(clock_moved_s=-86_400)
    getattr(rules, how)("a")
    task = rules.task("a")
    assert task.state.has_ended
    assert 0 < task.placed_at <= task.started_at <= task.finished_at
