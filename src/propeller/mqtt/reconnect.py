"""Waits before a broker is tried again."""

import random

from propeller.backoff import Backoff

_BACKOFF = Backoff(0.1, 30.0)
#: How long a connection has to last to count as a good one.
_LASTED_S = 10.0
#: The same if another program has taken its place, since that program comes back too.
_KEPT_S = 300.0


class ReconnectDelay:
    """A delay that doubles with each connection that failed or did not last.

    Two programs may fight for one identity, and so end each other's connections.
    """

    def __init__(self) -> None:
        self._failures = 0
        #: Connections in a row that were up, did not last and ended without a known reason.
        self.short_ones = 0

    def after(self, lasted_s: float, *, is_taken_over: bool = False, is_explained: bool = False) -> float:
        """Take in how long a connection lasted (0 if there was none); return how long to wait, s.

        Args:
            lasted_s: The time for which the connection was up.
            is_taken_over: True if another program has taken its place.
            is_explained: True if the reason of the end is known.

        """
        has_lasted = lasted_s >= (_KEPT_S if is_taken_over else _LASTED_S)
        self._failures = 0 if has_lasted else self._failures + 1
        self.short_ones = 0 if has_lasted or not lasted_s or is_explained else self.short_ones + 1
        return _BACKOFF.delay_s(self._failures) * random.uniform(0.5, 1)  # noqa: S311
