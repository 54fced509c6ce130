"""What carries messages between the manager and its proplets, badly."""

from collections.abc import Callable

from propeller.wire.messages import Message, from_line, to_line

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
        if world.trouble(LOSS):
            world.note("network", f"loses {type(message).__name__}", *_about(message))
            return
        self._arrive(line, deliver)
        while world.trouble(REPEAT):
            world.note("network", f"repeats {type(message).__name__}", *_about(message))
            self._arrive(line, deliver)

    def _arrive(self, line: bytes, deliver: Deliver) -> None:
        world = self._world
        delay = world.between(500, 6000) if world.trouble(LONG_DELAY) else world.between(0.1, 20)
        world.after(delay, lambda: deliver(from_line(line)))


def _about(message: Message) -> tuple[str, ...]:
    task_id = getattr(message, "task_id", None) or getattr(message, "id", None)
    return (task_id,) if task_id else ()
