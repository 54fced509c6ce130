"""The broker between the manager and remote proplets: sessions, wills, and all that it forgets.

A client that is away finds what was sent to it in its session, unless the broker lost that with a crash. What
a client says while it has no connection waits with the client, and is lost with its program.
"""

from collections.abc import Callable

from propeller.wire.fleet.codec import from_line, to_line
from propeller.wire.fleet.from_manager import Announcement
from propeller.wire.fleet.messages import Message

from . import transport
from .transport import about, told
from .world import MS, S, World

#: How long a broken line goes unnoticed by the broker.
KEEP_ALIVE_NS = 3 * S
MANAGER = "manager"
#: Another, that somebody starts by mistake: it hears what the first one hears.
SECOND = "second"


class _Client:
    def __init__(
        self, deliver: Callable[[Message], None], on_up: Callable[[], None], on_down: Callable[[int], None]
    ):
        self.deliver = deliver
        self.on_up = on_up
        #: Told when it notices that its connection is gone, and for how long that is so.
        self.on_down = on_down
        self.is_connected = False
        self.is_cut = False
        #: The program runs and wants a connection.
        self.is_there = False
        #: What the broker says for it when the connection breaks.
        self.will: Message | None = None
        self.keeps_session = True
        #: What it said and the broker has not taken: to whom, and what.
        self.unsaid: list[tuple[str, bytes]] = []
        #: What was sent to it while it was away.
        self.session: list[bytes] = []
        #: Nothing overtakes anything on its way to a client, as a rule.
        self.last_at = 0
        self.connections = 0


