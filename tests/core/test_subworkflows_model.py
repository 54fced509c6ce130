"""Random workflows in workflows, with random outcomes and retries, against a small recursive model."""

import zlib
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from propeller.core.events import TimePassed
from propeller.core.failures import Failure
from propeller.core.model import Spec, SubWorkflow
from propeller.core.retry import Retry
from propeller.core.states import COMPLETED, FAILED, INTERRUPTED, RUNNING, SKIPPED, TaskState
from tests.core.helpers import Rules, S, a_task

_WORDS = ["", "failure", "all_done", "always"]


@st.composite
def workflows(draw, depth: int = 3) -> tuple[Spec, ...]:
    """Tasks of which some run workflows, up to ``depth`` inside of each other."""
    specs: list[Spec] = []
    for number in range(draw(st.integers(1, 3))):
        parents = draw(st.sets(st.sampled_from([spec.id for spec in specs]))) if specs else set()
        run_if = draw(st.sampled_from(_WORDS))
        spec = a_task(f"{'abc'[number]}", *sorted(parents), run_if=run_if if parents else "")
        if depth and draw(st.booleans()):
            spec = replace(spec, module=None, workflow=SubWorkflow(specs=draw(workflows(depth - 1))))
        if draw(st.booleans()):
            spec = replace(spec, retry=Retry(max_attempts=2, delay_ns=S))
        specs.append(spec)
    return tuple(specs)


def fails(seed: int, task_id: str, attempt: int) -> bool:
    return zlib.crc32(f"{seed} {task_id} {attempt}".encode()) % 3 == 0


class Model:
    """What has to come of it: a task ends as its last attempt did, and an attempt as its workflow did."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.states: dict[str, TaskState] = {}
        self.results: dict[str, object] = {}

    def run(self, specs: tuple[Spec, ...], suffix: str = "") -> dict[str, object] | None:
        """Run a workflow; give its results, or None if it fails."""
        passes_on: set[str] = set()
        for spec in specs:
            state = self._end_of(spec, f"{spec.id}{suffix}", suffix, passes_on)
            self.states[f"{spec.id}{suffix}"] = state
        states = {spec.id: self.states[f"{spec.id}{suffix}"] for spec in specs}
        if FAILED in states.values():
            return None
        ran_on = {parent for spec in specs if states[spec.id] is not SKIPPED for parent in spec.depends_on}
        return {
            name: self.results[f"{name}{suffix}"]
            for name, state in states.items()
            if state is COMPLETED and name not in ran_on
        }

    def _end_of(self, spec: Spec, task_id: str, suffix: str, passes_on: set[str]) -> TaskState:
        hears = passes_on & set(spec.depends_on)
        parents = [self.states[f"{parent}{suffix}"] for parent in spec.depends_on]
        if spec.run_if == "" and any(state is not COMPLETED for state in parents):
            passes_on |= {spec.id} if hears else set()
            return SKIPPED
        if spec.run_if == "failure" and parents and not hears:
            return SKIPPED
        for attempt in range(1, 1 + (spec.retry.max_attempts if spec.retry else 1)):
            if spec.workflow is None:
                found = None if fails(self._seed, task_id, attempt) else task_id
            else:
                found = self.run(spec.workflow.specs, f".{task_id}.{attempt}")
            if found is not None:
                self.results[task_id] = found
                return COMPLETED
        passes_on.add(spec.id)
        return FAILED


class World:
    """Rules, with a proplet that ends what runs there in any order; the manager is started anew at times."""

    def __init__(self, specs: tuple[Spec, ...], seed: int) -> None:
        self.rules = Rules()
        self._random, self._seed = Random(seed), seed
        self.rules.proplet(slots=1000)
        self.rules.workflow(*specs)
        self.rules.start_workflow()

    @property
    def live(self) -> list[str]:
        return [name for name, state in self.rules.states().items() if state in ("SCHEDULED", "RUNNING")]

    def step(self) -> None:
        rules = self.rules
        if self._random.random() < 0.1:
            rules.restart()
        rules.proplet(slots=1000)  # it is never silent for long
        running = [name for name in self.live if rules.task(name).proplet_id]
        for name in self._random.sample(running, self._random.randint(0, len(running))):
            task = rules.task(name)
            if task.state is RUNNING:
                failure = Failure("it broke") if fails(self._seed, name, task.attempt) else None
                rules.turn(rules.end_of(name, failure=failure, results=None if failure else name))
        rules.turn(TimePassed(), after_s=1)


@settings(max_examples=150, deadline=None)
@given(workflows(), st.integers(0, 2**32))
def test_tasks_end_as_their_workflows_do(specs, seed):
    world, model = World(specs, seed), Model(seed)
    model.run(specs)
    while world.live:
        world.step()
    assert world.rules.states() == {name: state.name for name, state in model.states.items()}
    for name, results in model.results.items():
        assert world.rules.task(name).results == results


@settings(max_examples=40, deadline=None)
@given(workflows(), st.integers(0, 2**32), st.integers(0, 12))
def test_nothing_goes_on_below_a_task_that_is_stopped(specs, seed, after):
    world = World(specs, seed)
    for _ in range(after):
        world.step()
    before = world.rules.task("a").state
    world.rules.stop("a")
    assert world.rules.task("a").state is (before if before.has_ended else INTERRUPTED)
    assert not [name for name in world.live if f".{'a'}." in name and name.split(".")[-2] == "a"]
    while world.live:
        world.step()
    begun = [name for name in world.rules.states() if name.endswith(f".a.{world.rules.task('a').attempt}")]
    assert all(world.rules.task(name).state.has_ended for name in begun)
