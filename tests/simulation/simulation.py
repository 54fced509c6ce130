"""One simulated run: half a minute with faults, then peace, in which everything has to end."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from propeller.core.cluster import Cluster
from propeller.core.model import Task
from propeller.core.sandbox import Offer
from propeller.core.state import ClusterState
from propeller.core.states import RUNNING, SCHEDULED
from propeller.manager.standing import Standing
from propeller.proplet.following import Following
from propeller.proplet.machine import Machine

from .broker import MANAGER, Broker
from .checker import Checker
from .clocks import DAY
from .disks import next_power_cut
from .fleet_checker import holders
from .foreign import ForeignProplet
from .keyed_client import KeyedClient
from .manager import SimulatedManager
from .proplet import SimulatedProplet
from .second import SecondManager
from .store import SimulatedStore
from .story import story
from .transport import Network
from .users import Users
from .world import ACTION, DAWN, MS, LawBroken, Noted, Plan, S, World

#: The crashes end before the network heals: a crash would undo what a lost message has done.
#: How many of the faults are restores of a backup.
RESTORES = 0.09
#: How far the manager's clock is moved.
CLOCK_JUMPS = (3600 * S, -7200 * S, -9 * S, 3 * DAY, -700 * DAY)
CALM = 4 * S
FAULTS_END = DAWN + 20 * S
#: By then all that was started has ended: the longest chain, run after run, takes far less.
END_MAX = FAULTS_END + 240 * S


class Outcome(msgspec.Struct):
    seed: int
    #: The name of the law that was broken, ``""`` if none was.
    law: str
    text: str
    story: str
    #: All that happened.
    log: list[Noted]
    steps: int
    #: How many different tasks ran, also of those that were deleted.
    tasks_run: int
    #: How many things users did, and how many faults there were of each kind.
    actions: int = 0
    faults: dict[str, int] = {}
    #: How many of each kind there could have been, with those that the plan leaves out.
    could: dict[str, int] = {}
    plan: Plan = Plan()

    @property
    def transcript(self) -> str:
        """Hash everything that happened."""
        lines = [f"{at} {who} {what} {' '.join(about)}\n" for at, who, what, about in self.log]
        return hashlib.sha256("".join(lines).encode()).hexdigest()


class Simulation:
    def __init__(
        self,
        seed: int,
        cluster_class: Callable[..., Cluster] = Cluster,
        state_class: Callable[..., ClusterState] = ClusterState,
        machine_class: Callable[..., Machine] = Machine,
        store_class: Callable[[], SimulatedStore] = SimulatedStore,
        following_class: Callable[..., Following] = Following,
        standing_class: Callable[..., Standing] = Standing,
        plan: Plan = Plan(),  # noqa: B008  it never changes
    ):
        world = self.world = World(seed, plan)
        random = world.random
        self._random = world.stream("faults")
        self.store = store_class()
        self._backup: dict[str, Any] | None = None
        network = Network(world)
        self.broker = Broker(world)
        carriers = (network, self.broker)
        self.checker = Checker(world, self.store)
        self.manager = SimulatedManager(world, self.store, carriers, self.checker, cluster_class, state_class)
        self.checker.timing.presence = lambda: self.manager.present_ns
        self.checker.timing.life = lambda: self.manager.incarnation
        self._second = SecondManager(world, self.broker, self.manager, standing_class)
        shapes = [(f"local-{number}", True) for number in range(random.randint(0, 2))]
        shapes += [(f"remote-{number}", False) for number in range(random.randint(not shapes, 2))]
        self.proplets: list[SimulatedProplet | ForeignProplet] = [
            SimulatedProplet(
                world,
                carriers,
                self.manager,
                self.checker,
                proplet_id,
                is_local=is_local,
                slots=random.randint(1, 3),
                tags=random.choice((["edge"], ["edge", "gpu"])),
                offer=Offer(listen=not number or world.chance(0.5)),
                machine_class=machine_class,
                following_class=following_class,
            )
            for number, (proplet_id, is_local) in enumerate(shapes)
        ]
        for number in range(random.choice((0, 0, 1, 2))):
            foreign = ForeignProplet(
                world,
                self.broker,
                self.manager,
                self.checker,
                f"foreign-{number}",
                tags=random.choice(([], ["edge"])),
                says_who=random.random() < 0.7,
            )
            self.proplets.insert(random.randint(1, len(self.proplets)), foreign)
        self.users = Users(world, self.manager, [proplet.id for proplet in self.proplets])
        self.client = KeyedClient(world, self.manager)
        self._faults_end = plan.until or FAULTS_END

    def run(self) -> None:
        """Run it to its end; raise ``LawBroken`` where a law does not hold."""
        world = self.world
        self.manager.start()
        for proplet in self.proplets:
            world.after(world.between(0, 500), proplet.start)
        random = self._random
        if random.random() < 0.5:
            world.after(self._between(1000, 12_000), self._make_backup)
        if random.random() < 0.4 and world.happens("second manager"):
            world.after(self._between(1000, 8000), self._second.start)
        self._act_again()
        self.client.act_again()
        self._break_again()
        if self.manager.disk.is_normal:
            world.after(next_power_cut(self.manager.disk.random), self._lose_power)
        world.run_until(self._faults_end)
        world.has_faults = False
        world.note("world", "The faults stop")
        self._lose_one_for_ever()
        while not self._is_quiet():
            if world.now > END_MAX:
                self._complain()
            self.users.stop_endless()
            self.users.uncordon_all()
            world.run_until(world.now + 730 * MS)  # not in step with any tick
        self._check_end()

    def _between(self, least_ms: float, most_ms: float) -> int:
        return int(self._random.uniform(least_ms, most_ms) * MS)

    def _lose_one_for_ever(self) -> None:
        """Let a remote proplet not come back, now and then, where others can do its work."""
        last = self.proplets[-1]
        may_be = len(self.proplets) > 1 and not last.is_local and self._random.random() < 0.4
        if may_be and self.world.happens("proplet lost for ever"):
            last.is_gone = True
            last.crash()

    def _act_again(self) -> None:
        if self.world.has_faults:
            self.users.act()
            self.world.after(self._between(1, 400), self._act_again)

    def _break_again(self) -> None:
        world, random = self.world, self._random
        if world.now > self._faults_end - CALM:
            return
        proplet = random.choice(self.proplets)
        kinds = self._breaks(proplet)
        kind, fault = random.choices(list(kinds), [share for share, _ in kinds.values()])[0], None
        fault = kinds[kind][1]
        duration = self._between(300, 12_000)
        if world.happens(kind):
            fault(duration)
        world.after(self._between(200, 7000), self._break_again)

    def _breaks(
        self, proplet: SimulatedProplet | ForeignProplet
    ) -> dict[str, tuple[float, Callable[[int], None]]]:
        """Give the kinds of faults by name: how often each happens, and what it does for so long."""
        manager, broker = self.manager, self.broker
        jump = self._random.choice(CLOCK_JUMPS)
        kinds: dict[str, tuple[float, Callable[[int], None]]] = {
            "backup restored": (RESTORES, lambda _: self._restore()),
            "manager crash": (0.07, lambda _: manager.crash()),
            "manager stands still": (0.05, lambda duration: manager.stand_still(max(duration, 2500 * MS))),
            "clock moved": (0.03, lambda _: manager.move_clock(jump)),
            "broker crash": (0.06, lambda _: broker.crash()),
            "broker stop": (0.04, lambda _: broker.stop()),
            "manager cut off": (0.04, lambda duration: broker.cut(MANAGER, duration)),
            "proplet crash": (0.17, lambda _: proplet.crash()),
            "proplet leaves": (0.2, lambda _: proplet.leave()),
        }
        if not proplet.is_local:
            kinds["proplet cut off"] = 0.15, lambda duration: broker.cut(proplet.id, duration)
        if isinstance(proplet, SimulatedProplet):
            kinds["fork server lost"] = 0.1, lambda _: proplet.fork_server_dies()
        return kinds

    def _make_backup(self) -> None:
        self.world.note("user", "makes a backup")
        self._backup = self.store.backup()

    def _restore(self) -> None:
        """Take the store back to what it was at the last backup, while the proplets go on."""
        if self._backup is not None and self.manager.is_up:
            self.manager.crash()
            self.world.note("user", "restores the backup")
            self.store.restore(self._backup)
            self._take_back()

    def _take_back(self) -> None:
        """Let all know that the store is what it was at a time before."""
        self.manager.disk.restored()
        self.checker.restored()
        self.users.restored(self.store)
        self.manager.keys.restored(self.store.keys)

    def _lose_power(self) -> None:
        """Let the manager's machine lose its power, now and then, with all that is on it."""
        disk, world = self.manager.disk, self.world
        if world.now > self._faults_end - CALM:
            return
        if self.manager.is_up and world.happens("power cut"):
            world.note("manager", "The power is cut")
            self.manager.crash()
            if disk.lose_power():
                self._backup = None  # it was on that disk, too, and may hold more than is left
                self._take_back()
        world.after(next_power_cut(disk.random), self._lose_power)

    # -- the end -------------------------------------------------------------------------------------------

    def _is_quiet(self) -> bool:
        return (
            self.manager.is_up
            and self.manager.is_idle
            and not self.users.waiting
            and not self.client.waiting
            and self.broker.is_whole
            and all(proplet.is_quiet for proplet in self.proplets)
            and not any(self._must_end(task) for task in self.checker.tasks.values())
            and not any(self._unrest())
        )

    def _unrest(self) -> Iterator[LawBroken]:
        for proplet in self.proplets:
            if isinstance(proplet, SimulatedProplet) and not proplet.is_gone:
                broken = (
                    self.checker.residents.unrest(proplet.id, proplet.held(), proplet.up()),
                    self.checker.fleet.unreached(proplet.id),
                )
                yield from filter(None, broken)

    def _must_end(self, task: Task) -> bool:
        """Say whether something has yet to happen to a task, now that no more faults do."""
        if task.state is RUNNING:
            return not task.is_up and not self._is_silent(task)
        return task.state is SCHEDULED and not (self._waits_for_ever(task) or self._gets_no_place(task))

    def _is_silent(self, task: Task) -> bool:
        """Say whether a task is up as far as it will ever be known: a foreign proplet does not say it."""
        silent = {proplet.id for proplet in self.proplets if isinstance(proplet, ForeignProplet)}
        return bool(task.spec.latent) and silent.issuperset(holders(task))

    def _gets_no_place(self, task: Task) -> bool:
        """Say whether those that go on for ever may have all places of its group, which runs only so many at once."""
        group = self.checker.groups.get(task.spec.group_id)
        if group is None or not group.definition.max_parallel or task.was_up:
            return False
        endless = 0
        for other in self.checker.members_of(group.id):
            if other.id != task.id and not other.was_up:
                endless += other.state is SCHEDULED and self._waits_for_ever(other)
                endless += other.state is RUNNING and self._is_silent(other)
        return endless >= group.definition.max_parallel

    def _waits_for_ever(self, task: Task) -> bool:
        """Say whether the only proplet that a task may go to is gone, or does not allow what it asks for."""
        for proplet in self.proplets:
            if proplet.id == task.spec.pin:
                is_native = isinstance(proplet, SimulatedProplet)
                listens = is_native and proplet.offer.listen
                is_refused = (task.spec.sandbox and not listens) or (task.spec.stdin and not is_native)
                return proplet.is_gone or bool(is_refused)
        return False

    def _complain(self) -> None:
        """Say what did not come to an end."""
        for task in self.checker.tasks.values():
            if self._must_end(task):
                raise LawBroken(
                    "ends", f"task {task.id} was started and is {task.state.name} for ever", task.id
                )
        for proplet in self.proplets:
            if proplet.machine is None:
                continue
            for guest in proplet.running.values():
                raise LawBroken("nothing-runs", f"{proplet.id} still runs {guest.start.id}", guest.start.id)
            if not proplet.machine.owes_nothing:
                raise LawBroken("outbox", f"{proplet.id} still reports some of {proplet.held()}")
        for broken in self._unrest():
            raise broken
        raise LawBroken("ends", "the system does not come to rest")

    def _check_end(self) -> None:
        assert self.manager.cluster is not None
        self.checker.replay.check_all(self.manager.cluster.state)
        for proplet in self.proplets:
            if isinstance(proplet, SimulatedProplet) and not proplet.is_gone:
                for task_id in proplet.disk.kept_for_ever:
                    raise LawBroken("kept-results", f"{proplet.id} kept a report and sent it not", task_id)


def simulate(seed: int, simulation_class: Callable[..., Simulation] = Simulation, **parts: Any) -> Outcome:
    """Run one seed; what went wrong is in the outcome."""
    simulation = simulation_class(seed, **parts)
    law, text, told = "", "", ""
    try:
        simulation.run()
    except LawBroken as broken:
        law, text = broken.law, str(broken)
        told = story(simulation.world, "" if "plan" in parts else broken.task_id)
    world = simulation.world
    faults = dict(world.happened)
    actions = faults.pop(ACTION, 0)
    return Outcome(
        seed=seed,
        law=law,
        text=text,
        story=told,
        log=world.log,
        steps=world.steps,
        tasks_run=simulation.checker.tasks_run,
        actions=actions,
        faults=faults,
        could=dict(world.could),
        plan=world.plan,
    )
