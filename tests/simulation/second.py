"""A second manager, with data of its own, that somebody starts on the same channel by mistake.

It takes the tasks that proplets name for forgotten ones, because it does not know them, and tells them to stop.
"""

from collections.abc import Callable

from propeller.core.times import Moment
from propeller.manager.standing import Standing
from propeller.wire.fleet.from_manager import Announcement, Stop
from propeller.wire.fleet.from_proplet import Alive, Create
from propeller.wire.fleet.messages import Message

from .broker import SECOND, Broker
from .manager import TIMES, SimulatedManager
from .world import MS, LawBroken, S, World

#: So long the first one has been there when the second could have known.
KNOWN_NS = 1 * S


class SecondManager:
    """A polite one asks whether another is there; one of an earlier version does not, nor does it give its name."""

    def __init__(
        self,
        world: World,
        broker: Broker,
        first: SimulatedManager,
        standing_class: Callable[..., Standing] = Standing,
    ):
        self._world = world
        self._broker = broker
        self._first = first
        self._make_standing = standing_class
        self._standing: Standing | None = None
        self._is_there = self._is_polite = self._has_served = False
        broker.join(SECOND, self._arrive, self._connected, lambda _: self._disconnected())

    def start(self) -> None:
        world = self._world
        self._is_there, self._is_polite = True, world.chance(0.6)
        how = "politely" if self._is_polite else "without a word"
        world.note(SECOND, f"starts beside the first, {how}")
        self._standing = self._make_standing("second", world.now, "", TIMES)
        will = self._standing.will(world.now) if self._is_polite else None
        self._broker.program_began(SECOND, will, keeps_session=False)
        world.after(world.between(3000, 10_000), self._end)
        self._tick()

    def _end(self) -> None:
        if self._is_there:
            self._world.note(SECOND, "ends")
            self._is_there = False
            self._broker.program_ended(SECOND, politely=False)

    def _tick(self) -> None:
        if self._is_there:
            if self._is_polite:
                self._announce(self._standing.time_passed(self._moment()))
            self._world.after(200 * MS, self._tick)

    def _moment(self) -> Moment:
        return Moment(self._world.now, self._world.now)

    def _connected(self) -> None:
        if self._is_there and self._is_polite:
            self._announce(self._standing.connected(self._moment()))

    def _disconnected(self) -> None:
        if self._is_there:
            self._standing.disconnected()

    def _announce(self, announcements: list[Announcement]) -> None:
        for one in announcements:
            self._broker.announce(SECOND, one)
        if self._standing.other is not None:
            self._world.note(SECOND, "refuses to go on: the first is there")
            self._end()
        elif self._standing.is_serving and not self._has_served:
            self._has_served = True
            self._world.note(SECOND, "takes the place of the first")
            if self._first.present_ns > KNOWN_NS:
                raise LawBroken("one-manager", "a second manager serves beside the first, which is there")

    def _arrive(self, message: Message) -> None:
        if not self._is_there:
            return
        if isinstance(message, Announcement):
            if self._is_polite:
                self._announce(self._standing.heard(message, self._moment()))
        elif isinstance(message, Create | Alive) and isinstance(message.running, list) and self._speaks:
            self._stop_all(message)

    @property
    def _speaks(self) -> bool:
        return not self._is_polite or self._standing.is_serving

    def _stop_all(self, message: Create | Alive) -> None:
        for task_id, attempt in message.running:
            stop = Stop(id=task_id, proplet_id=message.proplet_id, attempt=attempt)
            if self._is_polite:
                stop.by = self._standing.by
            self._world.note(SECOND, f"tells {message.proplet_id} to stop attempt {attempt}", task_id)
            self._broker.publish(SECOND, message.proplet_id, stop)
