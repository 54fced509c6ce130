"""Turns of the core, written and read in one line each."""

from dataclasses import dataclass

from msgspec.structs import replace

from propeller.core import invariants
from propeller.core.cluster import Cluster
from propeller.core.effects import AskHello, Changes, Effect, Refused, SendStart
from propeller.core.events import (
    CreateTasks,
    Event,
    ManagerStarted,
    NewGroup,
    PropletSeen,
    RunEnded,
    RunUp,
    StartGroup,
    StartTask,
    StopTask,
    TimePassed,
)
from propeller.core.failures import Failure
from propeller.core.invariants import is_awaited
from propeller.core.model import Group, GroupKind, JobMode, Module, Proplet, Spec, Task
from propeller.core.policy import Policy
from propeller.core.state import ClusterState
from propeller.core.times import Moment
from propeller.store import rows

MODULE = Module(digest="m", size_bytes=1)
S = 1_000_000_000


@dataclass
class Turn:
    #: ``"a RUNNING"``, in the order of the moves.
    moves: list[str]
    #: ``"start a 1 on p"``, in the order of the sending.
    sent: list[str]
    changes: Changes
    effects: list[Effect]
    answer: list[Task]


class Rules:
    """A state, a clock that only tests move, and what a store would keep of the ended ones."""

    def __init__(self, policy: Policy | None = None):
        self.state = ClusterState(policy)
        self.now = 0
        #: By how much the monotonic clock is ahead of ``now``.
        self._ticks_ahead = 0
        self._groups: dict[str, Group] = {}
        self._tasks: dict[str, Task] = {}
        self._past_attempts: dict[str, int] = {}

    def turn(self, *events: Event, after_s: float = 0, paused_s: float = 0, clock_moved_s: float = 0) -> Turn:
        """Hand in events at once, as the engine does; the invariants are checked when the turn is over."""
        self.now += 1 + int(after_s * S) + int(clock_moved_s * S)
        self._ticks_ahead -= int(clock_moved_s * S)
        state, cluster = self.state, Cluster(self.state)
        state.adopt(self._groups.values(), self._tasks.values(), self._past_attempts)
        answer: list[Task] = []
        cluster.begin(Moment(self.now, self.now + self._ticks_ahead, int(paused_s * S)))
        if TimePassed() in events:
            cluster.ring(Moment(self.now, self.now))
        for event in events:
            answer = cluster.handle(event, self.now)
        cluster.settle(self.now)
        self._groups, self._tasks = dict(state.groups), dict(state.tasks)
        changes, effects = cluster.take_turn()
        self._past_attempts |= changes.past_attempts
        state.let_go(changes)
        invariants.check(state)
        moves = [f"{move.task_id} {move.state.name}" for move in changes.transitions]
        return Turn(moves, [_told(effect) for effect in effects], changes, effects, answer)

    def restart(self, *, ticks: int = 0) -> Turn:
        """Start a new manager with what the store has; its monotonic clock may stand anywhere."""
        policy, proplets = self.state.policy, list(self.state.proplets.values())
        groups = {
            group.id: group for group in self._groups.values() if group.has_live_tasks or is_awaited(group)
        }
        tasks = [
            task
            for task in self._tasks.values()
            if task.spec.group_id in groups
            or not (task.spec.group_id or (task.state.has_ended and not is_awaited(task)))
        ]
        last_task_seq, last_group_seq = self.state.last_task_seq, self.state.last_group_seq
        self.state = ClusterState(policy)
        self.state.last_task_seq, self.state.last_group_seq = last_task_seq, last_group_seq
        self.state.adopt_proplets([stored(proplet) for proplet in proplets])
        self.state.adopt(groups.values(), tasks, {})
        self._ticks_ahead = ticks - self.now
        return self.turn(ManagerStarted())

    def task(self, task_id: str) -> Task:
        return self._tasks[task_id]

    def states(self) -> dict[str, str]:
        return {task_id: task.state.name for task_id, task in self._tasks.items()}

    # -- short words for what tests do most -----------------------------------------------------------------

    def proplet(self, proplet_id: str = "p", *, slots: int = 10, boot: int = 1, **fields) -> Turn:
        fields = {"metadata": {"os": "linux"}, **fields}
        return self.turn(PropletSeen(proplet_id=proplet_id, boot=boot, slots=slots, **fields))

    def create(self, *specs: Spec) -> Turn:
        return self.turn(CreateTasks(specs=specs))

    def workflow(self, *specs: Spec) -> Turn:
        return self.turn(workflow(*specs))

    def start(self, task_id: str) -> Turn:
        return self.turn(StartTask(task_id))

    def stop(self, task_id: str) -> Turn:
        return self.turn(StopTask(task_id))

    def up(self, task_id: str) -> Turn:
        task = self.task(task_id)
        return self.turn(RunUp(task.proplet_id, task_id, task.attempt))

    def start_workflow(self) -> Turn:
        return self.turn(StartGroup(GroupKind.WORKFLOW, "w"))

    def start_job(self) -> Turn:
        return self.turn(StartGroup(GroupKind.JOB, "j"))

    def completes(self, task_id: str, results: object = None) -> Turn:
        return self.turn(self.end_of(task_id, results=results))

    def fails(self, task_id: str, error: str = "it trapped") -> Turn:
        return self.turn(self.end_of(task_id, failure=Failure(error)))

    def end_of(self, task_id: str, **fields) -> RunEnded:
        """Report the end of the attempt that runs now."""
        task = self.task(task_id)
        return RunEnded(proplet_id=task.proplet_id, task_id=task_id, attempt=task.attempt, **fields)


def a_task(task_id: str, *depends_on: str, **fields) -> Spec:
    return Spec(**{"id": task_id, "name": task_id, "module": MODULE, "depends_on": depends_on, **fields})


def in_workflow(*specs: Spec) -> tuple[Spec, ...]:
    return tuple(replace(spec, workflow_id="w") for spec in specs)


def workflow(*specs: Spec) -> CreateTasks:
    return CreateTasks(specs=in_workflow(*specs), group=NewGroup(id="w", kind=GroupKind.WORKFLOW))


def job(mode: JobMode | None, *specs: Spec) -> CreateTasks:
    named = tuple(replace(spec, job_id="j") for spec in specs)
    return CreateTasks(specs=named, group=NewGroup(id="j", kind=GroupKind.JOB, mode=mode))


def stored(proplet: Proplet) -> Proplet:
    """Give a proplet as it comes back from the store: whether it lives it must show."""
    return rows.to_proplet(rows.proplet_row(proplet))


def _told(effect: Effect) -> str:
    if isinstance(effect, SendStart):
        return f"start {effect.spec.id} {effect.attempt} on {effect.proplet_id}"
    if isinstance(effect, Refused):
        return f"refuse {effect.task_id} of {effect.proplet_id}"
    if isinstance(effect, AskHello):
        return f"ask {effect.proplet_id}"
    return f"{type(effect).__name__[4:].lower()} {effect.task_id} {effect.attempt} on {effect.proplet_id}"
