"""The manager's one writer: collects what arrives, takes a turn, carries out its steps."""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from propeller.core.cluster import Cluster
from propeller.core.effects import Changes, Effect, Outgoing, Refused, Transition
from propeller.core.events import Command, CreateTasks, Fact, ManagerStarted, TimePassed
from propeller.core.idempotency import Key, Remembered, as_created
from propeller.core.model import GroupKind, JobMode, Module, Proplet, Spec, Task
from propeller.core.policy import Policy
from propeller.core.reasons import Waiting
from propeller.core.state import ClusterState
from propeller.core.states import PENDING
from propeller.errors import LeadershipLost, NotFound, OutcomeUnknown, StoreUnusable, Unavailable
from propeller.manager.clock import LOOK_EVERY_S, Clock
from propeller.manager.engine import Announce, Answer, Ask, Commit, Found, Input, Load, Send, turn
from propeller.manager.expiry import Expiry, forget_events
from propeller.manager.feed import Feed
from propeller.manager.inbox import Inbox
from propeller.manager.invocations import ENDED_WITH_MANAGER, Invocations
from propeller.manager.joining import Joining
from propeller.manager.logs import TaskLogs
from propeller.manager.pace import Pace
from propeller.manager.patience import Lead, Patience
from propeller.manager.present import Present
from propeller.manager.refusals import Refusals
from propeller.manager.samples import Samples
from propeller.manager.secrets import Secrets
from propeller.store.port import Store
from propeller.vault.master_keys import KeySource

_log = logging.getLogger(__name__)

Outcome = list[Task] | Remembered
_NOT_BEGUN = "this manager does not lead any more, and has done nothing of that; ask again"
_MAYBE_DONE = (
    "that may have been done or not, or be done yet; look, or ask again: with an Idempotency-Key it is done "
    "only once"
)
#: How many of the tasks that an earlier command created are read in one query.
_READ_AT_ONCE = 500
#: For how long after a turn there is probably more to do, s.
_BUSY_S = 0.25


class Fleet(Protocol):
    """Carries effects to proplets. It may lose, repeat and reorder them."""

    def send(self, effects: Sequence[Outgoing]) -> None: ...


class Starting(NamedTuple):
    """A task that the start of its group begins, now or when those that it waits for have ended."""

    spec: Spec
    begins_now: bool


class Done(NamedTuple):
    """The outcome of a command that is carried out once."""

    #: The tasks that it created or changed; those that an earlier one created, as they were then.
    tasks: list[Task]
    #: True if an earlier command of the same key did it.
    was_done_before: bool


