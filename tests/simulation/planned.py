"""A world for schedules: a manager that crashes, a clock that is set, and a proplet that never fails.

Its hours are longer than the seconds of ``simulation``: between two steps of a turn, the manager may be gone for
minutes. Some worlds begin shortly before a zone puts its clock forward or back.
"""

from collections.abc import Callable, Sequence
from random import Random

from propeller.core.calendar import CatchUp, Overlap, Schedule, ScheduleOptions
from propeller.core.cluster import Cluster
from propeller.core.effects import SendAck, SendStart, SendStop
from propeller.core.events import (
    CreateTasks,
    DeleteGroup,
    DeleteTask,
    Fact,
    ManagerStarted,
    NewGroup,
    PauseSchedule,
    PropletSeen,
    RunEnded,
    StartGroup,
    StartTask,
    StopGroup,
    StopTask,
    TimePassed,
    UpdateTask,
)
from propeller.core.failures import Failure
from propeller.core.model import Definition, GroupKind, Module, Spec
from propeller.core.policy import Policy
from propeller.core.state import ClusterState
from propeller.manager import engine
from propeller.manager.clock import Clock
from propeller.manager.engine import Ask, Commit, Load, Send

from .manager import load
from .namespaces import placed
from .replay import Replay
from .schedule_checker import TEXTS, ScheduleChecker
from .simulation import Outcome
from .store import SimulatedStore
from .world import DAWN, MS, LawBroken, S, World

#: Nobody is taken for lost here.
POLICY = Policy(liveness_s=1e7, resend_s=1e7)
MODULE = Module(digest="a", size_bytes=1)
#: When a zone sets its clock (2024), s: an hour or half an hour, forward and back; and a day without.
MOMENTS = (
    ("Europe/Paris", 1_711_846_800),
    ("Europe/Paris", 1_729_990_800),
    ("Australia/Lord_Howe", 1_712_415_600),
    ("Australia/Lord_Howe", 1_728_142_200),
    ("UTC", 1_718_000_000),
)
FAULTS_END = DAWN + 4 * 3600 * S
#: By then the manager is back, however long it was gone.
END = FAULTS_END + 1800 * S
CRASH_AT_STEP = 0.02
LOOK_NS = 20 * S
OWNERS = ("t1", "t2", "t3", "g1", "g2")


