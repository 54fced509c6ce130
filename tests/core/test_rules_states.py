"""The table of moves, and the state of a group."""

import pytest

from propeller.core.events import RunCompiles
from propeller.core.groups import group_state
from propeller.core.states import (
    COMPLETED,
    FAILED,
    INTERRUPTED,
    PENDING,
    RUNNING,
    SCHEDULED,
    SKIPPED,
    TaskState,
    check_transition,
)
from propeller.errors import InvalidTransition
from tests.core.helpers import Rules, a_task

ALLOWED = {
    (PENDING, SCHEDULED),
    (PENDING, SKIPPED),
    (PENDING, INTERRUPTED),
    (SCHEDULED, RUNNING),
    (SCHEDULED, FAILED),
    (SCHEDULED, SKIPPED),
    (SCHEDULED, INTERRUPTED),
    (RUNNING, SCHEDULED),
    (RUNNING, COMPLETED),
    (RUNNING, FAILED),
    (RUNNING, INTERRUPTED),
    *((end, new) for end in (COMPLETED, FAILED, SKIPPED, INTERRUPTED) for new in (PENDING, SCHEDULED)),
}


@pytest.mark.parametrize("old", TaskState)
@pytest.mark.parametrize("new", TaskState)
def test_each_move_that_is_not_in_the_table_raises(old, new):
    if (old, new) in ALLOWED:
        check_transition("a", old, new)
    else:
        with pytest.raises(InvalidTransition, match=f"task a can't move from {old.name} to {new.name}"):
            check_transition("a", old, new)


def test_a_refused_move_leaves_all_as_it_was():
    rules = Rules()
    rules.create(a_task("a"))
    with pytest.raises(InvalidTransition):
        rules.state.move(rules.state.tasks["a"], RUNNING, now=5)
    assert rules.state.tasks["a"].state is PENDING
    assert not rules.state.turn.transitions


def test_the_numbers_are_those_of_the_wire():
    assert [state.name for state in sorted(TaskState)] == [
        "PENDING",
        "SCHEDULED",
        "RUNNING",
        "COMPLETED",
        "FAILED",
        "SKIPPED",
        "INTERRUPTED",
    ]
    assert [state.has_ended for state in TaskState] == [False] * 3 + [True] * 4


@pytest.mark.parametrize(
    ("counts", "state"),
    [
        ([0, 0, 0, 0, 0, 0, 0], PENDING),
        ([2, 0, 0, 0, 0, 0, 0], PENDING),
        ([1, 1, 0, 0, 0, 0, 0], RUNNING),
        ([0, 0, 1, 2, 0, 0, 0], RUNNING),
        ([1, 0, 0, 1, 0, 0, 0], RUNNING),
        ([0, 0, 0, 2, 0, 1, 0], COMPLETED),
        ([0, 0, 0, 0, 0, 2, 0], COMPLETED),
        ([1, 0, 1, 0, 1, 0, 0], FAILED),
        ([0, 0, 0, 3, 0, 0, 1], INTERRUPTED),
        ([1, 0, 1, 0, 0, 1, 1], INTERRUPTED),
        ([0, 0, 0, 3, 1, 0, 1], FAILED),
    ],
)
def test_the_state_of_a_group_comes_from_its_counts(counts, state):
    assert group_state([*counts, 0]) is state


def test_who_waits_sees_that_a_module_is_compiled_first():
    rules = Rules()
    rules.proplet()
    rules.create(a_task("a"))
    rules.start("a")
    (told,) = rules.turn(RunCompiles("p", "a", 1, 65 * 2**20)).changes.transitions
    assert (told.state, told.reason) == (
        RUNNING,
        "its proplet compiles its module of 65 MiB before it begins",
    )
    assert rules.turn(RunCompiles("p", "a", 1, 65 * 2**20)).moves == [], "it is known"
    assert rules.turn(RunCompiles("p", "a", 0, 1)).moves == [], "an older attempt"
    (begins,) = rules.turn(RunCompiles("p", "a", 1, 0)).changes.transitions
    assert (begins.state, begins.reason) == (RUNNING, "")
    assert rules.turn(RunCompiles("p", "a", 1, 0)).moves == [], "it is known"


def test_what_has_ended_is_compiled_no_more():
    rules = Rules()
    rules.proplet()
    rules.create(a_task("a"))
    rules.start("a")
    rules.turn(RunCompiles("p", "a", 1, 1))
    (ended,) = rules.completes("a", "1\n").changes.transitions
    assert (ended.state, ended.reason) == (COMPLETED, "")
    assert rules.turn(RunCompiles("p", "a", 1, 1)).moves == [], "it has ended"
