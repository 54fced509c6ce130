"""What carries messages between the manager and its proplets, badly."""

from collections.abc import Callable

from propeller.wire.fleet.codec import from_line, to_line
from propeller.wire.fleet.from_manager import Ack
from propeller.wire.fleet.messages import Message

from .world import World

LOSS = 0.06
REPEAT = 0.06
LONG_DELAY = 0.05

Deliver = Callable[[Message], None]


class Network:
    """Loses, repeats, delays and so reorders; each message travels as the line that the wire has."""

    def __init__(self, world: World):
        self._world = world

    def send(self, message: Message, deliver: Deliver) -> None:
        """Carry a message; ``deliver`` is called never, once or more often, and later."""
        world = self._world
        line = to_line(message)[:-1]
        if world.trouble(LOSS, "message lost"):
            world.note("network", f"loses {told(message)}", *about(message))
            return
        self._arrive(line, deliver)
        while world.trouble(REPEAT, "message repeated"):
            world.note("network", f"repeats {told(message)}", *about(message))
            self._arrive(line, deliver)

    def _arrive(self, line: bytes, deliver: Deliver) -> None:
        world = self._world
        delay = (
            world.between(500, 6000)
            if world.trouble(LONG_DELAY, "message delayed")
            else world.between(0.1, 20)
        )
        world.after(delay, lambda: deliver(from_line(line)))


def told(message: Message) -> str:
    """Say what a message is, for the story."""
    attempt = getattr(message, "attempt", None)
    return type(message).__name__ + (f" of attempt {attempt}" if attempt else "")


def about(message: Message) -> tuple[str, ...]:
    """Name the tasks that it is about."""
    if isinstance(message, Ack):
        return tuple(task_id for task_id, _ in message.ended)
    task_id = getattr(message, "task_id", None) or getattr(message, "id", None)
    return (task_id,) if task_id else ()
