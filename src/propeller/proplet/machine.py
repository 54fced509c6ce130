"""What a proplet holds and owes, as a pure machine: messages and outcomes in, actions out.

The manager may repeat, delay and reorder what it sends, and so may the transport with what is sent here:

- For each task the newest attempt counts; a start or a stop of an older one changes nothing.
- An attempt is run once, however often its start arrives.
- What was reported stays in the outbox, and is sent again, until the manager acknowledges it.
"""

from collections import OrderedDict

import msgspec

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


class Run(msgspec.Struct, frozen=True):
    """Run the guest of this start; ``key`` names the run from now on."""

    key: int
    start: Start


class Kill(msgspec.Struct, frozen=True):
    """End this run; nobody waits for its outcome."""

    key: int


class Fetch(msgspec.Struct, frozen=True):
    """Get the module with this digest, and say ``module_arrived`` or ``module_missing``."""

    digest: str


class SendUp(msgspec.Struct, frozen=True):
    message: Message


Action = Run | Kill | Fetch | SendUp


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


class _Owed(msgspec.Struct, kw_only=True):
    message: Results | HandBack
    sent_at: int


class Machine:
    """One proplet; each method takes in one thing and returns what must now be done, in order."""

    def __init__(self, proplet_id: str, *, boot: str, slots: int, resend_s: float = 5.0) -> None:
        self.id = proplet_id
        self.boot = boot
        self.slots = slots
        self._resend_ns = int(resend_s * 1e9)
        self._held: dict[str, _Held] = {}
        self._by_key: dict[int, _Held] = {}
        self._outbox: dict[str, _Owed] = {}
        self._newest: OrderedDict[str, int] = OrderedDict()
        self._modules: set[str] = set()
        self._waiting: dict[str, list[_Held]] = {}
        self._last_key = 0
        self._is_leaving = False

    # -- what the manager says -----------------------------------------------------------------------------

    def receive(self, message: Message, now: int) -> list[Action]:
        match message:
            case Start():
                return self._start(message, now)
            case Stop():
                return self._stop(message)
            case Ack():
                owed = self._outbox.get(message.id)
                if owed is not None and owed.message.attempt == message.attempt:
                    del self._outbox[message.id]
        return []

    def _start(self, start: Start, now: int) -> list[Action]:
        newest = self._newest.get(start.id, 0)
        if start.attempt < newest:
            return []
        if start.attempt == newest:
            owed = self._outbox.get(start.id)
            if owed is None:
                return []
            owed.sent_at = now
            return [SendUp(owed.message)]
        actions = self._drop(start.id)
        self._remember(start.id, start.attempt)
        if self._is_leaving:
            return [*actions, self._hand_back(start, "the proplet is stopping", now)]
        held = self._held[start.id] = _Held(start=start)
        digest = _digest(start)
        if digest is None:
            error = f"task {start.id} came without a module that this proplet can get"
            return [*actions, self._report(held, now, error=error)]
        if digest in self._modules:
            return [*actions, self._run(held)]
        waiting = self._waiting.setdefault(digest, [])
        waiting.append(held)
        return [*actions, Fetch(digest)] if len(waiting) == 1 else actions

    def _stop(self, stop: Stop) -> list[Action]:
        newest = self._newest.get(stop.id, 0)
        if stop.attempt < newest:
            return []
        self._remember(stop.id, stop.attempt)
        self._outbox.pop(stop.id, None)
        return self._drop(stop.id)

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
        digest = _digest(held.start)
        if digest is not None and held in self._waiting.get(digest, ()):
            self._waiting[digest].remove(held)
        return []

    def _run(self, held: _Held) -> Run:
        self._last_key += 1
        held.key = self._last_key
        self._by_key[held.key] = held
        return Run(held.key, held.start)

    # -- what happens here ---------------------------------------------------------------------------------

    def module_arrived(self, digest: str) -> list[Action]:
        self._modules.add(digest)
        return [self._run(held) for held in self._waiting.pop(digest, ())]

    def module_missing(self, digest: str, why: str, now: int) -> list[Action]:
        return [self._report(held, now, error=why) for held in self._waiting.pop(digest, ())]

    def ended(self, outcome: Outcome, now: int) -> list[Action]:
        held = self._by_key.get(outcome.key)
        if held is None:  # stopped, or overtaken by a newer attempt
            return []
        return [self._report(held, now, outcome=outcome)]

    def _report(self, held: _Held, now: int, *, error: str = "", outcome: Outcome | None = None) -> SendUp:
        outcome = outcome or Outcome(key=0, error=error)
        message = Results(
            task_id=held.start.id,
            proplet_id=self.id,
            results=outcome.results if not outcome.error else None,
            error=outcome.error or None,
            attempt=held.start.attempt,
            started_at=outcome.started_at,
            finished_at=outcome.finished_at,
        )
        return self._owe(held, message, now)

    def _hand_back(self, start: Start, reason: str, now: int) -> SendUp:
        message = HandBack(task_id=start.id, proplet_id=self.id, attempt=start.attempt, reason=reason)
        return self._owe(self._held.get(start.id) or _Held(start=start), message, now)

    def _owe(self, held: _Held, message: Results | HandBack, now: int) -> SendUp:
        self._held.pop(message.task_id, None)
        self._by_key.pop(held.key, None)
        self._outbox[message.task_id] = _Owed(message=message, sent_at=now)
        return SendUp(message)

    def withdrawn(self, keys: list[int], reason: str, now: int) -> list[Action]:
        """Give back runs that did not begin: another proplet may have room for them."""
        found = [self._by_key[key] for key in keys if key in self._by_key]
        return [self._hand_back(held.start, reason, now) for held in found]

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
    def owes_nothing(self) -> bool:
        return not self._outbox

    # -- signs of life -------------------------------------------------------------------------------------

    def hello(self, metadata: dict[str, object]) -> Create:
        return Create(proplet_id=self.id, boot=self.boot, slots=self.slots, metadata=metadata)

    def alive(self, *, status: str = "alive") -> Alive:
        held = [(task_id, held.start.attempt) for task_id, held in self._held.items()]
        owed = [(task_id, owed.message.attempt) for task_id, owed in self._outbox.items()]
        return Alive(
            proplet_id=self.id, status=status, boot=self.boot, slots=self.slots, running=[*held, *owed]
        )

    def time_passed(self, now: int) -> list[Action]:
        """Send again what was not acknowledged in time; ask again for modules that did not come."""
        actions: list[Action] = [Fetch(digest) for digest, waiting in self._waiting.items() if waiting]
        for owed in self._outbox.values():
            if now - owed.sent_at >= self._resend_ns:
                owed.sent_at = now
                actions.append(SendUp(owed.message))
        return actions


def _digest(start: Start) -> str | None:
    if not isinstance(start.module, str):
        return None
    return start.module.removeprefix("sha256:")
