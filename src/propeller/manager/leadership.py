"""The decision when this manager leads those that share its database, and until when it may act. Pure.

The database gives the lead for a time, the lease, to one manager after another, each with a larger token. It
counts the lease by its own clock, from when it carries out the request. The manager counts by the monotonic
clock of its machine, from before it sent the request, and leaves a part of the lease unused (``SPARE``). So
never do two act at once, however long messages take, unless the clock of the database runs more than a tenth
faster than the manager's, or is set forward. Then the token still keeps the earlier leader from writing.

A leader whose renewal is late stops to act and goes on asking: if nobody has taken the lead meanwhile, it
still has it. A take whose answer is lost may have come through; nobody acts by it, and its lease ends.

Moments come in as ticks of the monotonic clock, ns; wishes go out, one at a time.
"""

from enum import Enum

import msgspec

#: The part of a lease in which its holder no longer acts.
SPARE = 0.1


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """Durations, s."""

    lease: float = 3.0
    #: From one renewal to the next.
    renew_every: float = 1.0
    #: From a request that was not answered to the next.
    again_after: float = 0.25
    #: How often to try to take the lead: the leader may have crashed, or the notice of its end got lost.
    poll_every: float = 0.3

    @classmethod
    def of(cls, lease_s: float) -> "Times":
        """Give the times that go with a lease."""
        return cls(lease=lease_s, renew_every=lease_s / 3, again_after=lease_s / 12, poll_every=lease_s / 10)


class Wish(Enum):
    """What the database is to be asked."""

    TAKE = "take"
    RENEW = "renew"


class Leadership:
    """The lead, as one manager knows of it."""

    def __init__(self, times: Times) -> None:
        self._times = times
        #: Of the lease that this manager holds, as far as it knows.
        self.token: int | None = None
        #: Until when it may act.
        self._acts_until = 0
        #: When the request that is under way was sent.
        self._asked_at: int | None = None
        self._next_at = 0
        self._rests_until = 0
        self._was_freed = False
        self._has_left = False

    def wish(self, now: int) -> Wish | None:
        """Say what to ask the database now; one of the four answers has to follow."""
        if self._asked_at is not None or self._has_left or now < self._next_at:
            return None
        self._asked_at = now
        self._was_freed = False
        return Wish.TAKE if self.token is None else Wish.RENEW

    def due_in_s(self, now: int) -> float | None:
        """Say when there may be a wish; None if not before an answer, or never."""
        if self._asked_at is not None or self._has_left:
            return None
        return max(self._next_at - now, 0) / 1e9

    def may_act(self, now: int) -> bool:
        """Say whether this manager leads, and the lease holds for certain."""
        return self.token is not None and now < self._acts_until and not self._has_left

    def acts_for_s(self, now: int) -> float:
        """Say for how long this manager may act if no renewal comes; 0 where it may not."""
        return (self._acts_until - now) / 1e9 if self.may_act(now) else 0.0

    # -- answers ---------------------------------------------------------------------------------------------

    def granted(self, token: int) -> None:
        """Note that the lead was taken or renewed."""
        asked_at = self._answered()
        self.token = token
        self._acts_until = asked_at + int(self._times.lease * (1 - SPARE) * 1e9)
        self._next_at = asked_at + int(self._times.renew_every * 1e9)

    def not_free(self, now: int) -> None:
        """Note that another has the lead."""
        self._answered()
        self._next_at = now + int(0 if self._was_freed else self._times.poll_every * 1e9)

    def lost(self, now: int) -> None:
        """Note that another has taken the lead since.

        A write may say so while a request is under way, whose answer counts no more then.
        """
        self._asked_at = None
        self.token = None
        self._acts_until = 0
        self._next_at = now + int(self._times.poll_every * 1e9)

    def unanswered(self, now: int) -> None:
        """Note that there was no answer, and that none will be taken in."""
        self._answered()
        self._next_at = now + int(self._times.again_after * 1e9)

    def _answered(self) -> int:
        assert self._asked_at is not None, "nothing was asked"
        asked_at, self._asked_at = self._asked_at, None
        return asked_at

    # -- news ------------------------------------------------------------------------------------------------

    def freed(self, now: int) -> None:
        """Note that the leader gave the lead back."""
        self._was_freed = True
        if self.token is None:
            self._next_at = max(min(self._next_at, now), self._rests_until)

    def gives_way(self, now: int, rest_s: float) -> None:
        """Give the lead back, and leave it to others for a time."""
        self.lost(now)
        self._next_at = self._rests_until = now + int(rest_s * 1e9)

    def leaves(self) -> None:
        """Act and ask no more; the lead is to be given back."""
        self._has_left = True
        self.token = None
