"""The state machine of a proplet: messages and outcomes in, actions out. Pure.

The manager may repeat, delay and reorder what it sends, and so may the transport with what is sent here:

- For each task the newest attempt counts; a start or a stop of an older one changes nothing.
- An attempt is run once, however often its start arrives.
- A start is always answered: with what it holds, with the end that it owes, or that it is past that attempt.
  The last happens to a manager whose store was restored from a backup.
- A report stays owed, and is sent again, until the manager acknowledges it (``owed``).

A resident (a daemon, a server, a latent task) is reported when it is up, and again with each sign of life.
A daemon that crashes is started anew, after longer and longer waits. A latent task is compiled; invocations
then run it, each on its own and any number at once.

A foreign manager knows neither attempts nor acknowledgements. Its starts count as attempt 0: one that comes
while the task runs changes nothing, one that comes later runs the task again, and ends are reported once.
"""

from collections import OrderedDict
from collections.abc import Iterable

import msgspec
from msgspec import UNSET

from propeller.core.failures import ErrorKind, Failure
from propeller.core.sandbox import Offer
from propeller.proplet.account import NO_ACCOUNT, Account
from propeller.proplet.actions import Action, Kill, Outcome, Report, SendUp, StartRun
from propeller.proplet.awaited import AwaitedModules
from propeller.proplet.held import CRASHED, FETCHING, READY, RESTARTS, SERVING, STARTED, Held, HeldState
from propeller.proplet.invocations import LOSSES_MAX, Invocations
from propeller.proplet.owed import OwedReports
from propeller.proplet.signers import ModuleSigners
from propeller.proplet.starts import STOPPING, obstacle, reported, source_of, why_handed_back
from propeller.signing.images import SignedImage
from propeller.wire.fleet.from_manager import Ack, Invoke, Start, Stop
from propeller.wire.fleet.from_proplet import Alive, Compiling, Create, HandBack, InvokeResults, Results, Up
from propeller.wire.fleet.messages import Message

#: How many tasks have their newest attempt remembered after its end.
ATTEMPTS_REMEMBERED = 50_000

NO_OFFER = Offer()

