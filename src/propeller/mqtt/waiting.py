"""Messages that wait for a broker, or for room on their way to it: in order, and bounded."""

import logging
from collections import deque
from collections.abc import Iterable

from propeller.mqtt.unacknowledged import Outgoing

_log = logging.getLogger(__name__)

#: Messages that wait; beyond this the oldest are dropped.
_COUNT_MAX = 100_000
#: Bytes of all of them together; likewise.
_BYTES_MAX = 256 * 2**20


class Waiting:
    """A queue whose oldest messages are dropped where it would get too long."""

    def __init__(self, *, count_max: int = _COUNT_MAX, bytes_max: int = _BYTES_MAX) -> None:
        self._count_max, self._bytes_max = count_max, bytes_max
        self._messages: deque[Outgoing] = deque()
        self._bytes = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._messages)

    def append(self, message: Outgoing) -> None:
        self._messages.append(message)
        self._bytes += len(message.payload)
        while len(self._messages) > self._count_max or (self._bytes > self._bytes_max and len(self) > 1):
            self.popleft()
            self.dropped += 1
            if self.dropped == 1:
                _log.warning("messages to the broker are dropped: %d wait already", len(self))

    def popleft(self) -> Outgoing:
        message = self._messages.popleft()
        self._bytes -= len(message.payload)
        return message

    def put_back(self, messages: Iterable[Outgoing]) -> None:
        """Put messages before all that wait, in their order."""
        back = list(messages)
        self._messages.extendleft(reversed(back))
        self._bytes += sum(len(message.payload) for message in back)
