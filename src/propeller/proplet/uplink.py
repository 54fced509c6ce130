"""The way from a proplet to its manager, whatever carries the messages."""

from collections.abc import Callable, Sequence
from typing import Protocol

from propeller.lifecycle import Lifecycle
from propeller.wire.fleet.messages import Message


class UplinkListener(Protocol):
    """Is told what happens to an uplink, from the event loop's thread."""

    def connected(self) -> None:
        """Take note of a connection, the first or a new one: the manager may not know this proplet yet."""

    def receive(self, messages: Sequence[Message]) -> None:
        """Take in messages of the manager, in their order."""

    def refused(self, message: Message, why: str) -> None:
        """Take back a message that turned out too large on its way: it "has … bytes, and …"."""

    def over(self, failure: BaseException | None = None) -> None:
        """End: the manager is gone for good, or can't be reached because of this failure."""


class Uplink(Lifecycle, Protocol):
    """Carries messages to the manager. It may lose what it is given.

    It begins to connect when it starts, and lets what was sent get out before it stops.
    """

    @property
    def is_up(self) -> bool: ...

    def send(self, messages: Sequence[Message]) -> None: ...

    def obstacle(self, message: Message) -> str:
        """Say why a message of this size would not be carried: "has … bytes, and …"; ``""`` if it would."""

    @property
    def room_bytes(self) -> int:
        """The largest message that is likely to get through, for what can be cut."""


MakeUplink = Callable[[UplinkListener], Uplink]
