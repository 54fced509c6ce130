"""Messages that were sent and not yet acknowledged by the broker."""

from collections.abc import Callable
from typing import NamedTuple

from gmqtt.storage import PersistentStorage


class Outgoing(NamedTuple):
    #: Below the channel's prefix.
    topic: str
    payload: bytes


class Unacknowledged(PersistentStorage):  # type: ignore[misc]  # gmqtt is untyped
    """Messages that the client may have to repeat, and that count as being on their way.

    It has no length: then an empty one would be false, and the client would take it for no storage.
    """

    def __init__(self, on_acknowledged: Callable[[Outgoing], None]) -> None:
        super().__init__()
        self._on_acknowledged = on_acknowledged
        self._originals: dict[int, Outgoing] = {}
        #: The message that is pushed next, which its packet alone does not show.
        self.next = Outgoing("", b"")

    @property
    def count(self) -> int:
        return len(self._originals)

    def messages(self) -> dict[int, Outgoing]:
        """Give all messages, by packet id."""
        return dict(self._originals)

    def push_message(self, mid: int, raw_package: bytes) -> None:
        super().push_message(mid, raw_package)
        if mid not in self._originals:  # with QoS 2 one packet of a message replaces another
            self._originals[mid] = self.next

    def remove_message_by_mid(self, mid: int) -> None:
        super().remove_message_by_mid(mid)
        message = self._originals.pop(mid, None)
        if message is not None:
            self._on_acknowledged(message)

    def take_out(self, mid: int) -> Outgoing | None:
        """Forget a message that will not be acknowledged; return it, or None if there is none."""
        super().remove_message_by_mid(mid)
        return self._originals.pop(mid, None)

    def taken_back(self) -> dict[int, Outgoing]:
        """Forget all messages; return them by packet id."""
        originals, self._originals = self._originals, {}
        return originals