class Manager:
    """The entrance for everything that changes or reads the state.

    Reads go to ``store``, which shows only what is committed.
    """

    store: Store
    feed: Feed
    #: What proplets measured, and invocations: the engine knows nothing of these.
    samples: Samples
    invocations: Invocations
    #: What guests wrote; the engine does not know of that either.
    logs: TaskLogs
    #: What is in memory, for those who want to see only what is committed.
    present: Present
    #: What was done in the last hour.
    pace: Pace

    def __init__(
        self,
        store: Store,
        *,
        policy: Policy,
        clock: Clock | None = None,
        keep_ended_s: float | None = None,
        history_s: float | None = None,
        lead: Lead | None = None,
        secrets_key: KeySource | None = None,
    ) -> None:
        """Prepare it; call ``load`` and ``start`` next.

        ``keep_ended_s`` None keeps ended work for ever, and ``history_s`` None keeps events as long as the
        store has room for them. ``lead`` is None where no other manager has this store.
        """
        self.store = store
        #: The proplets that are heard by their signature alone, and how more join; the MQTT fleet says.
        self.signers: frozenset[str] = frozenset()
        self.joining: Joining | None = None
        self._lead = lead
        self.samples = Samples(store)
        self.invocations = Invocations(store, self._send_aside)
        self.logs = TaskLogs(store)
        self.secrets = Secrets(store, secrets_key or KeySource(), proplet=self.proplet, tell=self.tell)
        self._fleet: Fleet | None = None
        self._state = ClusterState(policy)
        self._cluster = Cluster(self._state)
        self.present = Present(self._state)
        self.pace = Pace(store, self.present)
        self._clock = clock or Clock()
        self._refusals = Refusals()
        self._inbox = Inbox(self._tasks_of)
        self._arrival = asyncio.Event()
        self._patience = Patience(store, lead)
        #: What the turn under way is about.
        self._inputs: list[Input] = []
        #: Set when a turn has taken in what waited.
        self._room = asyncio.Event()
        self._expiry = Expiry(store, keep_ended_s, self._arrival.set) if keep_ended_s else None
        self._history_s = history_s
        self._running: asyncio.Task[None] | None = None
        #: Set while the timer of a rule is due before the next look at the clock.
        self._timer: asyncio.TimerHandle | None = None
        self._is_stopping = False
        #: How often records in the store were changed since the program began.
        self.writes = 0
        self._has_stopped = False
        #: When the last turn ended, s by the monotonic clock.
        self._turn_ended_at = 0.0
        self._failure: BaseException | None = None

    async def load(self) -> None:
        """Take up the work of the last manager; call this once, before anything else."""
        loaded = await self.store.load()
        state = self._state
        state.last_task_seq = loaded.last_task_seq
        state.last_group_seq = loaded.last_group_seq
        state.last_event_id = loaded.last_event_id
        state.adopt_proplets(loaded.proplets)
        state.adopt(*loaded.live)
        await self.store.close_invocations(ENDED_WITH_MANAGER)
        await self.pace.load()
        await self.secrets.load()
        self.feed = Feed(self.store, loaded.last_event_id, is_busy=lambda: self._is_busy)
        self.tell(ManagerStarted())

    async def ask(self, command: Command, modules: dict[Module, bytes] | None = None) -> list[Task]:
        """Carry out a command; return, once it is durable, the tasks it created or changed.

        Raises:
            Invalid, NotFound, Conflict: The command breaks a rule; nothing has changed.
            StoreUnusable: Nothing can be written any more.
            LeadershipLost: Nothing can be written for now, and nothing was done.
            OutcomeUnknown: Nothing can be written for now, or the lead was lost in the middle.

        """
        outcome = await self._outcome(command, modules, None)
        assert not isinstance(outcome, Remembered), "it has no key"
        return outcome

    async def ask_once(self, key: Key, command: Command, modules: dict[Module, bytes] | None = None) -> Done:
        """Carry out a command, as ``ask`` does, unless that was done under its key within a day.

        Raises:
            KeyReused: The key stands for another request.
            NotFound: It was done, and what it created has been deleted since.
            Invalid, NotFound, Conflict, StoreUnusable: As for ``ask``.

        """
        outcome = await self._outcome(command, modules, key)
        if isinstance(outcome, Remembered):
            return Done(await self._created_by(outcome), was_done_before=True)
        return Done(outcome, was_done_before=False)

    async def _created_by(self, done: Remembered) -> list[Task]:
        found: dict[str, Task] = {}
        for start in range(0, len(done.task_ids), _READ_AT_ONCE):
            tasks = await self.store.tasks_of(done.task_ids[start : start + _READ_AT_ONCE])
            found.update((task.id, as_created(task)) for task in tasks if done.is_of(task))
        for task_id in done.task_ids:
            if task_id not in found:
                raise NotFound(
                    f"not found: the request with Idempotency-Key {done.key.text} created task {task_id}, "
                    "which has been deleted since; use a new key for a new request"
                )
        return [found[task_id] for task_id in done.task_ids]

    async def _outcome(
        self, command: Command, modules: dict[Module, bytes] | None, key: Key | None
    ) -> Outcome:
        if isinstance(self._failure, LeadershipLost):
            raise LeadershipLost(_NOT_BEGUN)
        if self._failure is not None:
            raise StoreUnusable("the manager is stopping because its store failed") from self._failure
        if self._has_stopped:
            raise StoreUnusable("the manager has stopped; ask again when it is back")
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._inbox.append(Ask(command, modules or {}, answer, key))
        self._arrival.set()
        return await answer

    def tell(self, fact: Fact) -> None:
        self._inbox.append(fact)
        self._arrival.set()

    @property
    def has_room(self) -> bool:
        """False while more facts wait than should; see ``room``."""
        return not self._inbox.is_full

    async def room(self) -> None:
        """Wait until most of the facts that wait have been taken in."""
        while not (self._inbox.has_room or self._has_stopped):
            self._room.clear()
            await self._room.wait()

    @property
    def is_at_work(self) -> bool:
        """True while a turn is being taken."""
        return self.present.is_changing

    @property
    def _is_busy(self) -> bool:
        """True while turns are taken, and for a moment after that: guests run, or the next turn comes."""
        return self.is_at_work or time.monotonic() - self._turn_ended_at < _BUSY_S

    @property
    def job_mode(self) -> JobMode:
        """The mode of a job that names none."""
        return self._state.policy.job_mode

    def proplets(self) -> list[Proplet]:
        """Return the live records, in the order in which they were first seen."""
        return list(self._state.proplets.values())

    @property
    def is_deaf(self) -> bool:
        """True while there is no connection to the broker, if there is to be one."""
        return self._state.remote.is_deaf

    def readiness(self) -> tuple[bool, list[str]]:
        """Say whether a task that is started now would be run, and what keeps proplets from running any."""
        why = self._patience.why_still()
        found = [f"the database: {why}"] if why else []
        takers = [one for one in self._state.proplets.values() if one.is_alive and not one.is_cordoned]
        is_deaf = self.is_deaf
        if is_deaf:
            found.append("the broker: there is no connection to it, so remote proplets hear and say nothing")
        if not takers:
            found.append("proplets: none is alive and takes new tasks")
        found += self.secrets.obstacles
        return not why and any(one.is_local or not is_deaf for one in takers), found

    @property
    def knows_runtime(self) -> bool:
        """True if it is known how guests are run, wherever a task is placed."""
        return self._state.placement.knows_runtime

    def proplet(self, proplet_id: str) -> Proplet | None:
        return self._state.proplets.get(proplet_id)

    def spec_in_memory(self, task_id: str) -> Spec | None:
        """Give what was asked for in a task that has not ended; None where the store has to be asked."""
        live = self._state.tasks.get(task_id)
        return None if live is None else live.spec

    def starting(self, kind: GroupKind, group_id: str) -> list[Starting] | None:
        """Give the tasks that the start of a group begins; None where it has ended: the store has them."""
        group = self._state.groups.get(group_id)
        if group is None or group.kind is not kind:
            return None
        waiting = [task for task in group.tasks.values() if task.state is PENDING]
        return [Starting(task.spec, begins_now=task.unmet == 0) for task in waiting]

    def holders(self, task: Task) -> list[tuple[Proplet, int]]:
        """Return the live proplets that run a task, each with the attempt that it has."""
        live = self._state.tasks.get(task.id)
        if live is None:
            return []
        found = [(self.proplet(one), live.attempt_on(one)) for one in self._state.holders(live)]
        return [(proplet, attempt) for proplet, attempt in found if proplet is not None and proplet.is_alive]

    def is_elsewhere(self, task_id: str, proplet_id: str, attempt: int | None = None) -> bool:
        """Say whether this attempt of a task, or whichever runs, is on other proplets than this one."""
        live = self._state.tasks.get(task_id)
        if live is None or (attempt is not None and attempt < live.attempt):
            return False
        holders = self._state.holders(live)
        return bool(holders) and proplet_id not in holders

    def why_waits(self, task: Task) -> Waiting | None:
        """Say what a scheduled task waits for at present, if that is more than its turn."""
        return self._state.why_waits(task)

    def connect(self, fleet: Fleet) -> None:
        """Send what proplets are told through this fleet from now on."""
        self._fleet = fleet

    async def start(self) -> None:
        """Begin to take turns."""
        if self._running is None:
            self._running = asyncio.create_task(self._run())

    @property
    def running(self) -> "asyncio.Task[None]":
        """The writer at work, from ``start`` on; it ends with ``StoreUnusable`` when a commit fails."""
        assert self._running is not None
        return self._running

    async def stop(self) -> None:
        """Finish what has arrived, then end; a failure of ``running`` is for its owner to notice."""
        if self._running is None:
            return
        self._is_stopping = True
        self._arrival.set()
        await asyncio.wait({self._running})
        if isinstance(self._failure, LeadershipLost):
            return
        for beside in (self.samples, self.logs, self.invocations, self.secrets):
            await beside.flush()
        if self._failure is None:
            await self.pace.end()

    async def abandon(self) -> None:
        """End at once, as after a crash: another manager has the lead, and the work goes on there."""
        if self._running is None:
            return
        if self._failure is None:
            self._failure = LeadershipLost(_NOT_BEGUN)
        self._is_stopping = True
        self.invocations.give_up()
        self._running.cancel()
        await asyncio.wait({self._running})

    async def _run(self) -> None:
        beside = [asyncio.create_task(self._tick()), asyncio.create_task(self.pace.run())]
        if self._expiry is not None:
            beside.append(asyncio.create_task(self._expiry.run()))
        if self._history_s:
            beside.append(asyncio.create_task(forget_events(self.store, self._history_s)))
        try:
            while self._inbox or not self._is_stopping:
                await self._arrival.wait()
                self._arrival.clear()
                inputs = self._inbox.take()
                self._room.set()
                if self._inbox:
                    self._arrival.set()
                if inputs:
                    self.present.turn_begins()
                    self._inputs = inputs
                    self._patience.turn_begins()
                    await self._take_turn(inputs)
                    self._inputs = []
                    self.present.turn_ended()
                    self._turn_ended_at = time.monotonic()
                    self._set_timer()
                if self._expiry is not None and self._expiry.is_due:
                    await self._expiry.piece()
                    await self.feed.look_for_watched()
                    self.writes += 1
        except BaseException as error:
            self._failure = self._failure or error
            self._refuse(_asks_among(list(self._inbox)), LeadershipLost(_NOT_BEGUN))
            self.present.turn_failed(self._failure)
            raise
        finally:
            self._has_stopped = True
            self._room.set()
            for task in beside:
                task.cancel()
            if self._timer is not None:
                self._timer.cancel()

    def _tasks_of(self, command: Command) -> int:
        """Count the tasks that a command is about, at least 1."""
        if isinstance(command, CreateTasks):
            return len(command.specs)
        group = self._state.groups.get(getattr(command, "group_id", ""))
        return max(len(group.tasks), 1) if group is not None else 1

    def _set_timer(self) -> None:
        """Wake up for the next timer of a rule, if it is due before the next look at the clock."""
        due_in_ns = self._state.due_in_ns()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due_in_ns is not None and due_in_ns < LOOK_EVERY_S * 1e9:
            self._timer = asyncio.get_running_loop().call_later(
                due_in_ns / 1e9, lambda: self.tell(TimePassed())
            )

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self._clock.look()
            self.tell(TimePassed())
            if self.is_at_work and (why := self._patience.why_over()):
                self._let_go(why)

    def _let_go(self, why: str) -> None:
        """Answer all who wait; what the turn under way is about may be done all the same, later."""
        unknown = OutcomeUnknown(f"this manager can't go on, because of the database: {why}; {_MAYBE_DONE}")
        not_begun = LeadershipLost(
            f"this manager can't go on, because of the database: {why}; nothing was done: ask again"
        )
        for asks, error in ((_asks_among(self._inputs), unknown), (self._inbox.withdraw(), not_begun)):
            for ask in asks:
                _answer(ask, error)
        self.present.let_go(not_begun)

    async def _take_turn(self, inputs: list[Input]) -> None:
        steps = turn(self._cluster, inputs, self._clock.moment())
        reply: Found | None = None
        committed: Changes | None = None
        try:
            while True:
                step, reply = steps.send(reply), None
                if self._lead is not None and not isinstance(step, Load | Commit) and not self._lead.may_act:
                    await self._lead.acting()
                match step:
                    case Commit(changes):
                        await self.store.commit(changes)
                        committed = changes
                        self.writes += 1
                    case Send(effects):
                        self._send(effects)
                    case Answer(ask, outcome):
                        _answer(ask, outcome)
                    case Announce(first_event_id, transitions):
                        self.feed.announce(first_event_id, transitions)
                        for transition in transitions:
                            self.invocations.moved(transition)
                        if _log.isEnabledFor(logging.DEBUG):
                            for transition in transitions:
                                _log.debug("%s", _in_words(transition))
                    case Load(task_ids, group_ids, keys):
                        reply = await self.store.find(task_ids, group_ids, keys)
        except StopIteration:
            if committed is not None:
                self.feed.committed(committed)
        except BaseException as error:
            self._failure = self._failure or error
            self._refuse(_asks_among(inputs), OutcomeUnknown(f"this manager lost the lead; {_MAYBE_DONE}"))
            raise

    def _send(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Refused):
                self._refusals.tell(effect)
        if self._fleet is not None:
            outgoing = [effect for effect in effects if not isinstance(effect, Refused)]
            self._fleet.send(self.secrets.filled(outgoing))

    def _send_aside(self, effects: Sequence[Outgoing]) -> None:
        """Send what no turn has decided; raise ``Unavailable`` if this manager may not act."""
        if self._lead is not None and not self._lead.may_act:
            raise Unavailable("this manager has lost its database, or the lead; try again soon")
        self._send(effects)

    def _refuse(self, asks: list[Ask], of_the_lead: LeadershipLost) -> None:
        """Answer those that will get no other answer; ``of_the_lead`` is for where the lead was lost."""
        for ask in asks:
            if isinstance(self._failure, LeadershipLost):
                _answer(ask, of_the_lead)
            else:
                _answer(
                    ask,
                    StoreUnusable("the manager stopped before it could answer; ask again when it is back"),
                )


def _in_words(it: Transition) -> str:
    where = f", attempt {it.attempt} on proplet {it.proplet_id}" if it.proplet_id else ""
    why = f": {it.error or it.reason}" if it.error or it.reason else ""
    return f"task {it.task_id} is {it.state.name.lower()}{where}{why}"


def _asks_among(inputs: list[Input]) -> list[Ask]:
    return [item for item in inputs if isinstance(item, Ask)]


def _answer(ask: Ask, outcome: Outcome | Exception) -> None:
    future: asyncio.Future[Outcome] = ask.ticket
    if future.done():  # the client went away
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
