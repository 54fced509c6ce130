"""The choice between a session that outlives the connection and one that does not."""

#: How long a broker that has kept a session may refuse it before it is asked for none, once, s.
_PATIENCE_S = 300.0
#: How long after its refusal a broker that keeps none is asked for one again, s.
_AGAIN_S = 600.0


class Sessions:
    """Chooses what to ask a broker for; all times are by the monotonic clock, s.

    A broker that is only starting may refuse with the reasons of one that keeps no sessions. To ask it for
    none would end the session that it has kept, with the messages in it. So one that has kept a session is
    asked for nothing else for minutes, then for none once, and so on. One that has refused it, and then took
    a connection without, is asked for it again after a while.
    """

    def __init__(self) -> None:
        self._is_kept = True
        #: True if the last connection that was accepted had a session that is kept.
        self._has_kept = False
        #: True from the choice on until the broker says something about it.
        self._is_open = False
        #: When the broker began to refuse, or when it was last asked for none; None if it does not refuse.
        self._refused_since: float | None = None
        #: When a session that is kept was last refused.
        self._refused_at = 0.0

    def choose(self, now: float) -> bool:
        """Say whether to ask for a session that is kept."""
        if self._is_open:
            self._pass_over()
        if self._refused_since is None and now - self._refused_at >= _AGAIN_S:
            self._is_kept = True
        self._is_open = True
        return self._is_kept

    def _pass_over(self) -> None:
        """Begin anew after a try without an answer: the broker is gone, and will start before it answers."""
        self._refused_since = None
        self._is_kept |= self._has_kept

    def refused(self, now: float) -> None:
        """Take in a refusal that may be one of the session, and so may be one of what was chosen last."""
        self._is_open = False
        if self._is_kept:
            self._refused_at = now
        if self._refused_since is None:
            self._refused_since = now
        if not self._has_kept:
            self._is_kept = not self._is_kept
        elif not self._is_kept:
            self._is_kept, self._refused_since = True, now
        else:
            self._is_kept = now - self._refused_since < _PATIENCE_S

    def accepted(self) -> None:
        self._is_open = False
        self._has_kept = self._is_kept
        self._refused_since = None
