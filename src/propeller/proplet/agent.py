"""The program around the machine: an uplink to the manager, guests, and modules on disk.

The uplink is a socket to the manager beside it (``socket_uplink``) or a broker (``mqtt_uplink``). Reports go
into the outbox first, where there is one.
"""

import asyncio
import base64
import logging
import time
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from propeller.core.failures import ErrorKind, Failure
from propeller.proplet.actions import Action, Fetch, Forget, Keep, Kill, Outcome, Report, SendUp, StartRun
from propeller.proplet.downloads import Downloads, Missing
from propeller.proplet.guest_runs import GuestRuns
from propeller.proplet.guests import MakeGuests
from propeller.proplet.log_messages import log_messages
from propeller.proplet.machine import Machine
from propeller.proplet.metrics import Sampler
from propeller.proplet.module_fetcher import ModuleFetcher, ModuleOutcome, Stored
from propeller.proplet.module_store import ModuleStore
from propeller.proplet.outbox import Outbox
from propeller.proplet.oversize import cut_down, halves_of, small_enough
from propeller.proplet.profile import Monitoring
from propeller.proplet.sandbox_policy import SandboxPolicy
from propeller.proplet.secrets import RunSecrets
from propeller.proplet.uplink import MakeUplink
from propeller.registry.fetcher import Fetcher
from propeller.runtime.guest_run import Compiling as GuestCompiling
from propeller.runtime.guest_run import Ended, GuestRun, Piece
from propeller.runtime.guest_run import Up as GuestUp
from propeller.vault.errors import CannotOpen
from propeller.vault.sealing import Opener
from propeller.wire.fleet.from_manager import Hello, Start
from propeller.wire.fleet.from_proplet import Alive, Create, InvokeResults, Logs, Results
from propeller.wire.fleet.messages import Message
from propeller.wire.fleet.modules import ModuleChunk

_log = logging.getLogger(__name__)

_TICK_S = 1.0
#: Runs that have waited this long, while none ended, are handed back.
_WAIT_S_MAX = 0.25
_LEAVE_S_MAX = 3.0


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    heartbeat_s: float = 10.0
    namespace: str = "default"
    #: As in the hello.
    metadata: dict[str, Any] = {}
    #: Fetch images from their registry, rather than ask the proxy. URLs are fetched in any case.
    fetches_images: bool = True
    sandbox_policy: SandboxPolicy = SandboxPolicy()
    monitoring: Monitoring = Monitoring()