#: An attempt before all, and one of its number that was placed after all.
_NEVER, _ALL = (0, 0), 2**63


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
        offer: Offer = NO_OFFER,
        account: Account = NO_ACCOUNT,
        sealing_key: str = "",
    ) -> None:
        """Begin a proplet's life.

        Args:
            proplet_id: Its name everywhere.
            boot: Larger than that of any start of this proplet's program before.
            slots: How many guests it runs at once.
            kept: Reports of the program before that nobody has acknowledged.
            resend_s: A report that was not acknowledged after this time is sent again.
            refusal_of_encrypted: Why encrypted workloads fail here.
            offer: The most that a task may ask for.
            account: What it says of what it has run.
            sealing_key: The public key that its secrets are sealed to, base64.

        """
        self.id = proplet_id
        self.boot = boot
        self.slots = slots
        self._refusal_of_encrypted = Failure(refusal_of_encrypted, ErrorKind.REFUSED)
        self._offer, self._account = offer, account
        self._sealing_key = sealing_key
        self._held: dict[str, Held] = {}
        self._by_key: dict[int, Held] = {}
        #: The newest attempt of each task, and when that was placed.
        self._newest: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._modules = AwaitedModules()
        self._crashed: dict[str, Held] = {}
        self._invocations = Invocations(proplet_id)
        self._signers = ModuleSigners()
        self._last_key = 0
        self._is_leaving = False
        kept = list(kept)
        self._owed = OwedReports(kept, resend_s=resend_s)
        for report in kept:
            self._remember(report.task_id, report.attempt or 0, report.placed_at or 0)

    # -- what the manager says -----------------------------------------------------------------------------

    def receive(self, message: Message, now: int) -> list[Action]:
        match message:
            case Start():
                return self._start(message, now) if self._is_for_me(message) else []
            case Stop():
                return self._stop(message, now) if self._is_for_me(message) else []
            case Invoke():
                return self._invoke(message, now) if self._is_for_me(message) else []
            case Ack():
                return self._owed.acknowledge(message)
        return []

    def _is_for_me(self, message: Start | Stop | Invoke) -> bool:
        """Apply the contract's rule for shared topics (``mqtt``, section 3.4), to stops as well."""
        return bool(message.broadcast or not message.proplet_id or message.proplet_id == self.id)

    def _start(self, start: Start, now: int) -> list[Action]:
        again = self._seen_before(start, now)
        if again is not None:
            return again
        actions = self._drop(start.id)
        if start.attempt:
            self._remember(start.id, start.attempt, start.placed_at or 0)
        reason = STOPPING if self._is_leaving else why_handed_back(start, self._sealing_key)
        if reason:
            return [*actions, self._hand_back(start, reason, now)]
        held = self._held[start.id] = Held(start=start)
        failure = self._refusal_of_encrypted if start.encrypted else obstacle(start, self._offer)
        if failure:
            return [*actions, self._fail(held, failure, now)]
        if self._modules.is_here(held):
            return [*actions, self._run_if_signed(held, source_of(start).removeprefix("sha256:"), None, now)]
        return [*actions, *self._modules.wait(held)]

    def _seen_before(self, start: Start, now: int) -> list[Action] | None:
        """Answer a start that is old or a repetition; None if it is new."""
        held = self._held.get(start.id)
        if not start.attempt:
            return [] if held is not None else None
        this, newest = (start.attempt, start.placed_at or 0), self._newest.get(start.id, _NEVER)
        if this > newest:
            return None
        if this == newest and held is not None:
            return []  # each sign of life says that it is here
        if this == newest and start.id in self._owed:
            return self._owed.repeat(start.id, now)
        return [SendUp(self._past(start, newest[0]))]

    def _past(self, start: Start, newest: int) -> HandBack:
        """Say that this attempt will not be run; the manager settles what that means."""
        assert start.attempt is not UNSET
        return HandBack(
            task_id=start.id,
            proplet_id=self.id,
            attempt=start.attempt,
            placed_at=start.placed_at,
            reason=f"the proplet is past it, at attempt {newest}",
            newest=newest,
        )

    def _stop(self, stop: Stop, now: int) -> list[Action]:
        attempt = stop.attempt or 0
        if not attempt:
            return self._stop_for_foreigner(stop.id, now)
        if attempt < self._newest.get(stop.id, _NEVER)[0]:
            return []
        self._remember(stop.id, attempt, _ALL)
        return [*self._drop(stop.id), *self._owed.drop(stop.id)]

    def _stop_for_foreigner(self, task_id: str, now: int) -> list[Action]:
        """End a task and report that: its manager takes it for running until it hears of an end."""
        held = self._held.get(task_id)
        if held is None:
            return []
        was_up = held.is_up
        actions = self._drop(task_id)
        if was_up:  # for its manager it has ended long since
            return actions
        return [
            *actions,
            self._fail(
                held, Failure(f"task {task_id} was stopped before it was over", ErrorKind.CANCELLED), now
            ),
        ]

    def _remember(self, task_id: str, attempt: int, placed_at: int) -> None:
        self._newest[task_id] = attempt, placed_at
        self._newest.move_to_end(task_id)
        if len(self._newest) > ATTEMPTS_REMEMBERED:
            oldest = next(iter(self._newest))
            if oldest not in self._held and oldest not in self._owed:
                del self._newest[oldest]

    def _drop(self, task_id: str) -> list[Action]:
        held = self._held.pop(task_id, None)
        if held is None:
            return []
        actions = self._invocations.drop(task_id) if held.start.latent else []
        if held.has_run:
            del self._by_key[held.key]
            return [*actions, Kill(held.key)]
        if held.state is FETCHING:
            self._modules.wait_no_more(held)
        if held.state is CRASHED:
            self._crashed.pop(task_id, None)
        return actions

    def _next_key(self) -> int:
        self._last_key += 1
        return self._last_key

    def _invoke(self, invoke: Invoke, now: int) -> list[Action]:
        held = self._held.get(invoke.id)
        if held is None or not held.start.latent:
            why = f"task {invoke.id} has not been precompiled; deploy it as a latent task first"
            return self._invocations.refuse(invoke, why)
        if not held.is_up:
            held.early.append(invoke)
            return []
        return [self._begin_invocation(held, invoke, now)]

    def _begin_invocation(self, held: Held, invoke: Invoke, now: int) -> Action:
        return self._invocations.begin(self._next_key(), held.start, held.digest, invoke, now)

    def _run(self, held: Held, digest: str) -> StartRun:
        """Begin a run; what a foreign manager knows to serve goes on serving, whatever becomes of its run."""
        if held.state is not SERVING:
            held.move(STARTED)
        held.key, held.digest = self._next_key(), digest
        self._by_key[held.key] = held
        return StartRun(held.key, held.start, digest, is_preparation=held.start.latent)

    # -- what happens here ---------------------------------------------------------------------------------

    def module_arrived(
        self, source: str, digest: str, now: int, image: SignedImage | None = None
    ) -> list[Action]:
        """The module is on the disk, from this image; None if nobody asked for the signatures of one."""
        ready, fetches = self._modules.arrived(source, digest, image)
        return [*(self._run_if_signed(held, digest, image, now) for held in ready), *fetches]

    def _run_if_signed(self, held: Held, digest: str, image: SignedImage | None, now: int) -> Action:
        """Begin a run, unless the start says which keys count and none of them has signed the module."""
        held.signer, why = self._signers.judge(held.start, digest, image)
        return self._fail(held, Failure(why, ErrorKind.REFUSED), now) if why else self._run(held, digest)

    def module_gone(self, digest: str) -> None:
        """The module is not on the disk any more."""
        self._modules.gone(digest)

    def module_missing(self, source: str, why: str, now: int) -> list[Action]:
        actions: list[Action] = []
        for held in self._modules.missing(source):
            actions += [self._fail(held, Failure(why, ErrorKind.MODULE), now), *self._refuse_early(held, why)]
        return actions

    def start_of(self, key: int) -> Start | None:
        """Tell which start this run belongs to; None once it was stopped, or its end was taken in."""
        held = self._by_key.get(key)
        return self._invocations.start_of(key) if held is None else held.start

    def printed(self, key: int, stream: str, size_bytes: int) -> tuple[Start, int] | None:
        """Say whose a piece is that this run has printed, and where it begins in the log of the attempt."""
        start = self.start_of(key)
        held = self._held.get(start.id) if start is not None else None
        if held is None:
            return None
        begin = held.printed_bytes.get(stream, 0)
        held.printed_bytes[stream] = begin + size_bytes
        return held.start, begin

    def up(self, key: int, results: str) -> list[Action]:
        """The guest of this run has begun, and serves there."""
        held = self._by_key.get(key)
        return [] if held is None else self._came_up(held, SERVING, results)

    def compiling(self, key: int, size_bytes: int) -> list[Action]:
        """The module of this run, which is so large, is compiled first; or it has been, where that is 0.

        A foreign manager is not told.
        """
        held = self._by_key.get(key)
        if held is None or not held.attempt:
            return []
        held.compiling = Compiling(
            task_id=held.start.id,
            proplet_id=self.id,
            attempt=held.attempt,
            size_bytes=size_bytes,
            placed_at=held.start.placed_at,
        )
        return [SendUp(held.compiling)]

    def _came_up(self, held: Held, state: HeldState, results: str = "") -> list[Action]:
        held.move(state)
        held.results = results
        if held.attempt:
            return [SendUp(self._up_of(held))]
        if held.start.latent:
            return []
        # The contract's word for it is a result, which a foreign manager takes for the end.
        return [SendUp(Results(task_id=held.start.id, proplet_id=self.id, results=results))]

    def _up_of(self, held: Held) -> Up:
        return Up(
            task_id=held.start.id,
            proplet_id=self.id,
            attempt=held.attempt,
            is_up=held.is_up,
            results=held.results or UNSET,
            restarts=held.restarts,
            error=held.error,
            placed_at=held.start.placed_at,
        )

    def ended(self, outcome: Outcome, now: int) -> list[Action]:
        answer = self._invocations.ended(outcome)
        if answer is not None:
            return answer
        held = self._by_key.get(outcome.key)
        if held is None:  # stopped, or overtaken by a newer attempt
            return []
        if held.start.latent and not outcome.error:
            self._forget_run(held)
            early, held.early = held.early, []
            return self._came_up(held, READY) + [self._begin_invocation(held, one, now) for one in early]
        if held.start.daemon and outcome.error and not outcome.is_refused:
            return self._crash(held, outcome, now)
        action = self._lost(held, outcome, now) if outcome.is_lost else self._report(held, outcome, now)
        return [action, *self._refuse_early(held, outcome.error)]

    def _refuse_early(self, held: Held, why: str) -> list[Action]:
        """Answer the invocations that waited for a task which is not here any more."""
        if self._held.get(held.start.id) is held:
            return []
        return [action for early in held.early for action in self._invocations.refuse(early, why)]

    def _lost(self, held: Held, outcome: Outcome, now: int) -> Action:
        """Let the manager run it again, and count that; a foreign one would not, so it is done here."""
        if held.attempt:
            return self._hand_back(held.start, outcome.error, now, is_lost=True)
        held.losses += 1
        if held.losses > LOSSES_MAX:
            return self._report(held, outcome, now)
        self._forget_run(held)
        return self._run(held, held.digest)

    def _forget_run(self, held: Held) -> None:
        del self._by_key[held.key]
        held.key = 0

    def _crash(self, held: Held, outcome: Outcome, now: int) -> list[Action]:
        """Start a daemon anew after a while, which grows unless it had run for long."""
        self._forget_run(held)
        held.move(CRASHED)
        ran_ns = outcome.finished_at - outcome.started_at
        in_a_row = 0 if ran_ns > RESTARTS.longest_s * 1e9 else held.restarts
        wait_s = RESTARTS.delay_s(in_a_row)
        held.restarts, held.error = held.restarts + 1, outcome.error
        held.restart_at = now + int(wait_s * 1e9)
        self._crashed[held.start.id] = held
        return [SendUp(self._up_of(held))] if held.attempt else []

    def _fail(self, held: Held, failure: Failure, now: int) -> Action:
        """Report a failure of what never ran."""
        return self._report(held, Outcome(key=0, failure=failure), now)

    def _report(self, held: Held, outcome: Outcome, now: int) -> Action:
        results, encoding = reported(held.start, outcome)
        report = Results(
            task_id=held.start.id,
            proplet_id=self.id,
            results=results,
            results_encoding=encoding,
            error=outcome.error or None,
            error_kind=str(outcome.failure.kind) if outcome.failure else UNSET,
            exit_code=(outcome.failure.exit_code if outcome.failure else 0) or UNSET,
            attempt=held.start.attempt,
            placed_at=held.start.placed_at,
            started_at=outcome.started_at or UNSET,
            finished_at=outcome.finished_at or UNSET,
            ran=self._account.of(held, outcome),
        )
        return self._owe(held, report, now)

    def cut_down(self, report: Results | InvokeResults) -> list[Action]:
        """Send this in place of a report that was too large, unless that is settled."""
        if isinstance(report, InvokeResults) or not report.attempt:
            return [SendUp(report)]
        return self._owed.replace(report)

    def _hand_back(self, start: Start, reason: str, now: int, *, is_lost: bool = False) -> Action:
        held = self._held.get(start.id) or Held(start=start)
        if not start.attempt:  # a foreign manager would not understand
            return self._fail(held, Failure(reason, ErrorKind.LOST), now)
        report = HandBack(
            task_id=start.id,
            proplet_id=self.id,
            attempt=start.attempt,
            placed_at=start.placed_at,
            reason=reason,
            is_lost=is_lost or UNSET,
        )
        return self._owe(held, report, now)

    def _owe(self, held: Held, report: Report, now: int) -> Action:
        self._held.pop(report.task_id, None)
        self._by_key.pop(held.key, None)
        if not held.attempt:
            return SendUp(report)
        return self._owed.add(report, now)

    def withdrawn(self, keys: list[int], reason: str, now: int) -> list[Action]:
        """Give back runs that did not begin: another proplet may have room for them.

        Not so a broadcast, which is meant for this one, nor what a foreign manager sent: these wait on.
        """
        actions: list[Action] = []
        for held in [self._by_key[key] for key in keys if key in self._by_key]:
            if held.attempt and not held.start.broadcast and not held.start.is_resident:
                actions.append(self._hand_back(held.start, reason, now))
            else:
                self._forget_run(held)
                actions.append(self._run(held, held.digest))
        return actions + self._invocations.waits_on(keys, now)

    def leave(self, now: int) -> list[Action]:
        """Give back all that is held, and take nothing any more."""
        self._is_leaving = True
        actions: list[Action] = []
        for held in list(self._held.values()):
            actions += self._invocations.drop(held.start.id) if held.start.latent else []
            actions += [Kill(held.key)] if held.has_run else []
            actions.append(self._hand_back(held.start, STOPPING, now))
        self._modules.clear()
        self._crashed.clear()
        return actions

    def ups(self) -> list[Up]:
        """Report the residents again: this goes out with each sign of life, as it is never acknowledged."""
        return [self._up_of(held) for held in self._held.values() if held.attempt and held.speaks]

    @property
    def modules_in_use(self) -> set[str]:
        """Digests of the modules of what runs or waits to."""
        waiting = {source_of(held.start).removeprefix("sha256:") for held in self._held.values()}
        return waiting | {held.digest for held in self._held.values()}

    @property
    def owes_nothing(self) -> bool:
        return not self._owed

    # -- signs of life -------------------------------------------------------------------------------------

    def hello(self, namespace: str, metadata: dict[str, object]) -> Create:
        return Create(
            proplet_id=self.id,
            namespace=namespace,
            metadata={**metadata, "offers": msgspec.to_builtins(self._offer)},
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
            invocations=[
                *self._invocations.ids(),
                *(early.invocation_id for held in self._held.values() for early in held.early),
            ],
        )

    def _running(self) -> list[tuple[str, int]]:
        held = [(task_id, held.attempt) for task_id, held in self._held.items()]
        return [*held, *self._owed.attempts()]

    def connected(self, now: int) -> list[Action]:
        """Say again what is owed and what is compiled: this manager may have heard nothing of it."""
        compiling = [SendUp(held.compiling) for held in self._held.values() if held.compiling]
        return [*self._owed.repeat_all(now), *compiling]

    def time_passed(self, now: int) -> list[Action]:
        """Send again what was not acknowledged in time; ask again for modules that did not come."""
        actions: list[Action] = [*self._modules.fetches()]
        actions += self._owed.repeat_overdue(now)
        for held in [held for held in self._crashed.values() if now >= held.restart_at]:
            del self._crashed[held.start.id]
            actions.append(self._run(held, held.digest))
        return actions
