"""The manager that a proplet follows: another one's stops would end the work that the first gave it. Pure.

A native manager announces itself, and the proplet follows it for as long as it lives. The proplet follows
another one once the first is known to be gone, or has been silent for a good while, and ignores all others.
A manager that only knows the contract announces nothing: it is heard while no other is followed.
"""

from propeller.wire.fleet.from_manager import Announcement, FromManager

#: How long after the last word of a manager, or its end, no other is heard that does not announce itself.
#: A manager says three times as often that it is here.
PATIENCE_NS = 30_000_000_000


class Following:
    """Times are those of the monotonic clock, ns."""

    def __init__(self, patience_ns: int = PATIENCE_NS) -> None:
        self._patience_ns = patience_ns
        #: The manager that is followed: id and epoch; None while none has announced itself.
        self.manager: tuple[str, int] | None = None
        self._heard_at = 0
        self._is_gone = False

    def connected(self, now: int) -> None:
        """Note that there is a connection again: nothing could be heard before."""
        self._heard_at = now

    def announced(self, said: Announcement, now: int) -> bool:
        """Take in an announcement; tell whether the proplet follows another manager from now on."""
        who = said.manager_id, said.epoch
        if said.status in ("gone", "left"):
            if who == self.manager and not self._is_gone:
                self._is_gone, self._heard_at = True, now
            return False
        if said.status != "here" or not self._may_follow(who, now):
            return False
        is_another = self.manager is None or self.manager[0] != said.manager_id
        self.manager, self._heard_at, self._is_gone = who, now, False
        return is_another

    def _may_follow(self, who: tuple[str, int], now: int) -> bool:
        if self.manager is None or self._is_gone or self.is_alone(now):
            return True
        return who[0] == self.manager[0] and who[1] >= self.manager[1]

    def is_alone(self, now: int) -> bool:
        """Say whether the manager that is followed has been silent for a good while."""
        return self.manager is not None and now - self._heard_at >= self._patience_ns

    def heeds(self, message: FromManager, now: int) -> bool:
        """Say whether a message is from the manager that the proplet follows."""
        if self.manager is None:
            return True
        if not isinstance(message.by, tuple):
            if not self.is_alone(now):
                return False
            self.manager = None  # it only knows the contract, and is the one that is here
            return True
        if message.by[0] != self.manager[0] or message.by[1] < self.manager[1]:
            return False
        self.manager, self._heard_at, self._is_gone = message.by, now, False
        return True
