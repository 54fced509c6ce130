"""A world of several managers on one database: they crash, stand still, are stopped and cut off from it.

Proplets here never fail: what is tried is who leads, and that nothing is lost or doubled when that changes.
"""

from collections.abc import Callable
from typing import Any

from propeller.core.calendar import CatchUp, Overlap, Schedule, ScheduleOptions
from propeller.core.effects import SendAck, SendStart, SendStop
from propeller.core.events import CreateTasks, NewGroup, PropletSeen, RunEnded, StartTask
from propeller.core.idempotency import Key
from propeller.core.model import Definition, GroupKind, Module, Spec
from propeller.core.states import RUNNING, SCHEDULED
from propeller.errors import PropellerError
from propeller.manager.engine import Ask
from propeller.proplet.following import Following
from propeller.wire.fleet.from_manager import Announcement, Hello

from .several_checker import SeveralChecker
from .several_database import LEASE_S, Database
from .several_manager import SeveralManager
from .simulation import Outcome
from .store import SimulatedStore
from .story import story
from .world import DAWN, LawBroken, S, World

MODULE = Module(digest="a", size_bytes=1)
FAULTS_END = DAWN + 90 * S
END_MAX = FAULTS_END + 120 * S
#: Without faults, somebody leads within this time.
LED_WITHIN_NS = 8 * S
SCHEDULE = "every"
MINUTE = 60 * S


class Proplet:
    """Runs what it is told to, by the manager of the newest epoch that it knows of."""

    def __init__(self, several: "Several", name: str, following_class: Callable[..., Following]):
        self.name = name
        self._several = several
        self._world = several.world
        self._following = following_class(60 * S)
        self._running: dict[str, tuple[int, int]] = {}
        self._past: dict[str, tuple[int, int]] = {}
        self._ended: dict[tuple[str, int], RunEnded] = {}

    @property
    def is_quiet(self) -> bool:
        return not self._running and not self._ended

    def hear(self, by: tuple[str, int], effects: list[Any]) -> None:
        """Take in what a manager says; that it is there comes first."""
        here = Announcement(manager_id=by[0], epoch=by[1], status="here", at=self._world.now)
        self._following.announced(here, self._world.now)
        if not self._following.heeds(Hello(by=by), self._world.now):
            self._world.note(self.name, f"ignores the manager of epoch {by[1]}")
            return
        self._several.checker.obeyed(self.name, by[1])
        if not effects:
            self.say()
        for effect in effects:
            self._take(effect)

    def _take(self, effect: Any) -> None:
        match effect:
            case SendStart():
                one = effect.attempt, effect.placed_at
                if one > self._past.get(effect.spec.id, (0, 0)):
                    self._several.checker.began(effect.spec.id, *one)
                    self._past[effect.spec.id] = self._running[effect.spec.id] = one
                    self._world.after(self._world.between(5, 3000), lambda: self._end(effect.spec.id, one))
            case SendStop() if effect.attempt >= self._running.get(effect.task_id, (0, 0))[0]:
                self._running.pop(effect.task_id, None)
            case SendAck():
                self._ended.pop((effect.task_id, effect.attempt), None)

    def _end(self, task_id: str, one: tuple[int, int]) -> None:
        if self._running.get(task_id) == one:
            del self._running[task_id]
            attempt, _ = one
            self._ended[task_id, attempt] = RunEnded(
                proplet_id=self.name, task_id=task_id, attempt=attempt, results="done", failure=None
            )
            self.say(attempt_of=(task_id, attempt))

    def say(self, attempt_of: tuple[str, int] | None = None) -> None:
        """Report an end, or all that it holds and owes."""
        if attempt_of is not None:
            self._several.tell_managers([self._ended[attempt_of]])
            return
        running = tuple((task_id, attempt) for task_id, (attempt, _) in self._running.items())
        seen = PropletSeen(
            proplet_id=self.name,
            boot=1,
            slots=4,
            running=running + tuple(self._ended),
            metadata={},
            is_hello=True,
        )
        self._several.tell_managers([seen, *self._ended.values()])

    def tick(self) -> None:
        self.say()
        self._world.after(2 * S, self.tick)


