"""Messages that were sent and not yet acknowledged by the broker."""

from collections.abc import Callable
from typing import NamedTuple

from gmqtt.storage import PersistentStorage


class Outgoing(NamedTuple):
    #: Below the channel's prefix.
    topic: str
    payload: bytes


class Unacknowledged(PersistentStorage):  # type: ignore[misc]  # gmqtt is untyped
    """For the client to repeat and for us to count.

    It has no length: the client takes a storage that is false, as an empty one would be, for none at all.
    """

    def __init__(self, on_acknowledged: Callable[[Outgoing], None]) -> None:
        super().__init__()
        self._on_acknowledged = on_acknowledged
        self._originals: dict[int, Outgoing] = {}
        #: What is about to be pushed, for the packet alone does not tell.
        self.next = Outgoing("", b"")

    @property
    def count(self) -> int:
        return len(self._originals)

    def messages(self) -> dict[int, Outgoing]:
        """Give all, by packet id."""
        return dict(self._originals)

    def push_message(self, mid: int, raw_package: bytes) -> None:
        super().push_message(mid, raw_package)
        if mid not in self._originals:  # with QoS 2 a packet takes the place of another
            self._originals[mid] = self.next

    def remove_message_by_mid(self, mid: int) -> None:
        super().remove_message_by_mid(mid)
        message = self._originals.pop(mid, None)
        if message is not None:
            self._on_acknowledged(message)

    def take_out(self, mid: int) -> Outgoing | None:
        """Forget one that will not be acknowledged; return what it was."""
        super().remove_message_by_mid(mid)
        return self._originals.pop(mid, None)

    def taken_back(self) -> dict[int, Outgoing]:
        """Forget everything; return what it was, by packet id."""
        originals, self._originals = self._originals, {}
        return originals
