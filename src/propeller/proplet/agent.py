"""The program around the machine: a way to the manager, a pool of guests, modules on disk.

The ways are ``socket_uplink`` (to the manager beside it) and ``mqtt_uplink`` (through a broker). Reports
go into the outbox first, where there is one.
"""

import asyncio
import base64
import logging
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol

import msgspec
from msgspec import UNSET

from propeller.errors import ModuleUnavailable
from propeller.proplet.actions import Action, Fetch, Forget, Keep, Kill, Outcome, Report, SendUp, StartRun
from propeller.proplet.downloads import Arrived, Downloads, Known, Missing, News
from propeller.proplet.guest_runs import GuestRuns
from propeller.proplet.log_messages import log_messages
from propeller.proplet.machine import Machine
from propeller.proplet.metrics import Sampler
from propeller.proplet.module_store import ModuleStore
from propeller.proplet.outbox import Outbox
from propeller.proplet.oversize import cut_down, halves_of, small_enough
from propeller.proplet.sandbox_policy import SandboxPolicy
from propeller.registry.fetcher import Fetcher
from propeller.runtime.guest_run import Ended, GuestRun, Piece
from propeller.runtime.guest_run import Up as GuestUp
from propeller.wire.fleet.from_manager import Hello, Start
from propeller.wire.fleet.from_proplet import Alive, Create, InvokeResults, Logs, Results
from propeller.wire.fleet.messages import Message
from propeller.wire.fleet.modules import ModuleChunk

_log = logging.getLogger(__name__)

_TICK_S = 1.0
#: Runs that have waited this long, while none ended, are given back.
_WAIT_S_MAX = 0.25
_LEAVE_S_MAX = 3.0


class Guests(Protocol):
    """What runs guests; ``guests.guests_of`` makes it in real proplets."""

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    def submit(self, runs: list[GuestRun]) -> None: ...

    def stop(self, key: int) -> None: ...

    def withdraw(self, older_than_s: float) -> list[int]: ...

    @property
    def waiting(self) -> int: ...


