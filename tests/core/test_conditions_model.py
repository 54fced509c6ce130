"""Conditions against a small reference model: random tasks, words, outcomes and stops.

The model says recursively how each task must end, from the table in ``docs/workflows.md``.
"""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from propeller.core.events import StopGroup, StopTask
from propeller.core.model import GroupKind, JobMode
from propeller.core.states import COMPLETED, FAILED, INTERRUPTED, SKIPPED, TaskState
from propeller.errors import Conflict
from tests.core.helpers import Rules, a_task, job, workflow

WORDS = ("", "success", "failure", "all_done", "always", "any_success")
#: Expressions about one parent, and what each gives for how that ended; None where it can't be evaluated.
EXPRESSIONS = {
    "states['t{}'] == 'failed'": lambda end: end is FAILED,
    "states.t{} in ['completed', 'interrupted']": lambda end: end in (COMPLETED, INTERRUPTED),
    "results['t{}'] == 'r' || states['t{}'] == 'skipped'": lambda end: end in (COMPLETED, SKIPPED),
    "results['t{}'].startsWith('r')": lambda end: True if end is COMPLETED else None,
    "results['t{}'] > 1": lambda _: None,
}


#: Those whose skip may have a failure among its causes.
MINDS_FAILURES = ("", "success", "any_success")


@dataclass
class Plan:
    parents: list[list[int]]
    words: list[str]
    fails: list[bool]
    mode: JobMode | None


@st.composite
def plans(draw) -> Plan:
    size = draw(st.integers(1, 8))
    parents = [sorted(draw(st.sets(st.integers(0, n - 1), max_size=3))) if n else [] for n in range(size)]
    words = draw(st.lists(st.sampled_from(WORDS), min_size=size, max_size=size))
    for task in range(size):
        if parents[task] and draw(st.integers(0, 3)) == 0:
            parent = draw(st.sampled_from(parents[task]))
            words[task] = draw(st.sampled_from(list(EXPRESSIONS))).replace("{}", str(parent))
    fails = draw(st.lists(st.booleans(), min_size=size, max_size=size))
    mode = draw(st.sampled_from([None, JobMode.PARALLEL, JobMode.CONFIGURABLE, JobMode.SEQUENTIAL]))
    return Plan(parents, words, fails, mode)


@dataclass
class Model:
    """How the tasks of a plan must end, once it is known which of them were stopped."""

    plan: Plan
    stopped: set[int]
    known: dict[int, TaskState] = field(default_factory=dict)

    def end_of(self, task: int) -> TaskState:
        if task not in self.known:
            self.known[task] = self._end_of(task)
        return self.known[task]

    def _end_of(self, task: int) -> TaskState:
        if task in self.stopped:
            return INTERRUPTED
        runs = self._runs(task)
        if runs is None:
            return FAILED
        if not runs:
            return SKIPPED
        return FAILED if self.plan.fails[task] else COMPLETED

    def _runs(self, task: int) -> bool | None:
        plan = self.plan
        ends = [self.end_of(parent) for parent in plan.parents[task]]
        before = [self.end_of(other) for other in range(task)] if plan.mode is JobMode.SEQUENTIAL else []
        match plan.words[task]:
            case "" | "success":
                return set(ends) <= {COMPLETED} and not {FAILED, INTERRUPTED} & set(before)
            case "failure":
                return self._hears_of_a_failure(task) or FAILED in before or not (ends or before)
            case "all_done":
                return INTERRUPTED not in ends
            case "any_success":
                ends = ends or before[-1:]
                return COMPLETED in ends or not ends
            case "always":
                return True
        for parent in plan.parents[task]:
            for text, gives in EXPRESSIONS.items():
                if text.replace("{}", str(parent)) == plan.words[task]:
                    return gives(self.end_of(parent))
        raise AssertionError(plan.words[task])

    def _hears_of_a_failure(self, task: int) -> bool:
        return any(
            self.end_of(parent) is FAILED or self._is_skipped_after_failure(parent)
            for parent in self.plan.parents[task]
        )

    def _is_skipped_after_failure(self, task: int) -> bool:
        """Say whether a failure is among the causes of its skip."""
        if self.end_of(task) is not SKIPPED or self.plan.words[task] not in MINDS_FAILURES:
            return False
        if self.plan.mode is JobMode.SEQUENTIAL:
            return self._is_halted_by_a_failure(task)
        return self._hears_of_a_failure(task)

    def _is_halted_by_a_failure(self, task: int) -> bool:
        """In a sequential job, the nearest cause before a task counts, then its parents."""
        if self.plan.words[task] == "any_success":
            parents = self.plan.parents[task] or [task - 1]
            return any(
                self.end_of(other) is FAILED or self._is_skipped_after_failure(other) for other in parents
            )
        for other in reversed(range(task)):
            if self.end_of(other) in (FAILED, INTERRUPTED):
                first = self._first_cause(task)
                return self.end_of(first) is FAILED
        return self._hears_of_a_failure(task)

    def _first_cause(self, task: int) -> int:
        """Name the task that halted the job: the nearest to the first task with ``success`` after it."""
        halted = [n for n in range(task) if self.end_of(n) in (FAILED, INTERRUPTED)]
        between = [
            n
            for n in range(halted[0] + 1, task + 1)
            if self.plan.words[n] in ("", "success") and self.end_of(n) is SKIPPED
        ]
        return max(n for n in halted if n < between[0])


@settings(max_examples=400, deadline=None)
@given(plans(), st.data())
def test_the_same_tasks_run_as_in_the_model(plan, data):
    rules = Rules()
    rules.proplet(slots=20)
    specs = [
        a_task(f"t{n}", *(f"t{parent}" for parent in plan.parents[n]), run_if=plan.words[n])
        for n in range(len(plan.words))
    ]
    create = workflow(*specs) if plan.mode is None else job(plan.mode, *specs)
    if plan.mode not in (None, JobMode.SEQUENTIAL):
        create = replace(create, group=replace(create.group, fail_fast=False))
    rules.turn(create)
    if plan.mode is None:
        rules.start_workflow()
    else:
        rules.start_job()
    stopped: set[int] = set()
    while live := [n for n in range(len(specs)) if not rules.task(f"t{n}").state.has_ended]:
        if data.draw(st.integers(0, 20)) == 0:
            stopped.update(live)
            kind, group_id = (GroupKind.WORKFLOW, "w") if plan.mode is None else (GroupKind.JOB, "j")
            rules.turn(StopGroup(kind, group_id))
            continue
        running = [n for n in live if rules.task(f"t{n}").state.name == "RUNNING"]
        if data.draw(st.integers(0, 5)) == 0:
            task = data.draw(st.sampled_from(live))
            stopped.add(task)
            rules.turn(StopTask(f"t{task}"))
            continue
        task = data.draw(st.sampled_from(running))
        if plan.fails[task]:
            rules.fails(f"t{task}")
        else:
            rules.completes(f"t{task}", "r")
    model = Model(plan, stopped)
    ends = {f"t{n}": model.end_of(n).name for n in range(len(specs))}
    assert rules.states() == ends
    for task_id, end in ends.items():
        if end == "SKIPPED" and plan.mode is not JobMode.SEQUENTIAL:
            _check_is_refused(rules, task_id)


def _check_is_refused(rules: Rules, task_id: str) -> None:
    with pytest.raises(Conflict) as refused:
        rules.start(task_id)
    assert str(rules.task(task_id).reason) in str(refused.value)
