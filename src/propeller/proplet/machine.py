"""What a proplet holds and owes, as a pure machine: messages and outcomes in, actions out.

The manager may repeat, delay and reorder what it sends, and so may the transport with what is sent here:

- For each task the newest attempt counts; a start or a stop of an older one changes nothing.
- An attempt is run once, however often its start arrives.
- What was reported stays in the outbox, and is sent again, until the manager acknowledges it.

A foreign manager knows neither attempts nor acknowledgements. Its starts count as attempt 0: one that comes
while the task runs changes nothing, one that comes later runs the task again, and ends are reported once.
"""

from collections import OrderedDict
from collections.abc import Iterable

import msgspec
from msgspec import UNSET

from propeller.wire.messages import (
    Ack,
    Alive,
    Create,
    HandBack,
    Message,
    Results,
    Start,
    Stop,
)

#: Of this many tasks the newest attempt is remembered after it ended.
ATTEMPTS_REMEMBERED = 50_000

Report = Results | HandBack


class Run(msgspec.Struct, frozen=True):
    """Run the guest of this start; ``key`` names the run from now on."""

    key: int
    start: Start
    #: SHA-256 of its module, in hex.
    digest: str


class Kill(msgspec.Struct, frozen=True):
    """End this run; nobody waits for its outcome."""

    key: int


class Fetch(msgspec.Struct, frozen=True):
    """Get this module, and say ``module_arrived`` or ``module_missing``; it may be asked for twice."""

    #: ``sha256:<hex>``, or an image reference or URL as the task has it.
    source: str


class SendUp(msgspec.Struct, frozen=True):
    message: Message


class Keep(msgspec.Struct, frozen=True):
    """Make this report durable, then send it."""

    report: Report


class Forget(msgspec.Struct, frozen=True):
    """The report that is kept of this task is not needed any more."""

    task_id: str


Action = Run | Kill | Fetch | SendUp | Keep | Forget


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    key: int
    results: str = ""
    #: ``""`` where it succeeded.
    error: str = ""
    started_at: int = 0
    finished_at: int = 0


class _Held(msgspec.Struct, kw_only=True):
    start: Start
    #: 0 until the module is here and the run was begun.
    key: int = 0
    #: Of the module, from then on.
    digest: str = ""

    @property
    def attempt(self) -> int:
        return self.start.attempt or 0


class _Owed(msgspec.Struct, kw_only=True):
    report: Report
    sent_at: int


