"""One of several managers: the real decision who leads, and the engine's real turns over a database far away."""

from collections.abc import Callable, Generator
from typing import Any

from propeller.core.cluster import Cluster
from propeller.core.effects import Refused
from propeller.core.events import Fact, ManagerStarted, TimePassed
from propeller.core.policy import Policy
from propeller.core.state import ClusterState
from propeller.core.times import Moment
from propeller.errors import PropellerError
from propeller.manager import engine
from propeller.manager.engine import Announce, Answer, Ask, Commit, Found, Load, Send, Step
from propeller.manager.leadership import Leadership, Times, Wish
from propeller.store.lead import Held

from .manager import load
from .several_checker import SeveralChecker
from .several_database import LEASE_S, Database, Line
from .world import MS, LawBroken, S, World

POLICY = Policy(liveness_s=20.0, offline_s=5.0, resend_s=2.0, losses_max=10)
TIMES = Times.of(LEASE_S)
#: The chance of an end before a step of a turn.
CRASH_AT_STEP = 0.002
#: After how long a write is taken for lost, and tried again.
AGAIN_S = 2.0
#: Nobody has this lead.
NOTHING = Held(0, 0, "")


class SeveralManager:
    """A process that follows, leads, stands still, is cut off, crashes and is started anew."""

    def __init__(
        self,
        world: World,
        database: Database,
        checker: SeveralChecker,
        name: str,
        tell_proplets: Callable[["SeveralManager", list[Any]], None],
        leadership_class: Callable[[Times], Leadership] = Leadership,
    ):
        self.name = name
        self.line = Line(world, database, name)
        self.cluster: Cluster | None = None
        self.held = NOTHING
        self.epoch = 0
        self._world = world
        self._database = database
        self._checker = checker
        self._tell_proplets = tell_proplets
        self._make_leadership = leadership_class
        self._rate = 1 + world.random.uniform(-0.04, 0.04)
        self._ahead_ns = world.between(-400, 400)
        self._began = world.between(0, 1e6)
        self._incarnation = 0
        self._stands_still_until = 0
        self._is_up = False
        self._reset()

    def _reset(self) -> None:
        self._leadership = self._make_leadership(TIMES)
        self._end_term()

    def _end_term(self) -> None:
        lost = [
            item
            for item in (*getattr(self, "_inputs", ()), *getattr(self, "_inbox", ()))
            if isinstance(item, Ask)
        ]
        self.cluster = None
        self.held = NOTHING
        #: Counts terms and lives: what was meant for an earlier one is dropped.
        self._incarnation += 1
        self._inbox: list[engine.Input] = []
        self._inputs: list[engine.Input] = []
        self._steps: Generator[Step, Found | None, None] | None = None
        self._is_waiting: Step | None = None
        self._commits = 0
        for ask in lost:
            ask.ticket.lost()

    # -- its life ------------------------------------------------------------------------------------------

    @property
    def leads(self) -> bool:
        """Whether it believes so, which may be wrong."""
        return self._is_up and self.cluster is not None

    def ticks(self) -> int:
        return int(self._world.now * self._rate) + self._began

    def _moment(self) -> Moment:
        wall = self._world.now + self._ahead_ns
        return Moment(wall, self.ticks(), wall=wall)

    def start(self) -> None:
        self._world.note(self.name, "starts")
        self._is_up = True
        self._reset()
        self._look()

    def crash(self) -> None:
        if self._is_up:
            self._world.note(self.name, "crashes")
            self._is_up = False
            self._reset()
            self._world.after(self._world.between(500, 8000), self.start)

    def stop(self) -> None:
        """End in order: finish nothing more than what is done, and give the lead back."""
        if not self._is_up:
            return
        self._world.note(self.name, "is stopped")
        held = self.held
        self._leadership.leaves()
        if held.token:
            self.line.ask(lambda: self._database.release(held), lambda _: None, lambda: None, AGAIN_S)
        self._is_up = False
        self._end_term()
        self._world.after(self._world.between(500, 8000), self.start)

    def stand_still(self, duration_ns: int) -> None:
        if self._is_up:
            self._world.note(self.name, f"stands still for {duration_ns / S:.1f} s")
            self._stands_still_until = self._world.now + duration_ns

    def _later(self, delay_ns: int, action: Callable[[], None]) -> None:
        """Do something in this life and term, once the process does not stand still."""
        incarnation = self._incarnation

        def act() -> None:
            if incarnation != self._incarnation:
                return
            if self._world.now < self._stands_still_until:
                self._world.after(self._stands_still_until - self._world.now + self._world.between(0, 5), act)
            else:
                action()

        self._world.after(delay_ns, act)

    def _ask_database(
        self, do: Callable[[], Any], then: Callable[[Any], None], failed: Callable[[], None]
    ) -> None:
        """Ask, and hear the answer in this life and term only."""
        incarnation = self._incarnation

        def come(action: Callable[[], None]) -> None:
            if incarnation == self._incarnation:
                self._later(0, action)

        self.line.ask(do, lambda answer: come(lambda: then(answer)), lambda: come(failed), AGAIN_S)

    # -- the lead ------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Ask the database what the real decision wishes, and come back when it may wish more."""
        wish = self._leadership.wish(self.ticks())
        if wish is not None:
            self._wish(wish)
            return
        due_in_s = self._leadership.due_in_s(self.ticks())
        if due_in_s is not None:
            self._later(int(due_in_s * S) + MS, self._look)

    def _wish(self, wish: Wish) -> None:
        asked_at, held, database = self.ticks(), self.held, self._database

        def answered(answer: Any) -> None:
            if wish is Wish.TAKE and answer is None:
                self._leadership.not_free(self.ticks())
            elif wish is Wish.TAKE:
                self._checker.granted(answer, asked_at)
                self._leadership.granted(answer.token)
                self._begin_term(answer)
                return
            elif answer:
                self._checker.granted(held, asked_at)
                self._leadership.granted(held.token)
                self._go_on()
            else:
                self._lose()
                return
            self._look()

        def failed() -> None:
            self._leadership.unanswered(self.ticks())
            self._look()

        do = (lambda: database.take(self.name)) if wish is Wish.TAKE else (lambda: database.renew(held))
        self._ask_database(do, answered, failed)

    def freed(self) -> None:
        """Hear that the lead was given back."""
        if self._is_up and self._leadership.token is None:
            self._leadership.freed(self.ticks())
            self._later(0, self._look)

    def _lose(self) -> None:
        self._world.note(self.name, f"has lost the lead of token {self.held.token}")
        self._leadership.lost(self.ticks())
        self._end_term()
        self._look()

    def _begin_term(self, held: Held) -> None:
        self._end_term()
        self.held, self._commits = held, held.commits
        self._look()
        self._load()

    def _load(self) -> None:
        """Begin an epoch, and read what there is to do, as ``service.Manager.load`` does."""
        held, database, wall = self.held, self._database, self._moment().wall

        def do() -> tuple[int, ClusterState]:
            return database.begin_epoch(held, wall), load(database.store, ClusterState(POLICY))

        def loaded(answer: tuple[int, ClusterState]) -> None:
            self.epoch, state = answer
            if not self.epoch:
                self._lose()
                return
            self.cluster = Cluster(state)
            self._world.note(self.name, f"leads with token {held.token}, {len(state.tasks)} tasks")
            self.tell(ManagerStarted())
            if self.may_act():
                self._say([])
            self._tick()

        self._ask_database(do, loaded, self._load)

    def may_act(self) -> bool:
        return self._leadership.token == self.held.token and self._leadership.may_act(self.ticks())

    def _tick(self) -> None:
        self.tell(TimePassed())
        self._later(S, self._tick)

    # -- turns ---------------------------------------------------------------------------------------------

    def tell(self, *items: engine.Input) -> None:
        if self.leads:
            self._inbox += items
            if self._steps is None and len(self._inbox) == len(items):
                self._later(self._world.between(0.05, 1), self._begin_turn)

    def hear(self, facts: list[Fact]) -> None:
        """Take in what a proplet says, unless the process stands still, when it is read afterwards."""
        if self.leads:
            self._later(0, lambda: self.tell(*facts))

    def _begin_turn(self) -> None:
        if self._steps is None and self._inbox and self.cluster is not None:
            self._inputs, self._inbox = self._inbox, []
            self._steps = engine.turn(self.cluster, self._inputs, self._moment())
            self._advance(None)

    def _advance(self, reply: Found | None) -> None:
        assert self._steps is not None
        assert self.cluster is not None
        try:
            step = self._steps.send(reply)
        except StopIteration:
            self._steps, self._inputs = None, []
            due_in_ns = self.cluster.state.due_in_ns()
            if due_in_ns is not None and due_in_ns < S:
                self._later(due_in_ns, lambda: self.tell(TimePassed()))
            if self._inbox:
                self._later(self._world.between(0.01, 0.2), self._begin_turn)
            return
        except Exception as error:
            raise LawBroken("no-defect", f"a turn raised {type(error).__name__}: {error}") from error
        if self._world.trouble(CRASH_AT_STEP, "manager crash"):
            self.crash()
        elif isinstance(step, Load):
            self._find(step)
        elif isinstance(step, Commit):
            self._commit(step)
        else:
            self._act(step)

    def _find(self, step: Load) -> None:
        def do() -> Found:
            return self._database.store.find(step.task_ids, step.group_ids, step.keys)

        self._ask_database(do, self._advance, lambda: self._find(step))

    def _commit(self, step: Commit) -> None:
        """Write, and where no answer comes, again: the number of commits says whether it came through."""
        held, commits = self.held, self._commits

        def answered(outcome: str) -> None:
            if outcome == "done":
                self._commits = commits + 1
                self._advance(None)
            else:
                self._lose()

        def failed() -> None:
            self._world.note(self.name, "does not know whether its commit came through")
            self._commit(step)

        self._ask_database(lambda: self._database.commit(held, commits, step.changes), answered, failed)

    def _act(self, step: Step) -> None:
        """Carry a step out if this manager may act; else wait for the renewal of its lease, or its loss."""
        if not self.may_act():
            self._is_waiting = step
            return
        if isinstance(step, Send):
            self._say([effect for effect in step.effects if not isinstance(effect, Refused)])
        elif isinstance(step, Answer):
            self._answer(step)
        elif isinstance(step, Announce):
            self._checker.spoke(self.held, self.ticks(), "announces")
            self._checker.announced(step.first_event_id, step.transitions)
        self._advance(None)

    def _go_on(self) -> None:
        step, self._is_waiting = self._is_waiting, None
        if step is not None:
            self._act(step)

    def _say(self, effects: list[Any]) -> None:
        self._checker.spoke(self.held, self.ticks(), "sends")
        self._tell_proplets(self, effects)

    def _answer(self, step: Answer) -> None:
        self._checker.spoke(self.held, self.ticks(), "answers")
        if isinstance(step.outcome, list):
            self._checker.answered(step.outcome)
        refused = f" with {step.outcome}" if isinstance(step.outcome, PropellerError) else ""
        self._world.note(self.name, f"answers {type(step.ask.command).__name__}{refused}")
        step.ask.ticket.answered(step.outcome)
