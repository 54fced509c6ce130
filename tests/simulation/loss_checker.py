"""Checks the law of losses: an attempt that was lost through no fault of its own is not the end of its task."""

from typing import TYPE_CHECKING

from propeller.core.effects import Transition
from propeller.core.failures import ErrorKind
from propeller.wire.fleet.from_manager import Start

from .world import LawBroken

if TYPE_CHECKING:
    from .checker import Checker


#: What a proplet says of an attempt that it has lost.
KILLED = "its process was killed"


class LossChecker:
    def __init__(self, checker: "Checker"):
        self._checker = checker
        #: Attempts that were lost with their process, where, and when they were placed: a store that was
        #: restored from a backup may count to the same number again.
        self._lost: set[tuple[str, int, str, int]] = set()

    def guest_lost(self, proplet_id: str, start: Start) -> None:
        """Take note that a guest was killed from outside."""
        self._lost.add((start.env["UID"], start.attempt, proplet_id, start.placed_at))

    def ended(self, uid: str, move: Transition) -> None:
        """Check the failure of a task, unless its time was over or it counts losses among its failures."""
        task = self._checker.tasks.get(move.task_id)
        retry = task.spec.retry if task is not None else None
        counts_losses = retry is not None and ErrorKind.LOST in retry.on
        if move.error_kind is not ErrorKind.DEADLINE and not counts_losses:
            self.check(uid, move.attempt, move.proplet_id, move.error)

    def check(self, uid: str, attempt: int, proplet_id: str, error: str) -> None:
        """Check a failure: what was lost fails only where it had been lost too often, and then says so."""
        placed_at = self._checker.placed_at(uid, attempt, proplet_id)
        if KILLED not in error or error.endswith("is cordoned"):
            return  # it ended for another reason, or may not begin there once more
        if (uid, attempt, proplet_id, placed_at) in self._lost and "not run again" not in error:
            raise LawBroken(
                "no-fault", f"attempt {attempt} on {proplet_id} was lost, and has failed: {error}"
            )