class Broker:
    """Carries messages between clients by name."""

    def __init__(self, world: World):
        self._world = world
        self._clients: dict[str, _Client] = {}
        self.is_up = True
        #: The last announcement of a manager.
        self._kept: bytes | None = None

    def join(
        self,
        name: str,
        deliver: Callable[[Message], None],
        on_up: Callable[[], None],
        on_down: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._clients[name] = _Client(deliver, on_up, on_down)

    @property
    def is_whole(self) -> bool:
        """Whether everybody who is there is connected, and nothing waits to be said."""
        return self.is_up and all(
            not client.is_there or (client.is_connected and not client.unsaid)
            for client in self._clients.values()
        )

    def is_connected(self, name: str) -> bool:
        return self._clients[name].is_connected

    # -- connections ---------------------------------------------------------------------------------------

    def program_began(self, name: str, will: Message | None = None, *, keeps_session: bool = True) -> None:
        client = self._clients[name]
        client.is_there, client.will, client.keeps_session = True, will, keeps_session
        self._connect_soon(name)

    def program_ended(self, name: str, *, politely: bool) -> None:
        """The program is gone, with what it had not said; its will is published unless it said good-bye."""
        client = self._clients[name]
        client.is_there = False
        client.unsaid.clear()
        self._drop(name, after_ns=self._world.between(1, 50), is_will_due=not politely)

    def cut(self, name: str, duration_ns: int) -> None:
        """Break the line to a client for a while."""
        client = self._clients[name]
        if client.is_cut:
            return
        client.is_cut = True
        self._world.note("broker", f"has no line to {name} for {duration_ns / S:.1f} s")
        was_connected = client.is_connected
        self._drop(name, after_ns=KEEP_ALIVE_NS, is_will_due=True)
        unnoticed_ns = min(self._world.between(0, KEEP_ALIVE_NS / MS), duration_ns)
        if was_connected:
            self._world.after(unnoticed_ns, lambda: client.on_down(unnoticed_ns) if client.is_cut else None)

        def mend() -> None:
            client.is_cut = False
            self._connect_soon(name)

        self._world.after(duration_ns, mend)

    def crash(self) -> None:
        """End at once and come back, with the sessions or without; nobody's will is published."""
        if self.is_up:
            keeps = self._world.chance(0.5)
            self._world.note("broker", f"crashes, and {'keeps' if keeps else 'loses'} its sessions")
            self._go_down(keeps=keeps, for_ns=self._world.between(100, 3000))

    def stop(self) -> None:
        """End as it was asked to, for longer; it says so of everybody before, as Mosquitto does."""
        if not self.is_up:
            return
        self._world.note("broker", "is stopped")
        for client in self._clients.values():
            if client.is_connected and client.will is not None:
                self._publish_will(client.will)
        self._go_down(keeps=True, for_ns=self._world.between(1000, 15_000))

    def _go_down(self, *, keeps: bool, for_ns: int) -> None:
        self.is_up = False
        for client in self._clients.values():
            was_connected, client.is_connected = client.is_connected, False
            if not keeps:
                client.session.clear()
            if was_connected:
                client.on_down(0)
        self._kept = self._kept if keeps else None

        def come_back() -> None:
            self.is_up = True
            for name in self._clients:
                self._connect_soon(name)

        self._world.after(for_ns, come_back)

    def _connect_soon(self, name: str) -> None:
        self._world.after(self._world.between(1, 800), lambda: self._connect(name))

    def _connect(self, name: str) -> None:
        client = self._clients[name]
        if client.is_connected or client.is_cut or not client.is_there or not self.is_up:
            return
        client.is_connected = True
        client.connections += 1
        if not client.keeps_session:
            client.session.clear()
        waiting, client.session = client.session, []
        for line in waiting:
            self._deliver(name, line)
        if self._kept is not None:
            self._deliver(name, self._kept, is_sure=True)
        client.on_up()
        unsaid, client.unsaid = client.unsaid, []
        for to, line in unsaid:
            self._route(to, line)

    def _drop(self, name: str, *, after_ns: int, is_will_due: bool) -> None:
        client = self._clients[name]
        was_connected, client.is_connected = client.is_connected, False
        connections, will = client.connections, client.will
        if not (was_connected and is_will_due and will is not None):
            return

        def publish_will() -> None:
            # A client that is back sooner takes the connection over, and that publishes the will as well.
            if self.is_up:
                self._world.note("broker", f"publishes the will of {name}, connection {connections}")
                self._publish_will(will)

        self._world.after(after_ns, publish_will)

    # -- messages ------------------------------------------------------------------------------------------

    def bequeath(self, name: str, will: Message) -> None:
        self._clients[name].will = will

    def _publish_will(self, will: Message) -> None:
        line = to_line(will)[:-1]
        if isinstance(will, Announcement):
            self._announce(line, is_kept=True)
        else:
            self._route(MANAGER, line)

    def announce(self, sender: str, said: Announcement) -> None:
        """Tell everybody who is connected; nobody else hears of it, but of the last one."""
        if self._clients[sender].is_connected:
            self._announce(to_line(said)[:-1], is_kept=said.status != "asks")

    def _announce(self, line: bytes, *, is_kept: bool) -> None:
        if is_kept:
            self._kept = line
        for name, client in self._clients.items():
            if client.is_connected:
                self._deliver(name, line, is_sure=True)

    def publish(self, sender: str, to: str, message: Message) -> None:
        world = self._world
        line = to_line(message)[:-1]
        client = self._clients[sender]
        if not client.is_connected:
            client.unsaid.append((to, line))
        elif world.trouble(transport.LOSS / 3, "message lost"):
            world.note("broker", f"loses {told(message)}", *about(message))
        else:
            self._route(to, line)
            while world.trouble(transport.REPEAT, "message repeated"):
                world.note("broker", f"repeats {told(message)}", *about(message))
                delay = world.between(1, 4000)
                world.after(delay, lambda: self._route(to, line))

    def _route(self, to: str, line: bytes) -> None:
        client = self._clients[to]
        if to == MANAGER and self._clients[SECOND].is_connected:
            self._deliver(SECOND, line, is_sure=True)
        if client.is_connected:
            self._deliver(to, line)
        elif client.keeps_session:
            client.session.append(line)

    def _deliver(self, to: str, line: bytes, *, is_sure: bool = False) -> None:
        """Deliver; what is sure comes soon and in order, or never."""
        client, world = self._clients[to], self._world
        connections = client.connections
        delay = world.between(0.1, 20)
        if not is_sure and world.trouble(transport.LONG_DELAY, "message delayed"):
            delay = world.between(500, 6000)  # and is overtaken
        else:
            delay = max(delay, client.last_at - world.now + MS // 1000)
            client.last_at = world.now + delay

        def arrive() -> None:
            if client.is_connected and client.connections == connections:
                client.deliver(from_line(line))
            elif not is_sure:
                self._route(to, line)  # it was not acknowledged

        world.after(delay, arrive)
