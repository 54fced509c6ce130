"""Checks the law of losses: an attempt that was lost through no fault of its own is not the end of its task."""

from propeller.wire.fleet.from_manager import Start

from .world import LawBroken


class LossChecker:
    def __init__(self) -> None:
        #: Attempts that were lost with their process, and where.
        self._lost: set[tuple[str, int, str]] = set()

    def guest_lost(self, proplet_id: str, start: Start) -> None:
        """Take note that a guest was killed from outside."""
        self._lost.add((start.env["UID"], start.attempt, proplet_id))

    def check(self, uid: str, attempt: int, proplet_id: str, error: str) -> None:
        """Check a failure: what was lost fails only where it had been lost too often, and then says so."""
        if (uid, attempt, proplet_id) in self._lost and "not run again" not in error:
            raise LawBroken(
                "no-fault", f"attempt {attempt} on {proplet_id} was lost, and has failed: {error}"
            )
