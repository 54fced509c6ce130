"""Somebody reports on tasks in the name of a proplet that does not have them.

A signature says who speaks. What he may speak of is a rule's to say: only of the attempts that he was given.
"""

from typing import Any

from propeller.core.states import RUNNING
from propeller.wire.fleet.facts import fact_of
from propeller.wire.fleet.from_proplet import Compiling, HandBack, Results, Up

from .fleet_checker import holders
from .simulation import Simulation, simulate
from .world import MS, LawBroken

WORD = "forged"


class ForgedSimulation(Simulation):
    """Everything as ever, and a forger besides, whose words nobody may find again."""

    def __init__(self, seed: int, **parts: Any):
        super().__init__(seed, **parts)
        self._chance = self.world.stream("forger")
        self.forged = 0

    def run(self) -> None:
        self._forge_again()
        super().run()
        self._check()

    def _forge_again(self) -> None:
        if self.world.has_faults:
            self._check()
            if self.manager.is_up:
                self._forge()
            self.world.after(int(self._chance.uniform(20, 300) * MS), self._forge_again)

    def _forge(self) -> None:
        running = [task for task in self.checker.tasks.values() if task.state is RUNNING]
        if not running:
            return
        task = self._chance.choice(running)
        others = sorted(proplet.id for proplet in self.proplets if proplet.id not in holders(task))
        if not others:
            return
        who, holder = self._chance.choice(others), self._chance.choice(holders(task) or [""])
        attempt = task.attempt_on(holder) or task.attempt
        placed_at = self._chance.choice((0, task.placed_on(holder)))
        about: dict[str, Any] = {
            "task_id": task.id,
            "proplet_id": who,
            "attempt": attempt,
            "placed_at": placed_at,
        }
        message = self._chance.choice(
            (
                Results(**about, results=WORD),
                Results(**about, error=WORD),
                HandBack(**about, reason=WORD),
                HandBack(**about, reason=WORD, is_lost=True),
                HandBack(**about, reason=WORD, newest=attempt + 5),
                Up(**about, is_up=True, results=WORD),
                Up(**about, is_up=False, restarts=1, error=WORD),
                Compiling(**about, size_bytes=2**30),
            )
        )
        fact = fact_of(message, is_local=False)
        assert fact is not None
        self.world.note("forger", f"says {type(message).__name__} for {who}, which {holder} has", task.id)
        self.forged += 1
        self.manager.tell(fact)

    def _check(self) -> None:
        """Find no word of the forger: neither in a task, nor in what anybody was told of it."""
        for task in self.checker.tasks.values():
            said = task.results, task.failure, task.reason, list(task.executions.values())
            if WORD in str(said) or "1024" in str(task.reason):
                raise LawBroken("forged", f"{task.id} heeded who does not have it: {said}", task.id)
        if any(WORD in str(row) for row in self.store.events[-50:]):
            raise LawBroken("forged", "an event has the word of who does not have its task")


def simulate_forger(seed: int, **parts: Any) -> Any:
    return simulate(seed, simulation_class=ForgedSimulation, **parts)
