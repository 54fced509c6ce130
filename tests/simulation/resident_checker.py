"""Checks the laws of what stays: daemons, servers and latent tasks, which are up and do not end by themselves."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from propeller.core.effects import Transition
from propeller.core.model import Spec, Task
from propeller.core.states import RUNNING
from propeller.wire.fleet.from_manager import Start

from .fleet_checker import COMPILES, holders
from .world import LawBroken

if TYPE_CHECKING:
    from .checker import Checker
    from .view import View


def uid_of(spec: Spec) -> str:
    """Name a task for ever: ids may be used again after a delete."""
    return (spec.env or {})["UID"]


def is_server(env: object) -> bool:
    """Say whether a guest turns out to serve when it runs: nobody who places it knows that."""
    return isinstance(env, Mapping) and "SERVER" in env


def stays(spec: Spec | Start) -> bool:
    return spec.daemon or spec.latent or is_server(spec.env)


class ResidentChecker:
    def __init__(self, checker: "Checker"):
        self._checker = checker
        #: Where attempts were up, by task and attempt: what they said of it.
        self._said: dict[tuple[str, int], set[str]] = {}

    def guest_is_up(self, uid: str, attempt: int, results: str) -> None:
        self._said.setdefault((uid, attempt), set()).add(results)

    def check_word(self, task: Task, uid: str, move: Transition, view: "View") -> None:
        """Check a word about a task that goes on running: that it is up, or has crashed and will be again."""
        if task.spec.broadcast and move.attempt > view.attempts[task.id]:
            view.attempts[task.id] = move.attempt  # one more proplet got it, or the same one once more
            self._checker.placed_also(task, move)
            if not stays(task.spec):
                return
        elif move.attempt != view.attempts[task.id]:
            raise LawBroken("one-attempt", f"{task.id} went on as another attempt, {move.attempt}", task.id)
        if COMPILES in move.reason:
            return  # ``FleetChecker`` checks it
        if not stays(task.spec):
            raise LawBroken("transitions", f"{task.id}, which does not stay, ran and runs", task.id)
        attempts = range(1, move.attempt + 1) if task.spec.broadcast else (move.attempt,)
        if move.is_up and not any((move.results or "") in self._said.get((uid, one), ()) for one in attempts):
            text = f"attempt {move.attempt} of {task.id} was never up at {move.results!r}"
            raise LawBroken("up", text, task.id)

    def unrest(
        self, proplet_id: str, held: set[tuple[str, int]], up: set[tuple[str, int]]
    ) -> LawBroken | None:
        """Say in what a proplet does not hold what is up there for all the world, and nothing else."""
        wanted = {
            (task.id, task.attempt_on(proplet_id))
            for task in self._checker.tasks.values()
            if task.state is RUNNING and task.is_up and proplet_id in holders(task)
        }
        for task_id, attempt in sorted(held):
            if (task_id, attempt) not in wanted:
                return LawBroken(
                    "nothing-runs", f"{proplet_id} still holds attempt {attempt} of {task_id}", task_id
                )
        for task_id, attempt in sorted(wanted):
            if (task_id, attempt) not in up:
                text = f"attempt {attempt} of {task_id} is said to be up on {proplet_id}, and is not"
                return LawBroken("stays", text, task_id)
        return None