class Uplink(Protocol):
    """The way to the manager. It may lose what it is given."""

    @property
    def is_up(self) -> bool: ...

    def send(self, messages: Sequence[Message]) -> None: ...

    def obstacle(self, message: Message) -> str:
        """Say why it would not carry a message of this size: "has … bytes, and …"; ``""`` where it would."""

    @property
    def room_bytes(self) -> int:
        """The largest message that is likely to get through, for what can be cut."""

    def farewell(self) -> Coroutine[Any, Any, None]:
        """Wait until all that was sent is out, then hang up."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    heartbeat_s: float = 10.0
    namespace: str = "default"
    #: As in the hello.
    metadata: dict[str, Any] = {}
    #: Fetch images from their registry, rather than ask the proxy. URLs are fetched in any case.
    fetches_images: bool = True
    sandbox_policy: SandboxPolicy = SandboxPolicy()


class Agent:
    """Carries messages to the machine and its actions out, until the manager's end is closed."""

    guests: Guests
    uplink: Uplink
    #: Measures, where that is wanted.
    sampler: Sampler | None = None

    def __init__(
        self,
        machine: Machine,
        *,
        settings: Settings,
        modules: ModuleStore,
        fetcher: Fetcher,
        outbox: Outbox | None = None,
    ) -> None:
        """Put a proplet together; ``guests`` and ``uplink`` are set before ``run``."""
        self._machine = machine
        self._settings = settings
        self._modules = modules
        self._fetcher = fetcher
        self._outbox = outbox
        self._downloads = Downloads(machine.id)
        self._guest_run = GuestRuns(machine.id, settings.sandbox_policy, modules).of
        #: Image references that are being fetched right now.
        self._fetching: dict[str, asyncio.Task[None]] = {}
        self._last_end = 0.0
        self._is_watching = False
        self._is_leaving = False
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, connect: Callable[[], Awaitable[None]]) -> None:
        """Serve until the manager is gone (locally) or this program is asked to leave.

        ``connect`` opens the way to the manager; what it raises ends the proplet.
        """
        # Before the first word: whoever has heard it may ask this process to leave.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.leave)
        await self.guests.start()
        ticking = asyncio.create_task(self._tick())
        beating = asyncio.create_task(self._beat())
        try:
            await connect()
            await self._over
        finally:
            for task in (ticking, beating, *self._fetching.values()):
                task.cancel()
            await self._fetcher.close()
            await self.uplink.farewell()
            await self.guests.close()

    def connected(self) -> None:
        """Say hello and repeat what is owed: told by the uplink, each time that there is a connection."""
        self._say_hello()
        self._carry_out(self._machine.connected(time.monotonic_ns()))
        self.uplink.send(self._machine.ups())

    def ended(self) -> None:
        """Stop serving: told by the uplink when the manager is gone for good."""
        if not self._over.done():
            self._over.set_result(None)

    # -- from the manager ----------------------------------------------------------------------------------

    def receive(self, messages: Sequence[Message]) -> None:
        now = time.monotonic_ns()
        actions: list[Action] = []
        for message in messages:
            if isinstance(message, ModuleChunk):
                requests, news = self._downloads.take(message, now)
                self.uplink.send(requests)
                actions += self._take_news(news, now)
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
            digest = self._modules.put(base64.b64decode(start.file, validate=True))
        except (ValueError, OSError) as error:
            _log.warning("the module of task %s can't be kept: %s", start.id, error)
            return
        start.file = UNSET
        start.module = f"sha256:{digest}"
        self._make_room()

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
                    case StartRun():
                        runs.append(self._guest_run(action))
                    case Keep(report):
                        reports.append(self._cut_to_fit(report))
                    case SendUp(message):
                        messages.append(self._cut_to_fit(message))
                    case Forget(task_id):
                        forgotten.append(task_id)
                    case Kill(key):
                        runs = [run for run in runs if run.key != key]
                        self.guests.stop(key)
                    case Fetch(source):
                        pending += self._fetch(source)
        if self._outbox is None or self._is_leaving:  # what is given back needs no memory
            messages = [*reports, *messages]
        else:
            self._keep(self._outbox, reports, forgotten)
        if messages and self.uplink.is_up:
            self.uplink.send(messages)
        if runs:
            self.guests.submit(runs)
            self._watch_queue()

    def _keep(self, outbox: Outbox, reports: list[Report], forgotten: list[str]) -> None:
        if forgotten:
            outbox.forget(forgotten)
        if reports:
            outbox.keep(reports, lambda: self._send_if_up(reports))

    def _send_if_up(self, reports: list[Report]) -> None:
        if self.uplink.is_up:
            self.uplink.send(reports)

    def _cut_to_fit(self, message: Any) -> Any:
        """Make a failure of a result that no broker on the way would carry."""
        if isinstance(message, Results | InvokeResults) and (why := self.uplink.obstacle(message)):
            cut_down(message, why)
        return message

    def refused(self, message: Message, why: str) -> None:
        """Send otherwise what is too large, which showed only on the way: told by the uplink."""
        match message:
            case Results() | InvokeResults() if cut_down(message, why):
                self._carry_out(self._machine.cut_down(message))
            case Create() | Alive() if message.running:
                message.running = UNSET
                self.uplink.send([message])
            case Logs() if len(message.text) > 1:
                self.uplink.send(halves_of(message))
            case _:
                pass  # it is said again, or may get lost

    def guests_ended(self, batch: list[Ended]) -> None:
        """Report the ends of guests; given to the pool as its ``on_ended``."""
        now = time.monotonic_ns()
        self._last_end = time.monotonic()
        if self.sampler is not None:
            self.sampler.ended(batch, time.time_ns())
        actions: list[Action] = []
        for ended in batch:
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
        """Report guests that serve; given to the pool as its ``on_up``."""
        self._carry_out([action for up in batch for action in self._machine.up(up.key, up.results)])

    def guests_printed(self, pieces: list[Piece]) -> None:
        """Send what guests print; given to the pool as its ``on_printed``."""
        messages = log_messages(pieces, self._machine)
        if self.uplink.is_up:
            self.uplink.send(small_enough(messages, self.uplink.room_bytes))

    def start_of(self, key: int) -> Start | None:
        """Tell which start a run belongs to, for as long as its end is waited for."""
        return self._machine.start_of(key)

    # -- modules -------------------------------------------------------------------------------------------

    def _fetch(self, source: str) -> list[Action]:
        digest = source.removeprefix("sha256:")
        if digest != source:
            if self._modules.has(digest):
                self._downloads.end(source)
                return self._machine.module_arrived(source, digest)
        elif self._settings.fetches_images or source.startswith(("http://", "https://")):
            if source not in self._fetching:
                self._fetching[source] = asyncio.create_task(self._fetch_image(source))
            return []
        if self.uplink.is_up:
            self.uplink.send(self._downloads.begin(source, time.monotonic_ns()))
        return []

    async def _fetch_image(self, reference: str) -> None:
        news: News
        try:
            with await self._fetcher.open(reference) as blob:
                news = Arrived(reference, await asyncio.to_thread(blob.read))
        except ModuleUnavailable as error:
            news = Missing(reference, str(error))
        except Exception:  # a defect of ours must not leave its task waiting
            _log.exception("fetching %s failed", reference)
            news = Missing(reference, "the proplet failed to fetch the module; its log says how")
        finally:
            del self._fetching[reference]
        self._carry_out(self._take_news(news, time.monotonic_ns()))

    def _take_news(self, news: News | None, now: int) -> list[Action]:
        match news:
            case Arrived(source, data):
                try:
                    digest = self._modules.put(data)
                except OSError as error:
                    why = f"the proplet can't keep the module on its disk: {error.strerror}"
                    return self._machine.module_missing(source, why, now)
                actions = self._machine.module_arrived(source, digest)
                self._make_room()
                return actions
            case Known(source, digest):
                if digest and self._modules.has(digest):
                    self._downloads.end(source)
                    return self._machine.module_arrived(source, digest)
                self.uplink.send(self._downloads.fetch(source))
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
            requests, news = self._downloads.time_passed(now)
            if self.uplink.is_up:
                self.uplink.send(requests)
            for one in news:
                actions += self._take_news(one, now)
            if self.sampler is not None:
                actions += [SendUp(sample) for sample in self.sampler.tick(time.time_ns())]
            self._carry_out(actions)
            self._watch_queue()  # the pool may have taken runs back that it had handed out

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._settings.heartbeat_s)
            if self.uplink.is_up:
                alive = self._machine.alive(self._settings.namespace)
                if self.uplink.obstacle(alive):  # thousands of reports are owed: they speak for themselves
                    alive.running = UNSET
                self.uplink.send([alive, *self._machine.ups()])

    def _say_hello(self) -> None:
        hello = self._machine.hello(self._settings.namespace, self._settings.metadata)
        if self.uplink.obstacle(hello):
            hello.running = UNSET
        self.uplink.send([hello])

    def _watch_queue(self) -> None:
        """While runs wait and none ends, give back those that have waited long."""
        if not self._is_watching and self.guests.waiting:
            self._is_watching = True
            asyncio.get_running_loop().call_later(_WAIT_S_MAX, self._check_queue)

    def _check_queue(self) -> None:
        self._is_watching = False
        if time.monotonic() - self._last_end >= _WAIT_S_MAX:
            keys = self.guests.withdraw(_WAIT_S_MAX)
            reason = "the proplet is busy with longer tasks"
            self._carry_out(self._machine.withdrawn(keys, reason, time.monotonic_ns()))
        self._watch_queue()

    def leave(self) -> None:
        """Give back all work, say good-bye, and go once the manager has taken it in."""
        if self._is_leaving:
            return
        self._is_leaving = True
        offline = self._machine.alive(self._settings.namespace, status="offline")
        # In one go: between the two the manager would give back what it has just been handed.
        self._carry_out([*self._machine.leave(time.monotonic_ns()), SendUp(offline)])
        asyncio.get_running_loop().call_later(_LEAVE_S_MAX, self.ended)
        self._end_if_done()

    def _end_if_done(self) -> None:
        if self._is_leaving and self._machine.owes_nothing:
            self.ended()
