"""The choice between a session that outlives the connection and one that does not."""

#: How often in a row a broker that has kept a session may refuse one before it is asked for none.
_REFUSALS_MAX = 5
#: How long after its refusal a broker that keeps none is asked for one again, s.
_AGAIN_S = 600.0


class Sessions:
    """Chooses what to ask a broker for.

    A broker that is only starting may refuse with the reasons of one that keeps no sessions. To ask it for
    none would end the session that it has kept, with the messages in it. So one that has kept a session is
    asked for it a few times more, and one that has refused it is asked again after a while.
    """

    def __init__(self) -> None:
        self._is_kept = True
        #: True if the last connection that was accepted had a session that is kept.
        self._has_kept = False
        #: In a row.
        self._refusals = 0
        self._refused_at = 0.0

    def choose(self, now: float) -> bool:
        """Say whether to ask for a session that is kept; ``now`` is by the monotonic clock, s."""
        if not self._refusals and now - self._refused_at >= _AGAIN_S:
            self._is_kept = True
        return self._is_kept

    def refused(self, now: float) -> None:
        """Take in a refusal that may be one of the session; ask for the other kind in turn."""
        self._refusals += 1
        if self._is_kept:
            self._refused_at = now
        if not self._has_kept or self._refusals >= _REFUSALS_MAX:
            self._is_kept = not self._is_kept

    def accepted(self) -> None:
        self._has_kept = self._is_kept
        self._refusals = 0
