"""A proplet: the real machine, and guests that are nothing but a duration and an outcome."""

from collections import Counter
from collections.abc import Callable, Sequence
from zlib import crc32

import msgspec

from propeller.core.failures import Failure
from propeller.core.sandbox import Offer
from propeller.proplet.actions import Action, Fetch, Forget, Keep, Kill, Outcome, Report, SendUp, StartRun
from propeller.proplet.following import Following
from propeller.proplet.machine import NO_OFFER, Machine
from propeller.wire.fleet.from_manager import Announcement, FromManager, Hello, Start
from propeller.wire.fleet.from_proplet import Results, Up
from propeller.wire.fleet.messages import Message
from propeller.wire.fleet.modules import ModuleChunk, ModuleRequest

from .broker import MANAGER, Broker
from .checker import Checker
from .clocks import MachineClock
from .disks import FILLS_UP, OutboxDisk
from .manager import SimulatedManager
from .resident_checker import is_server, stays
from .transport import Network, about, told
from .world import MS, LawBroken, S, World

RESEND_S = 1.5
PATIENCE_NS = 250 * MS
LEAVE_NS = 3 * S
#: One of so many results is larger than the broker takes, which says so; 0 for none. Local ones have none.
LARGE_EVERY = 0
TOO_LARGE = "guest said more than the broker takes"
#: So often a program may send a result before it has taken in that it is too large.
_TRIES_MAX = 3
#: How long it waits for a manager that is silent before it follows another.
FAITH_NS = 8 * S
#: The chance that a program begins on a disk with nothing on it.
EMPTY_DISK = 0.1


def is_large(results: str) -> bool:
    """Say it by the text: a throw of the dice would change what happens besides."""
    return bool(results and LARGE_EVERY) and crc32(results.encode()) % LARGE_EVERY == 0


class _Guest(msgspec.Struct):
    start: Start
    since: int


