"""The manager: the engine's real turns, carried out step by step, with an end between any two of them."""

from collections.abc import Callable, Generator, Sequence
from typing import Protocol

from msgspec.structs import replace

from propeller.core.cluster import Cluster
from propeller.core.effects import Outgoing, Refused, SendStart, SendStop
from propeller.core.events import (
    ConnectionLost,
    ConnectionRestored,
    Fact,
    ManagerStarted,
    PropletLost,
    TimePassed,
)
from propeller.core.idempotency import Remembered
from propeller.core.placement import Order
from propeller.core.policy import Policy
from propeller.core.state import ClusterState
from propeller.core.times import Moment
from propeller.errors import PropellerError
from propeller.manager import engine
from propeller.manager.clock import Clock
from propeller.manager.engine import Announce, Answer, Ask, Commit, Found, Load, Send, Step
from propeller.manager.inbox import Inbox
from propeller.manager.standing import Standing, Times
from propeller.wire.fleet.facts import fact_of
from propeller.wire.fleet.from_manager import Announcement, FromManager, Hello
from propeller.wire.fleet.messages import Message
from propeller.wire.fleet.modules import ModuleChunk, ModuleRequest
from propeller.wire.fleet.outgoing import messages_to_native, start_message, stop_message

from .broker import MANAGER, Broker
from .checker import Checker
from .disks import StoreDisk
from .keys_checker import KeysChecker
from .manager_checker import ManagerChecker
from .store import SimulatedStore
from .transport import Network, about, told
from .waits_checker import WaitsChecker
from .world import MS, LawBroken, S, World

POLICY = Policy(
    losses_max=4,
    liveness_s=6.0,
    offline_s=1.0,
    resend_s=2.0,
    foreign_lease_s=20.0,
    foreign_slots=2,
    forget_s=30.0,
)
#: Of what managers on one channel wait for each other; a proplet is more patient.
TIMES = Times(here_every=2.0, quiet=0.3, rival=4.0, deaf=2.0)
#: After it stood still, the manager reads within this time what has arrived meanwhile.
READING_NS = 300 * MS
#: The chance of an end before a step, and again after it.
CRASH_AT_STEP = 0.001
#: How many facts, and how many commands of each lane, a turn takes.
TAKEN_MAX = 4


class Ticket(Protocol):
    """Who waits for an answer."""

    def answered(self, outcome: object) -> None: ...

    def lost(self) -> None: ...


class Peer(Protocol):
    """A proplet, as the manager's side of the network sees it."""

    id: str
    is_local: bool

    def arrive(self, message: Message, boot: int) -> None: ...

    def manager_is_up(self) -> None: ...

    def manager_is_gone(self) -> None: ...