class Planned:
    """One such world."""

    owners: Sequence[str] = OWNERS

    def __init__(self, seed: int, store_class: Callable[[], SimulatedStore] = SimulatedStore):
        self.seed = seed
        self.world = World(seed)
        self.random = Random(seed)
        self.store = store_class()
        self.checker = ScheduleChecker(self.store, OWNERS)
        self._replay = Replay(self.store)
        self._cluster: Cluster | None = None
        self._inbox: list[engine.Input] = []
        self._incarnation = 0
        self._zone, moment = self.random.choice(MOMENTS)
        #: The machine's time begins up to two hours before that.
        self._ahead_ns = (moment - self.random.randint(60, 7200)) * S - DAWN
        #: What the proplet runs: attempt, and when that was placed; and the ends that it reports until they are known.
        self._running: dict[str, tuple[int, int]] = {}
        self._ended: dict[tuple[str, int], RunEnded] = {}
        self._uid = 0

    def wall(self) -> int:
        return self.world.now + self._ahead_ns

    # -- the manager ---------------------------------------------------------------------------------------

    def start(self) -> None:
        self._incarnation += 1
        self._clock = Clock(self.wall, lambda: self.world.now)
        self._cluster = Cluster(load(self.store, ClusterState(POLICY)))
        self.world.note("manager", "starts")
        self._tell(ManagerStarted(), *self._report())
        self._tick(self._incarnation)

    def _crash(self) -> None:
        self.world.note("manager", "crashes")
        self.world.fault("manager crash")
        self._cluster, self._inbox = None, []
        self._incarnation += 1
        self.world.after(self.random.choice((1, 30, 90, 600, 1500)) * S, self.start)

    def _tick(self, incarnation: int) -> None:
        if incarnation == self._incarnation:
            self._tell(TimePassed())
            self.world.after(LOOK_NS, lambda: self._tick(incarnation))

    def _tell(self, *items: engine.Input) -> None:
        if self._cluster is not None:
            self._inbox += items
            self.world.after(MS, self._turn)

    def _turn(self) -> None:
        cluster = self._cluster
        if cluster is None or not self._inbox:
            return
        inputs, self._inbox = self._inbox, []
        steps, reply, wall = engine.turn(cluster, inputs, self._clock.moment()), None, self.wall()
        changes = None
        while True:
            try:
                step, reply = steps.send(reply), None
            except StopIteration:
                break
            is_crash = self.world.now < FAULTS_END and self.random.random() < CRASH_AT_STEP
            if is_crash and not (isinstance(step, Commit) and self.random.random() < 0.5):
                self._crash()
                return
            if isinstance(step, Load):
                reply = self.store.find(step.task_ids, step.group_ids, step.keys)
            elif isinstance(step, Commit):
                changes = step.changes
                self.store.commit(step.changes)
                for move in step.changes.transitions:
                    self.world.note("manager", f"commits {move.state.name}", move.task_id)
                self.checker.committed(step.changes, inputs, wall)
            elif isinstance(step, Send):
                self._take(step)
            if is_crash:
                self._crash()
                return
        is_first = any(isinstance(item, ManagerStarted) for item in inputs)
        self._replay.turn_ended(cluster.state, changes, is_first=is_first)
        if (due_in_ns := cluster.state.due_in_ns()) is not None and due_in_ns < LOOK_NS:
            incarnation = self._incarnation
            self.world.after(due_in_ns, lambda: self._wake(incarnation))

    def _wake(self, incarnation: int) -> None:
        if incarnation == self._incarnation:
            self._tell(TimePassed())

    # -- the proplet ---------------------------------------------------------------------------------------

    def _report(self) -> list[Fact]:
        running = tuple((task_id, attempt) for task_id, (attempt, _) in self._running.items())
        ended = tuple((end.task_id, end.attempt) for end in self._ended.values())
        seen = PropletSeen(
            proplet_id="p", boot=1, slots=500, running=running + ended, metadata={}, is_hello=True
        )
        return [seen, *self._ended.values()]

    def _take(self, step: Send) -> None:
        for effect in step.effects:
            if isinstance(effect, SendStart):
                self._running[effect.spec.id] = effect.attempt, effect.placed_at
                took_s = self.random.choice((2, 20, 200, 1000))
                self.world.after(took_s * S, lambda one=effect: self._end(one))
            elif (
                isinstance(effect, SendStop) and effect.attempt >= self._running.get(effect.task_id, (0,))[0]
            ):
                self._running.pop(effect.task_id, None)
            elif isinstance(effect, SendAck):
                self._ended.pop((effect.task_id, effect.attempt), None)

    def _end(self, start: SendStart) -> None:
        if self._running.get(start.spec.id) == (start.attempt, start.placed_at):
            del self._running[start.spec.id]
            failure = Failure("guest trapped") if self.random.random() < 0.2 else None
            end = RunEnded(
                proplet_id="p",
                task_id=start.spec.id,
                attempt=start.attempt,
                results=None if failure else start.spec.name,
                failure=failure,
            )
            self._ended[start.spec.id, start.attempt] = end
            self._tell(end)

    # -- the users, and the clock --------------------------------------------------------------------------

    def _act(self) -> None:
        if self.world.now > FAULTS_END:
            return
        name = self.random.choice(OWNERS)
        kind = GroupKind.WORKFLOW if name.startswith("g") else None
        deed = self.random.random()
        if deed < 0.35:
            self._ask(self._creation(name))
        elif deed < 0.5:
            self._ask(PauseSchedule(kind, name, self.random.random() < 0.4))
        elif deed < 0.6:
            self._ask(StopGroup(kind, name) if kind else StopTask(name))
        elif deed < 0.7:
            self._ask(StartGroup(kind, name) if kind else StartTask(name))
        elif deed < 0.77:
            self._ask(DeleteGroup(kind, name) if kind else DeleteTask(name))
        elif deed < 0.9 and kind is None:
            self._ask(UpdateTask(name, self._change()))
        else:
            self._set_clock()
        self.world.after(self.random.randint(20, 500) * S, self._act)

    def _ask(self, command: object) -> None:
        self.world.note("user", f"asks: {command}")
        self._tell(Ask(placed(command)))

    def _set_clock(self) -> None:
        by_s = self.random.choice((-3000, -400, -70, 70, 200, 1500, 4000, 86_400, -40_000_000))
        self.world.fault("clock moved")
        self.world.note("machine", f"has its clock set by {by_s} s")
        self._ahead_ns += by_s * S

    def _options(self) -> ScheduleOptions:
        choice = self.random.choice
        return ScheduleOptions(
            catch_up=choice(list(CatchUp)),
            overlap=choice(list(Overlap)),
            jitter_ns=choice((0, 0, 45 * S)),
            start=choice((0, 0, 0, self.wall() // S * S + 900 * S)),
            end=choice((0, 0, 0, self.wall() // S * S + 7200 * S)),
        )

    def _creation(self, name: str) -> CreateTasks:
        choice, self._uid = self.random.choice, self._uid + 1
        text, zone, is_recurring = choice(list(TEXTS)), choice((self._zone, "")), self.random.random() < 0.85
        if name.startswith("t"):
            spec = Spec(
                id=name,
                name="main",
                module=MODULE,
                schedule=text,
                timezone=zone,
                is_recurring=is_recurring,
                schedule_options=self._options(),
            )
            return CreateTasks(specs=(spec,), chosen_ids=(name,))
        schedule = Schedule(text=text, timezone=zone, is_recurring=is_recurring, options=self._options())
        first = Spec(id=f"{name}a", name="a", module=MODULE, workflow_id=name)
        second = Spec(id=f"{name}b", name="b", module=MODULE, workflow_id=name, depends_on=(first.id,))
        group = NewGroup(id=name, kind=GroupKind.WORKFLOW, definition=Definition(schedule=schedule))
        return CreateTasks(specs=(first, second), group=group, chosen_ids=(name, first.id, second.id))

    def _change(self) -> dict[str, object]:
        return self.random.choice(
            (
                {"priority": 70},
                {"module": MODULE},
                {"schedule": self.random.choice(list(TEXTS))},
                {"schedule_options": self._options()},
                {"schedule": "", "timezone": "", "is_recurring": False, "schedule_options": None},
            )
        )

    def run(self) -> None:
        """Run it to its end; raise ``LawBroken`` where a law does not hold."""
        self.start()
        for name in self.owners:
            self._ask(self._creation(name))
        self.world.after(100 * S, self._act)
        self.world.run_until(END)
        if self._cluster is None:
            raise LawBroken("ends", "the manager is not back")
        self.checker.check_at_end(self.wall())


def simulate_schedules(seed: int, **parts: object) -> Outcome:
    """Run one seed; what went wrong is in the outcome."""
    return outcome_of(Planned(seed, **parts))


def outcome_of(planned: Planned) -> Outcome:
    """Run a world; what went wrong is in the outcome."""
    law, text = "", ""
    try:
        planned.run()
    except LawBroken as broken:
        law, text = broken.law, str(broken)
    world = planned.world
    told = "\n".join(
        f"{(at - DAWN) / S:9.3f} {who} {what} {' '.join(ids)}" for at, who, what, ids in world.log
    )
    runs, faults = planned.checker.runs, dict(world.happened)
    told = told if law else ""
    return Outcome(planned.seed, law, text, told, world.log, world.steps, runs, faults=faults)
