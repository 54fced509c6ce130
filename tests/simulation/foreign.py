"""A proplet that only knows the contract: no boots, no attempts, no acknowledgements, no memory."""

from collections.abc import Sequence

from msgspec import UNSET

from propeller.core.names import attempt_of
from propeller.wire.fleet.from_manager import Start, Stop
from propeller.wire.fleet.from_proplet import Alive, Create, Results
from propeller.wire.fleet.messages import Message

from .broker import MANAGER, Broker
from .checker import Checker
from .manager import SimulatedManager
from .world import S, World

#: The chance that it does not act on a start at all.
DEAF = 0.1


class ForeignProplet:
    """Its session is clean: what is sent while it is away is lost, and so is what it says then."""

    is_local = False
    machine = None

    def __init__(
        self,
        world: World,
        broker: Broker,
        manager: SimulatedManager,
        checker: Checker,
        proplet_id: str,
        *,
        tags: Sequence[str] = (),
        says_who: bool = True,
    ):
        self.id = proplet_id
        self.is_gone = False
        self.running: dict[str, Start] = {}
        self._world = world
        self._broker = broker
        self._manager = manager
        self._checker = checker
        self._tags = list(tags)
        #: Embedded devices leave their id out of results.
        self._says_who = says_who
        self._is_there = False
        self._has_said_hello = self._is_listening = False
        self._lives = 0
        manager.peers[proplet_id] = self
        broker.join(proplet_id, lambda message: self.arrive(message, 0), self._connected)

    @property
    def is_quiet(self) -> bool:
        """It may run on what it should have stopped: a stop that was lost is not repeated to it."""
        return self.is_gone or self._is_there

    def start(self) -> None:
        if self._is_there or self.is_gone:
            return
        self._is_there = True
        self._lives += 1
        self._world.note(self.id, "starts")
        self._has_said_hello = self._is_listening = False
        will = Alive(proplet_id=self.id, status="offline")
        self._broker.program_began(self.id, will, keeps_session=False)
        self._tick(self._lives)

    def crash(self) -> None:
        if self._is_there:
            self._world.note(self.id, "crashes", *self.running)
            self._is_there = False
            self.running.clear()
            self._broker.program_ended(self.id, politely=False)
            self._world.after(self._world.between(100, 9000), self.start)

    leave = crash

    def manager_is_up(self) -> None:
        pass

    def manager_is_gone(self) -> None:
        pass

    def _connected(self) -> None:
        if not self._has_said_hello:  # once, when its program starts, and before it listens
            self._has_said_hello = True
            self._is_listening = False
            self._send(Create(proplet_id=self.id, metadata={"tags": self._tags}))

    def _send(self, message: Message) -> None:
        if self._broker.is_connected(self.id):
            self._broker.publish(self.id, MANAGER, message)

    def _tick(self, life: int) -> None:
        if self._is_there and life == self._lives:
            if self._has_said_hello:
                self._is_listening = True
                self._send(Alive(proplet_id=self.id))
            self._world.after(self._world.between(1800, 2200), lambda: self._tick(life))

    def arrive(self, message: Message, boot: int) -> None:
        if not self._is_there or not self._is_listening:
            return
        if isinstance(message, Stop) and message.proplet_id in (UNSET, self.id):
            self.running.pop(message.id, None)
        elif isinstance(message, Start) and message.proplet_id == self.id and message.id not in self.running:
            if self._world.trouble(DEAF, "start not heard"):
                self._world.note(self.id, "does not hear a start", message.id)
                return
            self._begin(message)

    def _begin(self, start: Start) -> None:
        world, life = self._world, self._lives
        world.note(self.id, "runs it", start.id)
        uid = start.env["UID"]
        self.running[start.id] = start
        error = f"guest {uid} trapped on {self.id}" if world.chance(0.2) else None
        results = "" if error or start.daemon else f"{uid}:{self.id}\n"
        if start.latent:  # it says nothing of it
            return
        self._checker.foreign_guest_began(self.id, start, results, error or "")
        if start.daemon and not error:
            self._checker.residents.guest_is_up(uid, attempt_of(start.id)[1], "")
            self._send(Results(task_id=start.id, proplet_id=self.id, results=""))
            return

        def ended() -> None:
            if self.running.get(start.id) is start and life == self._lives:
                del self.running[start.id]
                sender = self.id if self._says_who else ""
                self._send(Results(task_id=start.id, proplet_id=sender, results=results, error=error))

        if "ENDLESS" not in start.env:
            world.after(world.between(1, 1500) if world.chance(0.95) else 5 * S, ended)
