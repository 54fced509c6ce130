"""A world for workflows that tasks run: users start, stop and delete at both ends, and the manager crashes.

It is the world of ``planned``, with other users and laws.
"""

from collections.abc import Callable

from msgspec.structs import replace

from propeller.core.events import (
    CreateTasks,
    DeleteGroup,
    DeleteTask,
    NewGroup,
    Rerun,
    RerunGroup,
    StartGroup,
    StartTask,
    StopGroup,
    StopTask,
)
from propeller.core.model import Definition, GroupKind, Spec, SubWorkflow
from propeller.core.retry import Retry

from .nested_checker import NestedChecker
from .planned import FAULTS_END, MODULE, Planned, outcome_of
from .simulation import Outcome
from .store import SimulatedStore
from .world import S

OWNERS = ("t1", "g1", "g2")


class Nested(Planned):
    """One such world."""

    owners = OWNERS

    def __init__(self, seed: int, store_class: Callable[[], SimulatedStore] = SimulatedStore):
        super().__init__(seed, store_class)
        self.checker = NestedChecker(self.store)  # type: ignore[assignment]

    def _act(self) -> None:
        if self.world.now > FAULTS_END:
            return
        name, deed = self.random.choice(OWNERS), self.random.random()
        is_group = name.startswith("g")
        inner = sorted(one for one in self.store.groups if self.store.group(one).definition.run_for)
        if deed < 0.25:
            self._ask(self._creation(name))
        elif deed < 0.55:
            self._ask(StartGroup(GroupKind.WORKFLOW, name) if is_group else StartTask(name))
        elif deed < 0.65 and is_group:
            self._ask(RerunGroup(GroupKind.WORKFLOW, name, self.random.choice(list(Rerun))))
        elif deed < 0.72:
            self._ask(StopGroup(GroupKind.WORKFLOW, name) if is_group else StopTask(name))
        elif deed < 0.8:
            self._ask(StopTask(f"{name}a"))
        elif deed < 0.9 and inner:
            one = self.random.choice(inner)
            deletes = self.random.random() < 0.3
            self._ask((DeleteGroup if deletes else StopGroup)(GroupKind.WORKFLOW, one))
        elif deed < 0.93:
            self._take_id(f"{name}a" if is_group else name)
        elif deed < 0.97:
            self._ask(DeleteGroup(GroupKind.WORKFLOW, name) if is_group else DeleteTask(name))
        self.world.after(self.random.randint(20, 500) * S, self._act)

    def _take_id(self, outer_id: str) -> None:
        """Give a task of its own an id that the next workflow of a task needs."""
        seq = self.store.ids.get(outer_id)
        attempt = 1 if seq is None else self.store.task(seq).attempt + 1
        taken = f"x.{outer_id}.{attempt}"
        self._ask(CreateTasks(specs=(Spec(id=taken, name="x", module=MODULE),), chosen_ids=(taken,)))
        self._ask(StopTask(taken))  # what has ended is not in memory

    def _creation(self, name: str) -> CreateTasks:
        if not name.startswith("g"):
            return CreateTasks(specs=(self._task(name, depth=2, runs=True),), chosen_ids=(name,))
        first = self._task(f"{name}a", depth=2, runs=True)
        second = self._task(f"{name}b", depth=1, depends_on=(first.id,))
        specs = tuple(replace(spec, workflow_id=name) for spec in (first, second))
        definition = Definition(max_parallel=self.random.choice((0, 1)))
        group = NewGroup(
            id=name, kind=GroupKind.WORKFLOW, fail_fast=self.random.random() < 0.3, definition=definition
        )
        return CreateTasks(specs=specs, group=group, chosen_ids=(name, *(spec.id for spec in specs)))

    def _task(
        self, task_id: str, *, depth: int, runs: bool = False, depends_on: tuple[str, ...] = ()
    ) -> Spec:
        chance = self.random.random
        retry = Retry(max_attempts=2, delay_ns=5 * S) if chance() < 0.4 else None
        deadline_ns = 900 * S if chance() < 0.15 else 0
        common = {"id": task_id, "name": task_id, "depends_on": depends_on, "deadline_ns": deadline_ns}
        if not (runs or (depth and chance() < 0.4)):
            return Spec(**common, module=MODULE, retry=retry)
        first = self._task("x", depth=depth - 1)
        second = self._task("y", depth=depth - 1, depends_on=("x",) if chance() < 0.5 else ())
        inner = SubWorkflow(specs=(first, second), fail_fast=chance() < 0.3)
        return Spec(**common, workflow=inner, retry=retry)


def simulate_nested(seed: int, **parts: object) -> Outcome:
    """Run one seed; what went wrong is in the outcome."""
    return outcome_of(Nested(seed, **parts))
