"""Laws ask for what the rules promise, and for no more: stories that a law once took for a fault."""

import pytest

from propeller.core.effects import SendAck
from propeller.core.events import RunEnded
from propeller.core.model import Group, GroupKind, JobMode, Spec, Task
from propeller.core.states import INTERRUPTED, RUNNING

from .checker import Checker
from .store import SimulatedStore
from .world import LawBroken, World


def a_checker(*tasks: Task) -> Checker:
    checker = Checker(World(0), SimulatedStore())
    checker.tasks = {task.id: task for task in tasks}
    checker.groups = {"j": Group(id="j", kind=GroupKind.JOB, seq=1, created_at=1, mode=JobMode.SEQUENTIAL)}
    return checker


def a_task(seq: int, **fields) -> Task:
    spec = Spec(id=f"t{seq}", name="main", job_id="j", env={"UID": str(seq)})
    return Task(spec=spec, seq=seq, created_at=1, **fields)


@pytest.mark.parametrize(("was_up", "waits_for"), [(True, ["t2"]), (False, ["t2", "t1"])])
def test_what_was_up_has_had_its_turn(was_up, waits_for):
    """A daemon that was lost and stopped afterwards has no start; the task added behind it waits for it alone."""
    tasks = [a_task(1), a_task(2, state=INTERRUPTED, was_up=was_up), a_task(3)]
    checker = a_checker(*tasks)
    found = checker.conditions.predecessors(tasks[2], {"j": tasks})
    assert [task.id for task in found] == waits_for


def report(placed_at: int) -> RunEnded:
    return RunEnded(proplet_id="p", task_id="t1", attempt=1, placed_at=placed_at)


@pytest.mark.parametrize("placed_at", [None, 7])
def test_an_answer_to_an_attempt_that_runs_on_needs_a_report_of_its_namesake(placed_at):
    """A store from a backup counts to the same number again; the report of the first one may come in any turn."""
    checker = a_checker(a_task(1, state=RUNNING, attempt=1, proplet_id="p"))
    checker._placed["1", 1] = {"p": 7}
    checker.turn_began([report(5)])
    checker.sent(SendAck("p", "t1", 1))
    checker.turn_began([] if placed_at is None else [report(placed_at)])
    with pytest.raises(LawBroken, match="commit-first"):
        checker.sent(SendAck("p", "t1", 1))
