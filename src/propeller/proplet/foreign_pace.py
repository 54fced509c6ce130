"""The earliest time at which a foreign manager can bear the result of a task. Pure.

Such a manager sends a start, and notes only then that the task runs. A result that comes before that is lost,
and two that come while it sends starts stop it for 30 s (``mqtt``, section 7.3).
"""

from msgspec import UNSET

from propeller.wire.fleet.from_manager import Start
from propeller.wire.fleet.from_proplet import Results
from propeller.wire.fleet.messages import Message

#: From the arrival of a start to its result, at least.
PAUSE_NS = 100_000_000


class ForeignPace:
    """Times are those of the monotonic clock, ns."""

    def __init__(self) -> None:
        #: When each task was started, as long as that is not long ago; in the order of these times.
        self._started: dict[str, int] = {}

    def received(self, message: Message, now: int) -> None:
        """Take note of a start without an attempt."""
        if not isinstance(message, Start) or message.attempt:
            return
        self._started.pop(message.id, None)
        self._started[message.id] = now
        while now - next(iter(self._started.values())) >= PAUSE_NS:
            del self._started[next(iter(self._started))]

    def wait_ns(self, message: Message, now: int) -> int:
        """Tell how long a message has to wait yet; 0 if it may go."""
        if not isinstance(message, Results) or message.attempt is not UNSET:
            return 0
        started_at = self._started.get(message.task_id, now - PAUSE_NS)
        return max(0, started_at + PAUSE_NS - now)