class Request:
    """What a client asks for under a key, again and again until it has an answer."""

    def __init__(self, several: "Several", number: int, command: Callable[[int], Any]):
        self._several = several
        self._command = command
        self._key = Key(f"key-{number}", b"%d" % number)
        self._tries = 0
        self.is_answered = False
        self.tasks: list[str] = []
        self.ask()

    def ask(self) -> None:
        if self.is_answered:
            return
        self._tries += 1
        command = self._command(self._tries)
        ask = Ask(command, {MODULE: b""} if isinstance(command, CreateTasks) else {}, self, self._key)
        leaders = [one for one in self._several.managers if one.leads]
        if leaders:
            self._several.world.random.choice(leaders).tell(ask)
        else:
            self.lost()

    def answered(self, outcome: object) -> None:
        self.is_answered = True
        if isinstance(outcome, PropellerError):
            raise LawBroken("once", f"{self._key.text} is refused, and nothing was wrong with it: {outcome}")
        self.tasks = outcome.task_ids if not isinstance(outcome, list) else [task.id for task in outcome]

    def lost(self) -> None:
        self._several.world.after(self._several.world.between(50, 1500), self.ask)


class Several:
    def __init__(
        self,
        seed: int,
        store_class: Callable[[], SimulatedStore] = SimulatedStore,
        database_class: Callable[..., Database] = Database,
        manager_class: Callable[..., SeveralManager] = SeveralManager,
        following_class: Callable[..., Following] = Following,
        **manager_parts: Any,
    ):
        world = self.world = World(seed)
        self.store = store_class()
        self.checker = SeveralChecker(world, self.store, LEASE_S)
        self.database = database_class(world, self.store, self.checker)
        self.managers = [
            manager_class(world, self.database, self.checker, f"m{number}", self._say, **manager_parts)
            for number in range(world.random.choice((2, 2, 3)))
        ]
        self.database.listeners = [one.freed for one in self.managers]
        self.proplets = {name: Proplet(self, name, following_class) for name in ("p0", "p1")}
        self._requests: list[Request] = []
        self._started: set[str] = set()
        self._led_at = world.now

    # -- messages ------------------------------------------------------------------------------------------

    def _say(self, manager: SeveralManager, effects: list[Any]) -> None:
        """Carry what a manager says; nothing at all is a greeting to everybody."""
        by = "several", manager.epoch
        for proplet in self.proplets.values():
            own = [effect for effect in effects if effect.proplet_id == proplet.name]
            if own or not effects:
                self._carry(lambda proplet=proplet, own=own: proplet.hear(by, own))

    def tell_managers(self, facts: list[Any]) -> None:
        """Carry what a proplet says to whoever is at the broker: each that believes to lead."""
        for manager in self.managers:
            self._carry(lambda manager=manager: manager.hear(facts))

    def _carry(self, deliver: Callable[[], None]) -> None:
        world = self.world
        if world.trouble(0.03, "message lost"):
            return
        world.after(
            world.between(500, 6000) if world.trouble(0.05, "message delayed") else world.between(0.1, 20),
            deliver,
        )

    # -- what happens --------------------------------------------------------------------------------------

    def _act_again(self) -> None:
        world = self.world
        if not world.has_faults:
            return
        number = len(self._requests)
        made = {task for request in self._requests for task in request.tasks} - self._started - {"each"}
        if made and world.chance(0.5):
            task_id = world.random.choice(sorted(made))
            self._started.add(task_id)
            make = lambda _: StartTask(task_id)  # noqa: E731
        else:
            chain = world.random.randint(1, 3)
            make = lambda tries: _creation(number, tries, chain)  # noqa: E731
        self._requests.append(Request(self, number, make))
        world.after(world.between(100, 2500), self._act_again)

    def _break_again(self) -> None:
        world = self.world
        if not world.has_faults:
            return
        leaders = [one for one in self.managers if one.leads]
        manager = world.random.choice(leaders if leaders and world.chance(0.8) else self.managers)
        kind = world.random.random()
        if kind < 0.25:
            manager.crash()
            world.fault("manager crash")
        elif kind < 0.4:
            manager.stop()
            world.fault("manager stop")
        elif kind < 0.7:
            world.fault("manager stands still")
            manager.stand_still(world.between(500, 9000))
        else:
            world.fault("database cut off")
            manager.line.cut(world.between(500, 9000))
        world.after(world.between(500, 8000), self._break_again)

    def run(self) -> None:
        """Run it to its end; raise ``LawBroken`` where a law does not hold."""
        world = self.world
        for manager in self.managers:
            world.after(world.between(0, 500), manager.start)
        for proplet in self.proplets.values():
            world.after(world.between(0, 2000), proplet.tick)
        self._requests.append(Request(self, 0, lambda _: _pattern()))
        self._act_again()
        world.after(world.between(500, 3000), self._break_again)
        world.run_until(FAULTS_END)
        world.has_faults = False
        world.note("world", "The faults stop")
        led_by = world.now + LED_WITHIN_NS + 9 * S
        while not self._is_quiet():
            if world.now > led_by and not any(one.leads and one.may_act() for one in self.managers):
                raise LawBroken("led", "no faults happen, and nobody leads")
            if world.now > END_MAX:
                raise LawBroken("ends", f"the system does not come to rest: {self._unrest()}")
            world.run_until(world.now + 730_000_000)
        began = self._first_minute()
        self.checker.check_end(SCHEDULE, range(began, world.now - 5 * S, MINUTE))

    def _first_minute(self) -> int:
        return -(-(self.store.group(SCHEDULE).created_at + S) // MINUTE) * MINUTE

    def _is_quiet(self) -> bool:
        return not self._unrest() and self.world.now % MINUTE > 6 * S

    def _unrest(self) -> list[str]:
        waits = [
            f"{request._key.text} is not answered" for request in self._requests if not request.is_answered
        ]
        tasks = [self.store.task(seq) for seq in self.store.runs]
        live = [f"{one.id} is {one.state.name}" for one in tasks if one.state in (SCHEDULED, RUNNING)]
        return [*waits, *live, *(name for name, one in self.proplets.items() if not one.is_quiet)]


def _pattern() -> CreateTasks:
    """Make a workflow that runs each minute."""
    options = ScheduleOptions(catch_up=CatchUp.ALL, overlap=Overlap.ALLOW)
    schedule = Schedule(text="* * * * *", is_recurring=True, options=options)
    spec = Spec(id="each", name="main", module=MODULE, workflow_id=SCHEDULE)
    group = NewGroup(id=SCHEDULE, kind=GroupKind.WORKFLOW, definition=Definition(schedule=schedule))
    return CreateTasks(specs=(spec,), group=group, chosen_ids=(SCHEDULE, spec.id))


def _creation(number: int, tries: int, chain: int) -> CreateTasks:
    """Make a task, or a chain of them; a try has ids of its own, as those that the API makes."""
    ids = [f"t{number}-{place}.{tries}" for place in range(chain)]
    return CreateTasks(
        specs=tuple(
            Spec(
                id=task_id,
                name="main",
                module=MODULE,
                depends_on=tuple(ids[place - 1 : place] if place else ()),
            )
            for place, task_id in enumerate(ids)
        )
    )


def simulate_several(seed: int, **parts: Any) -> Outcome:
    """Run one seed; what went wrong is in the outcome."""
    several = Several(seed, **parts)
    law, text, told = "", "", ""
    try:
        several.run()
    except LawBroken as broken:
        law, text = broken.law, str(broken)
        told = story(several.world, broken.task_id)
    world = several.world
    runs, faults = several.checker.runs, dict(world.happened)
    return Outcome(seed, law, text, told, world.log, world.steps, runs, faults=faults)
