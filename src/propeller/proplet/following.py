"""Which manager a proplet keeps to: another one's stops would end what the first has given it to run.

A native manager announces itself, and the proplet follows it for as long as it lives. Another is followed
once the first is known to be gone, or has been silent for a good while. What comes from neither is ignored.
A manager that only knows the contract announces nothing: it is heard where nobody else is followed.
"""

from propeller.wire.fleet.from_manager import Announcement, FromManager

#: So long is the silence of a manager, or after its end, in which no other is heard that does not announce
#: itself: the manager says that it is here three times as often.
PATIENCE_NS = 30_000_000_000


class Following:
    """Times are those of the monotonic clock, ns."""

    def __init__(self, patience_ns: int = PATIENCE_NS) -> None:
        self._patience_ns = patience_ns
        #: Whom the proplet follows: id and epoch; None while nobody has announced himself.
        self.manager: tuple[str, int] | None = None
        self._heard_at = 0
        self._is_gone = False

    def connected(self, now: int) -> None:
        """Note that there is a connection again: before, nothing could be heard."""
        self._heard_at = now

    def announced(self, said: Announcement, now: int) -> bool:
        """Take in what a manager has announced; tell whether the proplet follows another one from now on."""
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
        """Say whether whom the proplet follows has not been there for a good while."""
        return self.manager is not None and now - self._heard_at >= self._patience_ns

    def heeds(self, message: FromManager, now: int) -> bool:
        """Say whether a message is of the manager that the proplet keeps to."""
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