class Agent:
    """Hands messages to the machine and carries out its actions, until the manager is gone."""

    def __init__(
        self,
        machine: Machine,
        *,
        settings: Settings,
        modules: ModuleStore,
        fetcher: Fetcher,
        make_guests: MakeGuests,
        make_uplink: MakeUplink,
        opener: Opener,
        outbox: Outbox | None = None,
    ) -> None:
        """Put an agent together; it makes the guests and the uplink, which tell it what happens."""
        self._machine = machine
        self._settings = settings
        self._outbox = outbox
        self._secrets = RunSecrets(machine.id, opener)
        self._guest_run = GuestRuns(machine.id, settings.sandbox_policy, modules).of
        self._guests = make_guests(self)
        self._uplink = make_uplink(self)
        self._modules = ModuleFetcher(
            Downloads(machine.id),
            modules,
            fetcher,
            self._uplink,
            fetches_images=settings.fetches_images,
            on_fetched=self._module_fetched,
        )
        self._sampler = Sampler(machine.id, self._guests, machine.start_of, settings.monitoring)
        self._last_end = 0.0
        self._is_watching = False
        self._is_leaving = False
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, leave: asyncio.Event) -> None:
        """Serve until the manager is gone (locally) or the proplet is told to leave.

        Raises:
            BrokerRefused, OSError: The manager can't be reached.

        """
        await self._guests.start()
        leaving = asyncio.create_task(self._leave_when(leave))
        ticking = asyncio.create_task(self._tick())
        beating = asyncio.create_task(self._beat())
        try:
            await self._uplink.start()
            await self._over
        finally:
            for beside in (leaving, ticking, beating):
                beside.cancel()
            await self._modules.stop()
            await self._uplink.stop()
            await self._guests.stop()

    # -- what the uplink tells -----------------------------------------------------------------------------

    def connected(self) -> None:
        """Say hello and repeat what is owed."""
        self._say_hello()
        self._carry_out(self._machine.connected(time.monotonic_ns()))
        self._uplink.send(self._machine.ups())

    def over(self, failure: BaseException | None = None) -> None:
        """Stop serving."""
        if self._over.done():
            return
        if failure is None:
            self._over.set_result(None)
        else:
            self._over.set_exception(failure)

    def receive(self, messages: Sequence[Message]) -> None:
        now = time.monotonic_ns()
        actions: list[Action] = []
        for message in messages:
            if isinstance(message, ModuleChunk):
                actions += self._module_settled(self._modules.take(message, now), now)
            elif isinstance(message, Hello):
                self._say_hello()
            else:
                if isinstance(message, Start):
                    self._unpack(message)
                actions += self._machine.receive(message, now)
        self._carry_out(actions)
        self._end_if_done()

    def _unpack(self, start: Start) -> None:
        """Put a module that came with its start in the module store, so that from here on it has a digest."""
        if not start.file:
            return
        try:
            digest = self._modules.keep(base64.b64decode(start.file, validate=True))
        except (ValueError, OSError) as error:
            _log.warning("the module of task %s can't be kept: %s", start.id, error)
            return
        start.file = UNSET
        start.module = f"sha256:{digest}"
        self._make_room()

    def refused(self, message: Message, why: str) -> None:
        """Send a message that is too large in another way."""
        match message:
            case Results() | InvokeResults() if cut_down(message, why):
                self._carry_out(self._machine.cut_down(message))
            case Create() | Alive() if message.running:
                message.running = UNSET
                self._uplink.send([message])
            case Logs() if len(message.text) > 1:
                self._uplink.send(halves_of(message))
            case _:
                pass  # it is said again, or may get lost

    # -- actions -------------------------------------------------------------------------------------------

    def _carry_out(self, actions: list[Action]) -> None:
        """Carry out in order; runs, reports and messages go out in one batch each."""
        runs: list[GuestRun] = []
        messages: list[Message] = []
        reports: list[Report] = []
        forgotten: list[str] = []
        pending = actions
        while pending:
            actions, pending = pending, []
            for action in actions:
                match action:
                    case StartRun(start=start):
                        _log.debug("starts task %s, attempt %s", start.id, start.attempt or 1)
                        try:
                            runs.append(self._guest_run(action, self._secrets.open(action)))
                        except CannotOpen as error:
                            pending += self._refused_run(action.key, str(error))
                    case Keep(report):
                        _log.debug("reports on task %s, attempt %s", report.task_id, report.attempt or 1)
                        reports.append(self._cut_to_fit(report))
                    case SendUp(message):
                        messages.append(self._cut_to_fit(message))
                    case Forget(task_id):
                        forgotten.append(task_id)
                    case Kill(key):
                        runs = [run for run in runs if run.key != key]
                        self._secrets.forget(key)
                        self._guests.stop_run(key)
                    case Fetch(source, with_signatures):
                        now = time.monotonic_ns()
                        found = self._modules.fetch(source, now, with_signatures=with_signatures)
                        pending += self._module_settled(found, now)
        if self._outbox is None or self._is_leaving:  # work that is handed back needs no report on disk
            messages = [*reports, *messages]
        else:
            self._keep(self._outbox, reports, forgotten)
        if messages and self._uplink.is_up:
            self._uplink.send(messages)
        if runs:
            self._guests.submit(runs)
            self._watch_queue()

    def _refused_run(self, key: int, why: str) -> list[Action]:
        """Let a run fail that was never begun."""
        failure = Failure(why, ErrorKind.REFUSED)
        return self._machine.ended(Outcome(key=key, failure=failure, is_refused=True), time.monotonic_ns())

    def _keep(self, outbox: Outbox, reports: list[Report], forgotten: list[str]) -> None:
        if forgotten:
            outbox.forget(forgotten)
        if reports:
            outbox.keep(reports, lambda: self._send_if_up(reports))

    def _send_if_up(self, reports: list[Report]) -> None:
        if self._uplink.is_up:
            self._uplink.send(reports)

    def _cut_to_fit(self, message: Any) -> Any:
        """Turn a result that no broker on the way would carry into a failure."""
        if isinstance(message, Results | InvokeResults) and (why := self._uplink.obstacle(message)):
            cut_down(message, why)
        return message

    # -- what the guests tell ------------------------------------------------------------------------------

    def guests_ended(self, batch: list[Ended]) -> None:
        """Report the ends of guests."""
        now = time.monotonic_ns()
        self._last_end = time.monotonic()
        self._sampler.ended(batch, time.time_ns())
        self._send_printed(self._secrets.rest(batch))
        actions: list[Action] = []
        for ended in map(self._secrets.ended, batch):
            outcome = Outcome(
                key=ended.key,
                results=ended.results,
                failure=ended.failure,
                is_refused=ended.is_refused,
                is_lost=ended.is_lost,
                started_at=ended.started_ns,
                finished_at=ended.finished_ns,
            )
            actions += self._machine.ended(outcome, now)
        self._carry_out(actions)

    def guests_up(self, batch: list[GuestUp]) -> None:
        """Report guests that serve."""
        ups = map(self._secrets.up, batch)
        self._carry_out([action for up in ups for action in self._machine.up(up.key, up.results)])

    def guests_compiling(self, batch: list[GuestCompiling]) -> None:
        """Say of guests that their modules are compiled first, or have been."""
        actions = (self._machine.compiling(one.key, one.size_bytes) for one in batch)
        self._carry_out([action for some in actions for action in some])

    def guests_printed(self, pieces: list[Piece]) -> None:
        """Send what guests print."""
        self._send_printed(self._secrets.printed(pieces))

    def _send_printed(self, pieces: list[Piece]) -> None:
        messages = log_messages(pieces, self._machine)
        if messages and self._uplink.is_up:
            self._uplink.send(small_enough(messages, self._uplink.room_bytes))

    # -- modules -------------------------------------------------------------------------------------------

    def _module_fetched(self, outcome: ModuleOutcome) -> None:
        self._carry_out(self._module_settled(outcome, time.monotonic_ns()))

    def _module_settled(self, outcome: ModuleOutcome | None, now: int) -> list[Action]:
        """Begin or fail the runs that wait for a module; None means that it is still on its way."""
        match outcome:
            case Stored(source, digest, image):
                actions = self._machine.module_arrived(source, digest, now, image)
                self._make_room()
                return actions
            case Missing(source, why):
                return self._machine.module_missing(source, why, now)
        return []

    def _make_room(self) -> None:
        for digest in self._modules.make_room(self._machine.modules_in_use):
            self._machine.module_gone(digest)

    # -- time ----------------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            now = time.monotonic_ns()
            actions = self._machine.time_passed(now)
            for outcome in self._modules.time_passed(now):
                actions += self._module_settled(outcome, now)
            actions += [SendUp(sample) for sample in self._sampler.tick(time.time_ns())]
            self._carry_out(actions)
            self._watch_queue()  # the pool may have taken runs back that it had handed out

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._settings.heartbeat_s)
            if self._uplink.is_up:
                alive = self._machine.alive(self._settings.namespace)
                if self._uplink.obstacle(alive):  # thousands of reports are owed: they speak for themselves
                    alive.running = UNSET
                self._uplink.send([alive, *self._machine.ups()])

    def _say_hello(self) -> None:
        hello = self._machine.hello(self._settings.namespace, self._settings.metadata)
        if self._uplink.obstacle(hello):
            hello.running = UNSET
        self._uplink.send([hello])

    def _watch_queue(self) -> None:
        """While runs wait and none ends, hand back those that have waited long."""
        if not self._is_watching and self._guests.waiting:
            self._is_watching = True
            asyncio.get_running_loop().call_later(_WAIT_S_MAX, self._check_queue)

    def _check_queue(self) -> None:
        self._is_watching = False
        if time.monotonic() - self._last_end >= _WAIT_S_MAX:
            keys = self._guests.withdraw(_WAIT_S_MAX)
            for key in keys:
                self._secrets.forget(key)
            reason = "the proplet is busy with longer tasks"
            self._carry_out(self._machine.withdrawn(keys, reason, time.monotonic_ns()))
        self._watch_queue()

    async def _leave_when(self, leave: asyncio.Event) -> None:
        await leave.wait()
        self.leave()

    def leave(self) -> None:
        """Hand back all work, say good-bye, and end once the manager has acknowledged it."""
        if self._is_leaving:
            return
        self._is_leaving = True
        offline = self._machine.alive(self._settings.namespace, status="offline")
        # In one go: between the two the manager would give back what it has just been handed.
        self._carry_out([*self._machine.leave(time.monotonic_ns()), SendUp(offline)])
        asyncio.get_running_loop().call_later(_LEAVE_S_MAX, self.over)
        self._end_if_done()

    def _end_if_done(self) -> None:
        if self._is_leaving and self._machine.owes_nothing:
            self.over()
