"""The clocks of a manager, which also tell whether its program stood still for a while."""

import time
from collections.abc import Callable

from propeller.core.times import Moment

#: The clock is looked at least this often while the program runs.
LOOK_EVERY_S = 1.0
#: If nobody looked for this long, the program was stopped or held up.
_PAUSE_NS = 2_000_000_000


class Clock:
    """Wall time that never runs backwards and never stands still, beside the monotonic clock.

    When the machine's time is set back, this clock goes on from where it was.
    """

    def __init__(
        self, wall: Callable[[], int] = time.time_ns, monotonic: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._now = 0
        self._ticks = monotonic()
        self._paused_ns = 0

    def look(self) -> None:
        """Note that the program runs."""
        before, self._ticks = self._ticks, self._monotonic()
        gone_ns = self._ticks - before
        self._now = max(self._wall(), self._now + max(gone_ns, 1))
        if gone_ns > _PAUSE_NS:
            self._paused_ns += gone_ns

    def moment(self) -> Moment:
        """Tell the time, and for how long the program stood still since the last call."""
        self.look()
        paused_ns, self._paused_ns = self._paused_ns, 0
        return Moment(self._now, self._ticks, paused_ns, self._wall())