class SimulatedManager:
    def __init__(
        self,
        world: World,
        store: SimulatedStore,
        carriers: tuple[Network, Broker],
        checker: Checker,
        cluster_class: Callable[[ClusterState], Cluster] = Cluster,
        state_class: Callable[[Policy], ClusterState] = ClusterState,
    ):
        self.peers: dict[str, Peer] = {}
        self.cluster: Cluster | None = None
        #: Counts the starts; what was meant for an earlier one is lost.
        self.incarnation = 0
        self._world = world
        self._store = store
        self._network, self._broker = carriers
        self._policy = replace(POLICY, placement=world.random.choice(list(Order)))
        self._broker.join(
            MANAGER, self._arrive_from_broker, self._connected_to_broker, self._disconnected_from_broker
        )
        self._checker = checker
        self.disk = StoreDisk(world, store)
        self.rivalry = ManagerChecker(world)
        self.keys = KeysChecker()
        self._make_cluster, self._make_state = cluster_class, state_class
        #: How wrong the machine's clock is.
        self._clock_is_wrong_by = 0
        self._stands_still_until = 0
        #: Outlives a store that is restored.
        self._epoch = 0
        self._reset()

    def _reset(self) -> None:
        self._inbox = Inbox(lambda _: 1, facts_max=TAKEN_MAX, tasks_max=TAKEN_MAX)
        self._waits = WaitsChecker(TAKEN_MAX)
        self._inputs: Sequence[engine.Input] = ()
        self._steps: Generator[Step, Found | None, None] | None = None
        self._committing: Commit | None = None
        self._clock = Clock(lambda: self._world.now + self._clock_is_wrong_by, lambda: self._world.now)
        #: Whether the channel is ours to serve, and since when; what comes and goes before waits for that.
        self._standing = Standing("first", self._epoch, "", TIMES)
        self._served_since = 0
        self._came_early: list[Message] = []
        self._waiting: list[tuple[str, Message]] = []
        #: When it wakes up for a timer.
        self._timer_at: int | None = None
        #: Of local proplets: the boot at the other end of their socket.
        self._connected: dict[str, int] = {}

    @property
    def is_up(self) -> bool:
        return self.cluster is not None

    @property
    def is_idle(self) -> bool:
        return not self._inbox and self._steps is None

    # -- its life ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take up where the last one stopped, as ``service.Manager.load`` does."""
        self.incarnation += 1
        self._epoch = max(self._epoch + 1, self._moment().now)
        self._reset()
        self.cluster = self._make_cluster(load(self._store, self._make_state(self._policy)))
        self._checker.manager_started()
        self._world.note("manager", f"starts, with {len(self.cluster.state.tasks)} tasks from the store")
        self.tell(ManagerStarted())
        self.tell(ConnectionLost())
        for peer in self.peers.values():
            if peer.is_local:
                peer.manager_is_up()
        self._broker.program_began(MANAGER, self._standing.will(self._moment().now))
        self._tick(self.incarnation)

    def crash(self) -> None:
        """End at once; a commit under way was in time, or was not."""
        if self.cluster is None:
            return
        if self._steps is None:
            self._checker.replay.check_all(self.cluster.state)
        committing = self._committing
        lost = [item for item in (*self._inputs, *self._inbox) if isinstance(item, Ask)]
        self._world.note("manager", "crashes")
        if committing is not None:
            if self._world.chance(0.5) and not self.disk.is_full:
                self._world.note("manager", "had its commit written all the same")
                self._write(committing)
            else:
                self._store.cut_off(committing.changes)
        self._store.crashed()
        self._broker.program_ended(MANAGER, politely=False)
        self.cluster = None
        self.incarnation += 1
        self._reset()
        self._stands_still_until = 0
        self._checker.hearing.manager_ended()
        for ask in lost:
            ask.ticket.lost()
        for peer in self.peers.values():
            if peer.is_local:
                peer.manager_is_gone()
        self._world.after(self._world.between(50, 4000), self.start)

    def stand_still(self, duration_ns: int) -> None:
        """Do nothing for a while, as a program that is stopped; what arrives meanwhile is read afterwards."""
        if self.is_up and not self._stands_still:
            self._world.note("manager", f"stands still for {duration_ns / S:.1f} s")
            self._stands_still_until = self._world.now + duration_ns
            self._checker.hearing.stands_still(self._stands_still_until)

    def move_clock(self, by_ns: int) -> None:
        self._world.note("manager", f"has its clock moved by {by_ns / S:.0f} s")
        self._clock_is_wrong_by += by_ns
        self.keys.clock_moved(by_ns)

    @property
    def present_ns(self) -> int:
        """Tell for how long it has served its channel, awake and connected; 0 where it does not."""
        if not self.is_up or not self._served_since or not self._broker.is_connected(MANAGER):
            return 0
        return max(self._world.now - max(self._served_since, self._stands_still_until), 0)

    def _moment(self) -> Moment:
        wall = self._world.now + self._clock_is_wrong_by
        return Moment(wall, self._world.now, wall=wall)

    @property
    def _stands_still(self) -> bool:
        return self._world.now < self._stands_still_until

    def _when_awake(self, action: Callable[[], None]) -> None:
        """Do something now, or soon after the manager goes on."""
        if self._stands_still:
            rest_ns = self._stands_still_until - self._world.now
            self._world.after(rest_ns + self._world.between(0, READING_NS / MS), action)
        else:
            action()

    def _later(self, delay_ns: int, action: Callable[[], None]) -> None:
        incarnation = self.incarnation

        def act() -> None:
            if incarnation != self.incarnation:
                return
            if self._stands_still:
                self._world.after(self._stands_still_until - self._world.now, act)
            else:
                action()

        self._world.after(delay_ns, act)

    def _tick(self, incarnation: int) -> None:
        if incarnation == self.incarnation:
            self._clock.look()
            self.tell(TimePassed())
            self._look_around()
            self._later(S, lambda: self._tick(incarnation))

    def _set_timer(self, due_in_ns: int | None) -> None:
        """Wake up when the next timer is due, as ``service.Manager`` does."""
        due = None if due_in_ns is None else self._world.now + due_in_ns
        if due is not None and due != self._timer_at:
            self._later(due - self._world.now, lambda: self.tell(TimePassed()))
        self._timer_at = due

    # -- what arrives --------------------------------------------------------------------------------------

    def tell(self, fact: Fact) -> None:
        self._waits.came(fact)
        self._inbox.append(fact)
        self._wake()

    def ask(self, ask: Ask) -> None:
        self._waits.came(ask)
        self._inbox.append(ask)
        self._wake()

    def arrive(self, peer: Peer, message: Message, incarnation: int) -> None:
        """Take in a proplet's message, as a fleet does."""
        self._checker.hearing.came(message)
        self._when_awake(lambda: self._take(peer, message, incarnation))

    def _take(self, peer: Peer, message: Message, incarnation: int) -> None:
        self._checker.hearing.was_read(message)
        if not self.is_up or (peer.is_local and incarnation != self.incarnation):
            return
        if isinstance(message, ModuleRequest):
            self._send_module(peer, message.app_name)
            return
        fact = fact_of(message, is_local=peer.is_local)
        if fact is not None:
            self.tell(fact)

    def _arrive_from_broker(self, message: Message) -> None:
        """Take in what a remote proplet said, as the remote fleet does."""
        self._checker.hearing.came(message)
        self._when_awake(lambda: self._take_from_broker(message))

    def _take_from_broker(self, message: Message) -> None:
        if isinstance(message, Announcement):
            if self.is_up:
                self._announce(self._standing.heard(message, self._moment()))
            return
        if self.is_up and not self._served_since:
            self._came_early.append(message)
            return
        self._checker.hearing.was_read(message)
        if isinstance(message, ModuleRequest):
            self._send_module(self.peers[str(message.proplet_id)], message.app_name)
            return
        fact = fact_of(message, is_local=False)
        if fact is not None and self.is_up:
            self.tell(fact)

    def _connected_to_broker(self) -> None:
        if self.is_up:
            self._announce(self._standing.connected(self._moment()))
            self._later(int(TIMES.quiet * S) + MS, self._look_around)

    def _look_around(self) -> None:
        self._announce(self._standing.time_passed(self._moment()))

    def _announce(self, announcements: list[Announcement]) -> None:
        for one in announcements:
            self._broker.announce(MANAGER, one)
        if self._standing.other is not None:
            self._world.note("manager", f"gives way to {self._standing.other.manager_id}")
            self.crash()
        elif self._standing.is_serving and not self._served_since:
            self._serve()

    def _serve(self) -> None:
        """Ask all who is there."""
        self._served_since = self._world.now
        self._checker.hearing.is_connected(yes=True)
        self.tell(ConnectionRestored())
        for peer in self.peers.values():
            if not peer.is_local:
                self._broker.publish(MANAGER, peer.id, Hello(by=self._standing.by))
        early, self._came_early = self._came_early, []
        for message in early:
            self._take_from_broker(message)
        waiting, self._waiting = self._waiting, []
        for proplet_id, message in waiting:
            self._to_peer(proplet_id, message)

    def _disconnected_from_broker(self, unheard_ns: int) -> None:
        self._checker.hearing.is_connected(yes=False, since=self._world.now - unheard_ns)
        if self.is_up:
            self._served_since = 0
            self._standing.disconnected()
            self._broker.bequeath(MANAGER, self._standing.will(self._moment().now))
            self.tell(ConnectionLost(unheard_ns))

    def socket_opened(self, peer: Peer, boot: int) -> None:
        self._connected[peer.id] = boot

    def socket_closed(self, peer: Peer, boot: int) -> None:
        if self.is_up and self._connected.get(peer.id) == boot:
            del self._connected[peer.id]
            self.tell(PropletLost(peer.id, f"the process of proplet {peer.id} ended", boot))

    def _wake(self) -> None:
        if self._steps is None and len(self._inbox) == 1:
            self._later(self._world.between(0.05, 1), self._begin_turn)

    # -- turns ---------------------------------------------------------------------------------------------

    def _begin_turn(self) -> None:
        if self._steps is not None or not self._inbox or self.cluster is None:
            return
        self._inputs = self._inbox.take()
        self._waits.turn_began(self._inputs)
        self.keys.turn_began()
        self._checker.turn_began(self._inputs)
        self._steps = engine.turn(self.cluster, self._inputs, self._clock.moment())
        self._advance(None)

    def _advance(self, reply: Found | None) -> None:
        """Go on to the next step; an exception out of a turn is a defect, whatever came in."""
        assert self._steps is not None
        assert self.cluster is not None
        try:
            step = self._steps.send(reply)
        except StopIteration:
            self._steps, self._inputs = None, ()
            self._checker.turn_ended(self.cluster.state)
            self._set_timer(self.cluster.state.due_in_ns())
            if self._inbox:
                self._later(self._world.between(0.01, 0.2), self._begin_turn)
            return
        except Exception as error:
            raise LawBroken("no-defect", f"a turn raised {type(error).__name__}: {error}") from error
        if self._world.trouble(CRASH_AT_STEP, "manager crash"):
            self.crash()
        elif isinstance(step, (Commit, Load)):
            self._committing = step if isinstance(step, Commit) else None
            self._later(self._world.between(0.2, 8), lambda: self._finish(step))
        else:
            self._finish(step)

    def _finish(self, step: Step) -> None:
        if isinstance(step, Commit):
            if self.disk.is_full:
                self._world.fault("failed commit")
                self._world.note("manager", "ends: its commit fails, as the disk is full")
                self._committing = None
                self.crash()
                return
            if self.disk.tears():
                self.crash()
                return
        reply = self._carry_out(step)
        if self._world.trouble(CRASH_AT_STEP, "manager crash"):
            self.crash()
        else:
            self._advance(reply)

    def _carry_out(self, step: Step) -> Found | None:
        match step:
            case Load(task_ids, group_ids, keys):
                return self._store.find(task_ids, group_ids, keys)
            case Commit():
                self._committing = None
                self._write(step)
                self.disk.written()
            case Send(effects):
                self._send([effect for effect in effects if not isinstance(effect, Refused)])
            case Answer(ask, outcome):
                self.keys.answered(ask, outcome)
                if not isinstance(outcome, Remembered):
                    self._checker.answered(ask, outcome)
                refused = (
                    f"{ask.command} is refused: {outcome}" if isinstance(outcome, PropellerError) else ""
                )
                self._world.note("manager", refused or f"answers {type(ask.command).__name__}")
                ask.ticket.answered(outcome)
            case Announce(first_event_id, transitions):
                self._checker.announced(first_event_id, transitions)
        return None

    def _write(self, commit: Commit) -> None:
        self._store.commit(commit.changes)
        for move in commit.changes.transitions:
            why = move.reason or move.error
            told = f"commits {move.state.name}, attempt {move.attempt} on {move.proplet_id or 'no proplet'}"
            self._world.note("manager", f"{told}{why and f' ({why})'}", move.task_id)
        self.keys.committed(commit.changes)
        self._checker.committed(commit.changes, self._inputs)

    # -- what goes out -------------------------------------------------------------------------------------

    def _send(self, effects: list[Outgoing]) -> None:
        ours = []
        for effect in effects:
            self._checker.sent(effect)
            if isinstance(effect, SendStart) and not effect.is_native:
                start = start_message(effect, b"")
                self._checker.foreign.sent(effect, start)
                self._to_peer(effect.proplet_id, start)
            elif isinstance(effect, SendStop) and not effect.is_native:
                self._to_peer(effect.proplet_id, stop_message(effect))
            else:
                ours.append(effect)
        for proplet_id, messages in messages_to_native(ours).items():
            for message in messages:
                self._to_peer(proplet_id, message)

    def _send_module(self, peer: Peer, name: str) -> None:
        total = int(name.removeprefix("sha256:") in self._store.modules)
        self._to_peer(peer.id, ModuleChunk(app_name=name, chunk_idx=0, total_chunks=total, data=""))

    def _to_peer(self, proplet_id: str, message: Message) -> None:
        peer = self.peers.get(proplet_id)
        if peer is None:
            raise LawBroken("addressed", f"{type(message).__name__} goes to {proplet_id!r}, which is nobody")
        self._world.note("manager", f"sends {told(message)} to {proplet_id}", *about(message))
        if not peer.is_local:
            if isinstance(message, FromManager):
                message.by = self._standing.by
            if self._served_since:
                self._broker.publish(MANAGER, proplet_id, message)
            else:
                self._waiting.append((proplet_id, message))
            return
        boot = self._connected.get(proplet_id, 0)
        if boot:
            self._network.send(message, lambda arrived: peer.arrive(arrived, boot))


def load(store: SimulatedStore, state: ClusterState) -> ClusterState:
    """Fill a state with what the store has, as ``service.Manager.load`` does."""
    loaded = store.load()
    state.last_task_seq = loaded.last_task_seq
    state.last_group_seq = loaded.last_group_seq
    state.last_event_id = loaded.last_event_id
    state.adopt_proplets(loaded.proplets)
    state.adopt(*loaded.live)
    return state