class SimulatedProplet:
    """Local ones end with their manager, which sees at once when they end; remote ones just fall silent."""

    def __init__(
        self,
        world: World,
        carriers: tuple[Network, Broker],
        manager: SimulatedManager,
        checker: Checker,
        proplet_id: str,
        *,
        is_local: bool,
        slots: int,
        tags: Sequence[str] = (),
        offer: Offer = NO_OFFER,
        machine_class: Callable[..., Machine] = Machine,
        following_class: Callable[..., Following] = Following,
    ):
        self.id = proplet_id
        self.is_local = is_local
        self.tags = list(tags)
        self.offer = offer
        #: It never comes back.
        self.is_gone = False
        self.machine: Machine | None = None
        self.running: dict[int, _Guest] = {}
        #: Those that stay; they take no slots.
        self.residents: dict[int, Start] = {}
        self._queue: dict[int, _Guest] = {}
        self._modules: set[str] = set()
        self._world = world
        self._random = world.stream(proplet_id)
        self._network, self._broker = carriers
        self._manager = manager
        self._checker = checker
        self._slots = slots
        self._make_machine = machine_class
        self._make_following = following_class
        self._following = following_class(FAITH_NS)
        self._boots = 0
        #: The last that it said of each task that stays: attempt, and whether it is up.
        self._words: dict[str, tuple[int, bool]] = {}
        #: Its clock is not the manager's.
        wrong_by = 0 if is_local else world.random.choice((0, -600 * S, 600 * S))
        self._clock = MachineClock(world, proplet_id, wrong_by)
        if not is_local:
            self._clock.may_be_set()
        self._boot = 0
        #: With the outbox. Local ones have none.
        self.disk = OutboxDisk(world, proplet_id, 0 if is_local else FILLS_UP)
        #: On its way there.
        self._unwritten: dict[str, Report] = {}
        self._is_leaving = False
        #: How often the broker gave a report back to this program because it is too large.
        self._refusals: Counter[tuple[str, object, object]] = Counter()
        self._last_end = 0
        manager.peers[proplet_id] = self
        if not is_local:
            self._broker.join(proplet_id, lambda message: self.arrive(message, 0), self._connected)

    @property
    def is_quiet(self) -> bool:
        if self.is_gone:
            return self.machine is None
        if self.machine is None or self.running or self._queue:
            return False
        return self.machine.owes_nothing

    def held(self) -> set[tuple[str, int]]:
        """Name what it has not reported the end of: task and attempt."""
        return set(self.machine.alive("default").running) if self.machine is not None else set()

    def up(self) -> set[tuple[str, int]]:
        """Name what it has last said to be up here."""
        return {one for one in self.held() if self._words.get(one[0]) == (one[1], True)}

    # -- its life ------------------------------------------------------------------------------------------

    def start(self) -> None:
        if self.is_gone or self.machine is not None or (self.is_local and not self._manager.is_up):
            return
        if self.disk.is_full:  # it can't number this start
            self._world.after(500 * MS, self.start)
            return
        self._boots += 1
        self._boot = self._next_boot()
        self._is_leaving = False
        self._refusals.clear()
        self._world.note(self.id, f"starts as {self._boot}")
        kept = self.disk.read()
        machine = self._make_machine(
            self.id, boot=self._boot, slots=self._slots, kept=kept, resend_s=RESEND_S, offer=self.offer
        )
        self.machine = machine
        if self.is_local:
            self._manager.socket_opened(self, self._boot)
            self._say_hello()
        else:
            self._following = self._make_following(FAITH_NS)
            self._manager.rivalry.program_began(self.id)
            self._broker.program_began(self.id, machine.alive("default", status="offline"))
        self._later(S, lambda: self._tick(1))

    def _connected(self) -> None:
        self._following.connected(self._world.now)
        self._introduce()

    def _introduce(self) -> None:
        if self.machine is not None:
            self._say_hello()
            self._carry_out(self.machine.connected(self._world.now))

    def _next_boot(self) -> int:
        """Number this start of the program above all before, unless the disk was replaced by a new one."""
        if self.is_local or not self._world.trouble(EMPTY_DISK, "empty disk"):
            return 1000 * self._boots
        self._world.note(self.id, "starts with an empty disk and a wrong clock")
        self.disk.reports.clear()
        self._modules.clear()
        return self._boots

    def crash(self) -> None:
        if self.machine is not None:
            held = [guest.start.id for guest in (*self.running.values(), *self._queue.values())]
            self._world.note(self.id, "crashes", *held)
            self._end()

    def fork_server_dies(self) -> None:
        """All guests end with it, and the program lives on."""
        if self.machine is None:
            return
        guests = {key: guest.start for key, guest in self.running.items()} | self.residents
        self._world.note(self.id, "loses its fork server", *(start.id for start in guests.values()))
        for key, start in guests.items():
            self._lost(key, start)

    def _lost(self, key: int, start: Start) -> None:
        self.running.pop(key, None)
        self.residents.pop(key, None)
        if start.daemon:
            self._checker.guest_crashed(self.id, self._boot, start)
        else:
            self._checker.losses.guest_lost(self.id, start)
        if self.machine is not None:
            error = "its process was killed"
            self._carry_out(
                self.machine.ended(Outcome(key=key, failure=Failure(error), is_lost=True), self._world.now)
            )
            self._go_if_done()

    def leave(self) -> None:
        """Give back all work, say good-bye, and go once the manager has taken it in."""
        if self.machine is None or self._is_leaving:
            return
        self._world.note(self.id, "leaves")
        self._is_leaving = True
        self._carry_out(self.machine.leave(self._world.now))
        self._send(self.machine.alive("default", status="offline"))
        self._later(LEAVE_NS, self._end)
        self._go_if_done()

    def _end(self) -> None:
        boot, self.machine, self._boot = self._boot, None, 0
        if not self.is_local:
            self._broker.program_ended(self.id, politely=self._is_leaving)
        self.running.clear()
        self.residents.clear()
        self._queue.clear()
        self._unwritten.clear()
        self.disk.program_ended()
        if self.is_local:
            self._world.after(self._between(0.1, 5), lambda: self._manager.socket_closed(self, boot))
        self._world.after(self._between(100, 9000), self.start)

    def _go_if_done(self) -> None:
        if self._is_leaving and self.machine is not None and self.machine.owes_nothing:
            self._end()

    def manager_is_gone(self) -> None:
        if self.machine is not None:
            self._world.note(self.id, "ends with its manager")
            self._end()

    def manager_is_up(self) -> None:
        self._world.after(self._between(1, 50), self.start)

    def _between(self, least_ms: float, most_ms: float) -> int:
        return int(self._random.uniform(least_ms, most_ms) * MS)

    def _later(self, delay_ns: int, action: Callable[[], None]) -> None:
        boot = self._boot
        self._world.after(delay_ns, lambda: action() if boot and boot == self._boot else None)

    # -- messages ------------------------------------------------------------------------------------------

    def _say_hello(self) -> None:
        assert self.machine is not None
        self._send(self.machine.hello("default", {"boots": self._boots, "tags": self.tags}))

    def arrive(self, message: Message, boot: int) -> None:
        """Take in a message; one to a local proplet went down the socket of one boot."""
        if self.machine is None or (boot and boot != self._boot):
            return
        if not self.is_local and not self._listens_to(message):
            return
        if isinstance(message, ModuleChunk):
            self._take_module(message)
        elif isinstance(message, Hello):
            self._say_hello()
        else:
            self._carry_out(self.machine.receive(message, self._world.now))
        self._go_if_done()

    def _listens_to(self, message: Message) -> bool:
        """Keep to one manager, as the remote uplink does."""
        if isinstance(message, Announcement):
            self._manager.rivalry.announced(self.id, message)
            if self._following.announced(message, self._world.now):
                self._world.note(self.id, f"follows {message.manager_id}")
                self._introduce()
            return False
        if isinstance(message, FromManager):
            if not self._following.heeds(message, self._world.now):
                self._world.note(self.id, f"ignores {told(message)} of another manager", *about(message))
                return False
            self._manager.rivalry.obeyed(self.id, message)
        return True

    def _take_module(self, chunk: ModuleChunk) -> None:
        assert self.machine is not None
        digest = chunk.app_name.removeprefix("sha256:")
        if chunk.total_chunks:
            self._modules.add(digest)
            self._carry_out(self.machine.module_arrived(chunk.app_name, digest, self._world.now))
        else:
            why = f"the manager has no module {chunk.app_name}"
            self._carry_out(self.machine.module_missing(chunk.app_name, why, self._world.now))

    def _send(self, message: Message) -> None:
        if isinstance(message, Up):
            self._words[message.task_id] = message.attempt, message.is_up
        if not self.is_local:
            if self._broker.is_connected(self.id):
                if isinstance(message, Results) and is_large(message.results):
                    self._later(5 * MS, lambda: self._refused(message))
                else:
                    self._broker.publish(self.id, MANAGER, message)
            return
        manager, boot, incarnation = self._manager, self._boot, self._manager.incarnation

        def deliver(arrived: Message) -> None:
            if boot == self._boot:
                manager.arrive(self, arrived, incarnation)

        self._network.send(message, deliver)

    def _refused(self, report: Results) -> None:
        """Take in that a result is too large: something smaller is said in its place, and not for ever this."""
        assert self.machine is not None
        this = report.task_id, report.attempt, report.placed_at
        self._refusals[this] += 1
        self._world.note(self.id, f"can't send {told(report)}, which is too large", report.task_id)
        if self._refusals[this] > _TRIES_MAX:
            raise LawBroken("too-large", f"{self.id} goes on sending what can't be sent", report.task_id)
        cut = msgspec.structs.replace(report, results="", error=TOO_LARGE)
        self._carry_out(self.machine.cut_down(cut))
        self._go_if_done()

    # -- actions -------------------------------------------------------------------------------------------

    def _carry_out(self, actions: list[Action]) -> None:
        assert self.machine is not None
        pending = list(actions)
        while pending:
            action = pending.pop(0)
            match action:
                case StartRun(key, start, _, is_preparation) if stays(start) and not is_preparation:
                    self._begin_to_stay(key, start)
                case StartRun(key, start):
                    self._queue[key] = _Guest(start, self._world.now)
                    if crc32(start.id.encode()) % 5 == 0:
                        self._checker.fleet.compiling.add((start.id, start.attempt))
                        pending += self.machine.compiling(key, 2**23)
                case Kill(key):
                    self._kill(key)
                case SendUp(message):
                    self._world.note(self.id, f"sends {told(message)}", *about(message))
                    self._send(message)
                case Keep(report):
                    self._keep(report)
                case Forget(task_id):
                    self._unwritten.pop(task_id, None)
                    self.disk.forget(task_id)
                case Fetch(source):
                    digest = source.removeprefix("sha256:")
                    if digest in self._modules:
                        pending += self.machine.module_arrived(source, digest, self._world.now)
                    else:
                        self._send(ModuleRequest(app_name=source, proplet_id=self.id))
        self._fill_slots()

    def _keep(self, report: Report) -> None:
        """Send a report, remotely only when it is on the disk; a crash before that loses it."""
        if self.is_local or self._is_leaving:
            self._send(report)
            return

        self._unwritten[report.task_id] = report

        def written() -> None:
            if self._unwritten.get(report.task_id) is not report:
                return  # somebody has heard of it already, and it is dropped
            del self._unwritten[report.task_id]
            how = "which is durable" if self.disk.write(report) else "and can't keep it"
            self._world.note(self.id, f"sends {told(report)}, {how}", *about(report))
            self._send(report)

        self._later(self._between(0.2, 8), written)

    def _kill(self, key: int) -> None:
        for guests in (self.running, self._queue):
            guest = guests.pop(key, None)
            if guest is not None:
                self._world.note(self.id, f"kills attempt {guest.start.attempt}", guest.start.id)
        start = self.residents.pop(key, None)
        if start is not None:
            self._world.note(self.id, f"kills attempt {start.attempt}, which stayed", start.id)

    def _fill_slots(self) -> None:
        while self._queue and len(self.running) < self._slots:
            key = next(iter(self._queue))
            guest = self.running[key] = self._queue.pop(key)
            self._begin(key, guest.start)

    def _begin(self, key: int, start: Start) -> None:
        world = self._world
        world.note(self.id, f"runs attempt {start.attempt}", start.id)
        self._checker.guest_began(self.id, self._boot, start)
        kind = self._random.random()
        duration = self._between(1, 40) if kind < 0.65 else self._between(40, 1500)
        if kind > 0.96:
            duration = self._between(2000, 8000)
        uid = start.env["UID"]
        error = f"guest {uid} trapped in attempt {start.attempt}" if (self._random.random() < 0.2) else ""
        results = "" if error else f"{uid}:{start.attempt}\n"
        if is_large(results) and not self.is_local:
            self._checker.guest_will_say(start, "", TOO_LARGE)
        else:
            self._checker.guest_will_say(start, results, error)
        began = self._clock.now() + self._between(-50, 50)
        failure = Failure(error) if error else None
        end = began + duration
        outcome = Outcome(key=key, results=results, failure=failure, started_at=began, finished_at=end)
        if start.latent and not error:
            self._checker.residents.guest_is_up(uid, start.attempt, "")
        if "ENDLESS" not in start.env:
            was_wrong_by = self._clock.wrong_by
            self._later(duration, lambda: self._ended(self._told_late(outcome, was_wrong_by)))

    def _begin_to_stay(self, key: int, start: Start) -> None:
        """Begin what ends only where it crashes, is refused, or has nothing more to do."""
        world, uid = self._world, start.env["UID"]
        world.note(self.id, f"runs attempt {start.attempt}, which stays", start.id)
        self._checker.guest_began(self.id, self._boot, start)
        self.residents[key] = start
        where = f"http://{self.id}/{uid}" if is_server(start.env) else ""
        world_ends = self._random.random()
        if world_ends > 0.1:
            self._later(self._between(1, 300), lambda: self._came_up(key, start, where))
        if world_ends < 0.2:
            self._later(
                self._between(1, 4000), lambda: self._stayed(key, start, is_refused=world_ends < 0.05)
            )
        elif world.trouble(0.4, "guest crash"):
            self._later(self._between(1, 6000), lambda: self._crashed(key, start))

    def _came_up(self, key: int, start: Start, where: str) -> None:
        if self.machine is None or key not in self.residents:
            return
        self._world.note(self.id, f"has attempt {start.attempt} up", start.id)
        self._checker.residents.guest_is_up(start.env["UID"], start.attempt, where)
        self._carry_out(self.machine.up(key, where))

    def _stayed(self, key: int, start: Start, *, is_refused: bool) -> None:
        """End by itself, or not be possible here at all."""
        error = f"guest {start.env['UID']} can't be run" if is_refused else ""
        self._checker.guest_will_say(start, "", error)
        self._left(Outcome(key=key, failure=Failure(error), is_refused=is_refused))

    def _crashed(self, key: int, start: Start) -> None:
        error = f"guest {start.env['UID']} crashed in attempt {start.attempt}"
        if start.daemon:
            self._checker.guest_crashed(self.id, self._boot, start)
        else:
            self._checker.guest_will_say(start, "", error)
        self._left(Outcome(key=key, failure=Failure(error)))

    def _left(self, outcome: Outcome) -> None:
        start = self.residents.pop(outcome.key, None)
        if start is not None and self.machine is not None:
            self._world.note(
                self.id, f"has lost attempt {start.attempt}: {outcome.error or 'it ended'}", start.id
            )
            self._carry_out(self.machine.ended(outcome, self._world.now))
            self._go_if_done()

    def _told_late(self, outcome: Outcome, was_wrong_by: int) -> Outcome:
        """Let the clock tell the end of a run, which may have been moved since it told the begin."""
        moved_by = self._clock.wrong_by - was_wrong_by
        return msgspec.structs.replace(outcome, finished_at=outcome.finished_at + moved_by)

    def _ended(self, outcome: Outcome) -> None:
        if self.machine is None or outcome.key not in self.running:
            return
        del self.running[outcome.key]
        self._last_end = self._world.now
        self._carry_out(self.machine.ended(outcome, self._world.now))
        self._go_if_done()

    # -- time ----------------------------------------------------------------------------------------------

    def _tick(self, ticks: int) -> None:
        assert self.machine is not None
        now = self._world.now
        self._carry_out(self.machine.time_passed(now))
        if ticks % 2 == 0:
            for message in (self.machine.alive("default"), *self.machine.ups()):
                self._send(message)
        if now - self._last_end >= PATIENCE_NS:
            keys = [key for key, guest in self._queue.items() if now - guest.since >= PATIENCE_NS]
            for key in keys:
                del self._queue[key]
            self._carry_out(self.machine.withdrawn(keys, "the proplet is busy with longer tasks", now))
        self._go_if_done()
        self._later(self._between(900, 1100), lambda: self._tick(ticks + 1))