class Machine:
    """One proplet; each method takes in one thing and returns what must now be done, in order."""

    def __init__(
        self,
        proplet_id: str,
        *,
        boot: int,
        slots: int,
        kept: Iterable[Report] = (),
        resend_s: float = 5.0,
        refusal_of_encrypted: str = "TEE runtime not available",
    ) -> None:
        """Begin a proplet's life.

        Args:
            proplet_id: Its name everywhere.
            boot: Larger than that of any start of this proplet's program before.
            slots: How many guests it runs at once.
            kept: Reports of the program before that nobody has acknowledged.
            resend_s: A report that was not acknowledged after this time is sent again.
            refusal_of_encrypted: Why encrypted workloads fail here.

        """
        self.id = proplet_id
        self.boot = boot
        self.slots = slots
        self._resend_ns = int(resend_s * 1e9)
        self._refusal_of_encrypted = refusal_of_encrypted
        self._held: dict[str, _Held] = {}
        self._by_key: dict[int, _Held] = {}
        self._outbox: dict[str, _Owed] = {}
        self._newest: OrderedDict[str, int] = OrderedDict()
        self._modules: set[str] = set()
        self._waiting: dict[str, list[_Held]] = {}
        self._last_key = 0
        self._is_leaving = False
        for report in kept:
            self._outbox[report.task_id] = _Owed(report=report, sent_at=0)
            self._remember(report.task_id, report.attempt or 0)

    # -- what the manager says -----------------------------------------------------------------------------

    def receive(self, message: Message, now: int) -> list[Action]:
        match message:
            case Start():
                return self._start(message, now) if self._is_for_me(message) else []
            case Stop():
                return self._stop(message, now) if self._is_for_me(message) else []
            case Ack():
                return self._acknowledged(message)
        return []

    def _is_for_me(self, message: Start | Stop) -> bool:
        """Apply the contract's rule for shared topics (``mqtt``, section 3.4), to stops as well."""
        return bool(message.broadcast or not message.proplet_id or message.proplet_id == self.id)

    def _acknowledged(self, ack: Ack) -> list[Action]:
        actions: list[Action] = []
        for task_id, attempt in ack.ended:
            owed = self._outbox.get(task_id)
            if owed is not None and owed.report.attempt == attempt:
                del self._outbox[task_id]
                actions.append(Forget(task_id))
        return actions

    def _start(self, start: Start, now: int) -> list[Action]:
        again = self._seen_before(start, now)
        if again is not None:
            return again
        actions = self._drop(start.id)
        if start.attempt:
            self._remember(start.id, start.attempt)
        if self._is_leaving:
            return [*actions, self._hand_back(start, "the proplet is stopping", now)]
        held = self._held[start.id] = _Held(start=start)
        error = self._refusal_of_encrypted if start.encrypted else _obstacle(start)
        if error:
            return [*actions, self._report(held, now, error=error)]
        source = _source(start)
        if source in self._modules:
            return [*actions, self._run(held, source.removeprefix("sha256:"))]
        waiting = self._waiting.setdefault(source, [])
        waiting.append(held)
        return [*actions, Fetch(source)] if len(waiting) == 1 else actions

    def _seen_before(self, start: Start, now: int) -> list[Action] | None:
        """Answer a start that is old or a repetition; None if it is new."""
        if not start.attempt:
            return [] if start.id in self._held else None
        newest = self._newest.get(start.id, 0)
        if start.attempt > newest:
            return None
        owed = self._outbox.get(start.id)
        if start.attempt < newest or owed is None:
            return []
        owed.sent_at = now
        return [SendUp(owed.report)]

    def _stop(self, stop: Stop, now: int) -> list[Action]:
        attempt = stop.attempt or 0
        if not attempt:
            return self._stop_for_foreigner(stop.id, now)
        if attempt < self._newest.get(stop.id, 0):
            return []
        self._remember(stop.id, attempt)
        actions = self._drop(stop.id)
        if self._outbox.pop(stop.id, None) is not None:
            actions.append(Forget(stop.id))
        return actions

    def _stop_for_foreigner(self, task_id: str, now: int) -> list[Action]:
        """End a task and report that: its manager takes it for running until it hears of an end."""
        held = self._held.get(task_id)
        if held is None:
            return []
        actions = self._drop(task_id)
        return [*actions, self._report(held, now, error=f"task {task_id} was stopped before it was over")]

    def _remember(self, task_id: str, attempt: int) -> None:
        self._newest[task_id] = attempt
        self._newest.move_to_end(task_id)
        if len(self._newest) > ATTEMPTS_REMEMBERED:
            oldest = next(iter(self._newest))
            if oldest not in self._held and oldest not in self._outbox:
                del self._newest[oldest]

    def _drop(self, task_id: str) -> list[Action]:
        held = self._held.pop(task_id, None)
        if held is None:
            return []
        if held.key:
            del self._by_key[held.key]
            return [Kill(held.key)]
        waiting = self._waiting.get(_source(held.start), [])
        if held in waiting:
            waiting.remove(held)
        return []

    def _run(self, held: _Held, digest: str) -> Run:
        self._last_key += 1
        held.key, held.digest = self._last_key, digest
        self._by_key[held.key] = held
        return Run(held.key, held.start, digest)

    # -- what happens here ---------------------------------------------------------------------------------

    def module_arrived(self, source: str, digest: str) -> list[Action]:
        """The module is on the disk. What an image reference names may be another module the next time."""
        self._modules.add(f"sha256:{digest}")
        return [self._run(held, digest) for held in self._waiting.pop(source, ())]

    def module_gone(self, digest: str) -> None:
        """The module is not on the disk any more."""
        self._modules.discard(f"sha256:{digest}")

    def module_missing(self, source: str, why: str, now: int) -> list[Action]:
        return [self._report(held, now, error=why) for held in self._waiting.pop(source, ())]

    def start_of(self, key: int) -> Start | None:
        """Tell which start this run belongs to; None once it was stopped, or its end was taken in."""
        held = self._by_key.get(key)
        return None if held is None else held.start

    def ended(self, outcome: Outcome, now: int) -> list[Action]:
        held = self._by_key.get(outcome.key)
        if held is None:  # stopped, or overtaken by a newer attempt
            return []
        return [self._report(held, now, outcome=outcome)]

    def _report(self, held: _Held, now: int, *, error: str = "", outcome: Outcome | None = None) -> Action:
        outcome = outcome or Outcome(key=0, error=error)
        report = Results(
            task_id=held.start.id,
            proplet_id=self.id,
            results="" if outcome.error else outcome.results,
            error=outcome.error or None,
            attempt=held.start.attempt,
            started_at=outcome.started_at or UNSET,
            finished_at=outcome.finished_at or UNSET,
        )
        return self._owe(held, report, now)

    def _hand_back(self, start: Start, reason: str, now: int) -> Action:
        held = self._held.get(start.id) or _Held(start=start)
        if not start.attempt:  # a foreign manager would not understand
            return self._report(held, now, error=reason)
        report = HandBack(task_id=start.id, proplet_id=self.id, attempt=start.attempt, reason=reason)
        return self._owe(held, report, now)

    def _owe(self, held: _Held, report: Report, now: int) -> Action:
        self._held.pop(report.task_id, None)
        self._by_key.pop(held.key, None)
        if not held.attempt:
            return SendUp(report)
        self._outbox[report.task_id] = _Owed(report=report, sent_at=now)
        return Keep(report)

    def withdrawn(self, keys: list[int], reason: str, now: int) -> list[Action]:
        """Give back runs that did not begin: another proplet may have room for them.

        Not so a broadcast, which is meant for this one, nor what a foreign manager sent: these wait on.
        """
        actions: list[Action] = []
        for held in [self._by_key[key] for key in keys if key in self._by_key]:
            if held.attempt and not held.start.broadcast:
                actions.append(self._hand_back(held.start, reason, now))
            else:
                del self._by_key[held.key]
                actions.append(self._run(held, held.digest))
        return actions

    def leave(self, now: int) -> list[Action]:
        """Give back all that is held, and take nothing any more."""
        self._is_leaving = True
        actions: list[Action] = []
        for held in list(self._held.values()):
            if held.key:
                actions.append(Kill(held.key))
            actions.append(self._hand_back(held.start, "the proplet is stopping", now))
        self._waiting.clear()
        return actions

    @property
    def modules_in_use(self) -> set[str]:
        """Digests of the modules of what runs or waits to."""
        waiting = {_source(held.start).removeprefix("sha256:") for held in self._held.values()}
        return waiting | {held.digest for held in self._held.values()}

    @property
    def owes_nothing(self) -> bool:
        return not self._outbox

    # -- signs of life -------------------------------------------------------------------------------------

    def hello(self, namespace: str, metadata: dict[str, object]) -> Create:
        return Create(
            proplet_id=self.id,
            namespace=namespace,
            metadata=metadata,
            boot=self.boot,
            slots=self.slots,
            running=self._running(),
        )

    def alive(self, namespace: str, *, status: str = "alive") -> Alive:
        return Alive(
            proplet_id=self.id,
            status=status,
            namespace=namespace,
            boot=self.boot,
            slots=self.slots,
            running=self._running(),
        )

    def _running(self) -> list[tuple[str, int]]:
        held = [(task_id, held.attempt) for task_id, held in self._held.items()]
        owed = [(task_id, owed.report.attempt or 0) for task_id, owed in self._outbox.items()]
        return [*held, *owed]

    def connected(self, now: int) -> list[Action]:
        """Send all that is owed: whoever is there now may have heard nothing of it."""
        for owed in self._outbox.values():
            owed.sent_at = now
        return [SendUp(owed.report) for owed in self._outbox.values()]

    def time_passed(self, now: int) -> list[Action]:
        """Send again what was not acknowledged in time; ask again for modules that did not come."""
        actions: list[Action] = [Fetch(source) for source, waiting in self._waiting.items() if waiting]
        for owed in self._outbox.values():
            if now - owed.sent_at >= self._resend_ns:
                owed.sent_at = now
                actions.append(SendUp(owed.report))
        return actions


def _source(start: Start) -> str:
    """Name where the module comes from: its digest, or an image reference or URL; ``""`` if it has none."""
    return start.module or start.image_url or ""


def _obstacle(start: Start) -> str:
    """Say why a start can't be followed; the contract's validation, but reported (``mqtt``, section 3.1)."""
    if not start.id or not start.name:
        return "the start has no id or no name"
    if start.latent:
        return "this proplet can't deploy latent tasks"
    if not _source(start):
        return f"task {start.id} came without a module that this proplet can get"
    return ""
