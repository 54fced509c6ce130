"""The state machine: events in, changed records and effects out.

``Cluster`` owns every task, group and proplet that still matters. A group stays in memory while one of
its tasks has not ended; then it is let go, and the engine hands it back (``adopt``) when a command
names it again. So what is not here does not run, and a report about it is stale.

The rules, each in one place:

- ``move`` is the only way from state to state and holds to ``states.TRANSITIONS``.
- A task becomes ready by counting down its unmet parents (``_tell_children``), so an end costs the work
  of the task's own children and nothing else.
- ``settle`` places what waits, once for all events of a turn.
- Every placement raises ``Task.attempt``; a report of any other attempt changes nothing.
"""

import copy
from collections.abc import Iterable

import msgspec

from propeller.core import commands
from propeller.core.effects import Changes, Effect, SendAck, SendStart, SendStop, Transition
from propeller.core.events import (
    Event,
    ManagerStarted,
    PropletLost,
    PropletSeen,
    RunEnded,
    RunHandedBack,
    TimePassed,
)
from propeller.core.model import Group, JobMode, Proplet, Task
from propeller.core.names import proplet_name
from propeller.core.placement import Placement
from propeller.core.relations import link, skip_reason, unlink
from propeller.core.states import (
    COMPLETED,
    FAILED,
    PENDING,
    RUNNING,
    SCHEDULED,
    SKIPPED,
    TaskState,
    check_transition,
)

SIGNS_OF_LIFE_KEPT = 10
BOOTS_REMEMBERED = 16
#: Of this many deleted tasks the last attempt is remembered.
ATTEMPTS_REMEMBERED = 50_000


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What a user may set about the rules."""

    #: How often a task is run again after its proplet was lost while it ran.
    losses_max: int = 3
    #: A proplet that is silent for longer is lost.
    liveness_s: float = 30.0
    #: A start that a proplet does not list this long after it was sent is sent again.
    resend_s: float = 5.0
    #: Mode of a job that names none.
    job_mode: JobMode = JobMode.CONFIGURABLE


class Cluster:
    """All live tasks, groups and proplets; see the module's docstring for the rules."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()
        self.tasks: dict[str, Task] = {}
        self.groups: dict[str, Group] = {}
        self.placement = Placement()
        self.last_task_seq = 0
        self.last_group_seq = 0
        self.last_event_id = 0
        self._adopted: list[Group | Task] = []
        self._started_at = 0
        self._past_boots: dict[str, list[str]] = {}
        self._past_attempts: dict[str, int] = {}
        self._begin_turn()

    @property
    def proplets(self) -> dict[str, Proplet]:
        return self.placement.proplets

    # -- turns ---------------------------------------------------------------------------------------------

    def _begin_turn(self) -> None:
        self._untold: list[Task] = []
        self.effects: list[Effect] = []
        self.created: dict[str, Task] = {}
        self.respecified: dict[str, Task] = {}
        self.touched: dict[str, Task] = {}
        self.deleted: dict[str, Task] = {}
        self.touched_groups: dict[str, Group] = {}
        self.deleted_groups: dict[str, Group] = {}
        self.touched_proplets: dict[str, Proplet] = {}
        self.deleted_proplets: dict[str, Proplet] = {}
        self.transitions: list[Transition] = []

    def handle(self, event: Event, now: int) -> list[Task]:
        """Take in one event; return copies of the tasks that a command created or changed.

        Raises:
            Invalid, NotFound, Conflict: The command breaks a rule; nothing has changed.

        """
        match event:
            case RunEnded():
                self._run_ended(event, now)
            case PropletSeen():
                self._proplet_seen(event, now)
            case RunHandedBack():
                self._run_handed_back(event, now)
            case PropletLost():
                self._proplet_lost(event, now)
            case TimePassed():
                self._notice_silence(now)
            case ManagerStarted():
                self._give_back_local_work(now)
            case _:
                answer = commands.carry_out(self, event, now)
                self._tell_children(now)
                return [copy.copy(task) for task in answer]
        self._tell_children(now)
        return []

    def settle(self, now: int) -> None:
        """Place every waiting task for which there is room."""
        while (choice := self.placement.next()) is not None:
            task, proplet = choice
            task.attempt += 1
            task.proplet_id = proplet.id
            task.placed_at = task.started_at = now
            task.reason = task.reason if task.losses else ""
            self.move(task, RUNNING, now)
            self.placement.placed(task, proplet, now)
            self.send_start(task)

    def take_turn(self) -> tuple[Changes, list[Effect]]:
        """Return what changed since the last call, and what to do once that is committed."""
        changes = Changes(
            created=list(self.created.values()),
            respecified=[task for key, task in self.respecified.items() if key not in self.created],
            updated=[task for key, task in self.touched.items() if key not in self.created],
            deleted=list(self.deleted.values()),
            groups=list(self.touched_groups.values()),
            deleted_groups=list(self.deleted_groups.values()),
            proplets=list(self.touched_proplets.values()),
            deleted_proplets=list(self.deleted_proplets.values()),
            transitions=self.transitions,
            first_event_id=self.last_event_id + 1,
        )
        self.last_event_id += len(self.transitions)
        effects = self.effects
        self._begin_turn()
        return changes, effects

    def let_go(self, changes: Changes) -> None:
        """Forget what has ended, now that these changes are committed: nothing here refers to it."""
        for record in (*changes.groups, *changes.created, *changes.updated, *self._adopted):
            if isinstance(record, Group):
                if not record.has_live_tasks and self.groups.get(record.id) is record:
                    del self.groups[record.id]
                    for task in record.tasks.values():
                        del self.tasks[task.id]
                        unlink(task)
            elif record.state.has_ended and not record.spec.group_id and self.tasks.get(record.id) is record:
                del self.tasks[record.id]
        self._adopted.clear()

    # -- what the store knows ------------------------------------------------------------------------------

    def adopt(self, groups: Iterable[Group], tasks: Iterable[Task]) -> None:
        """Take in records of the store: whole groups, and tasks of no group; those here already win."""
        fresh: dict[str, Group] = {}
        for group in groups:
            if group.id not in self.groups:
                self._adopted.append(group)
                fresh[group.id] = self.groups[group.id] = group
        for task in tasks:
            group_id = task.spec.group_id
            if task.id in self.tasks or (group_id and group_id not in fresh):
                continue
            self.tasks[task.id] = task
            if group_id:
                fresh[group_id].tasks[task.id] = task
            else:
                self._adopted.append(task)
            if task.state is SCHEDULED:
                self.placement.wait(task)
            elif task.state is RUNNING and task.proplet_id in self.proplets:
                self.proplets[task.proplet_id].placed[task.id] = task.placed_at
        for group in fresh.values():
            link(group)

    def adopt_proplets(self, proplets: Iterable[Proplet]) -> None:
        for proplet in proplets:
            self.proplets[proplet.id] = proplet

    # -- moves ---------------------------------------------------------------------------------------------

    def move(self, task: Task, state: TaskState, now: int) -> None:
        """The only way from state to state."""
        check_transition(task.id, task.state, state)
        spec = task.spec
        group_id = spec.workflow_id or spec.job_id
        if group_id:
            group = self.groups[group_id]
            group.counts[task.state] -= 1
            group.counts[state] += 1
            self.touched_groups[group_id] = group
        task.state = state
        task.updated_at = now
        self.touched[spec.id] = task
        self.transitions.append(
            Transition(
                task_id=spec.id,
                name=spec.name,
                state=state,
                at=now,
                workflow_id=spec.workflow_id,
                job_id=spec.job_id,
                attempt=task.attempt,
                proplet_id=task.proplet_id,
                results=task.results,
                error=task.error,
                reason=task.reason,
            )
        )

    def schedule(self, task: Task, now: int) -> None:
        """Queue a task that is wanted and ready, or fail it where it can't be run at all."""
        task.reason = self.placement.why_waits(task)
        self.move(task, SCHEDULED, now)
        obstacle = commands.obstacle(task.spec)
        if obstacle:
            task.error, task.reason = obstacle, ""
            self.end(task, FAILED, now)
        else:
            self.placement.wait(task)

    def end(self, task: Task, state: TaskState, now: int) -> None:
        """Move a task to an end; its children are told before the event is over."""
        if task.state is RUNNING:
            self.placement.freed(task)
        elif task.state is SCHEDULED:
            self.placement.wait_no_more(task)
        if state is not SKIPPED and not task.finished_at:
            task.finished_at = now
        self.move(task, state, now)
        if task.children:
            self._untold.append(task)

    def clear(self, task: Task) -> None:
        """Forget the last run of an ended task before it is started again."""
        task.results = None
        task.error = task.reason = ""
        task.started_at = task.finished_at = 0
        task.losses = 0
        for child in task.children:
            child.unmet += 1

    def _tell_children(self, now: int) -> None:
        """Count down the children of what ended, and start or skip those that are ready.

        A loop, not a recursion: a skip may run down a chain of any length.
        """
        while self._untold:
            for child in self._untold.pop().children:
                child.unmet -= 1
                if child.unmet == 0 and child.state is PENDING:
                    self.decide(child, now)

    def decide(self, task: Task, now: int) -> None:
        """Start or skip a pending task whose parents have all ended."""
        reason = skip_reason(task)
        if reason:
            task.reason = reason
            self.end(task, SKIPPED, now)
        else:
            self.schedule(task, now)

    def send_start(self, task: Task) -> None:
        self.effects.append(
            SendStart(
                proplet_id=task.proplet_id,
                spec=task.spec,
                attempt=task.attempt,
                parent_results={
                    parent.id: parent.results
                    for parent in task.parents
                    if parent.state is COMPLETED and parent.results is not None
                },
            )
        )

    def remember_attempt(self, task: Task) -> None:
        """Keep in mind how far a task that is deleted came: a task with the same id goes on from there.

        Otherwise proplets would take its attempts for those of the deleted one, and we their reports.
        """
        self._past_attempts.pop(task.id, None)
        if task.attempt:
            self._past_attempts[task.id] = task.attempt
            if len(self._past_attempts) > ATTEMPTS_REMEMBERED:
                del self._past_attempts[next(iter(self._past_attempts))]

    def past_attempt(self, task_id: str) -> int:
        return self._past_attempts.pop(task_id, 0)

    # -- facts ---------------------------------------------------------------------------------------------

    def _current(self, proplet_id: str, task_id: str, attempt: int) -> Task | None:
        """The task, if this is the attempt that runs now; a report of any other is stale."""
        task = self.tasks.get(task_id)
        if (
            task is None
            or task.state is not RUNNING
            or task.attempt != attempt
            or task.proplet_id != proplet_id
        ):
            return None
        return task

    def _run_ended(self, event: RunEnded, now: int) -> None:
        self.effects.append(SendAck(event.proplet_id, event.task_id, event.attempt))
        task = self._current(event.proplet_id, event.task_id, event.attempt)
        if task is None:
            return
        # The proplet's clock may be wrong; what it says is held inside what this manager saw itself.
        task.started_at = min(max(event.started_at, task.placed_at), now)
        task.finished_at = min(max(event.finished_at, task.started_at), now) if event.finished_at else now
        self.placement.learn(task.proplet_id, task.finished_at - task.started_at)
        task.results = event.results
        task.error = event.error
        self.end(task, FAILED if event.error else COMPLETED, now)

    def _run_handed_back(self, event: RunHandedBack, now: int) -> None:
        self.effects.append(SendAck(event.proplet_id, event.task_id, event.attempt))
        task = self._current(event.proplet_id, event.task_id, event.attempt)
        if task is not None:
            proplet = self.proplets[event.proplet_id]
            proplet.window = proplet.slots
            self._run_again(task, f"attempt {task.attempt} was handed back: {event.reason}", now)

    def _run_again(self, task: Task, reason: str, now: int) -> None:
        self.placement.freed(task)
        task.started_at = 0
        task.reason = reason
        self.move(task, SCHEDULED, now)
        self.placement.wait(task)

    def _lose(self, task: Task, why: str, now: int) -> None:
        """An attempt was lost with its proplet: run the task again, but not for ever."""
        task.losses += 1
        lost = f"attempt {task.attempt} was lost: {why}"
        if task.losses <= self.policy.losses_max:
            self._run_again(task, f"{lost}; run again ({task.losses} of {self.policy.losses_max})", now)
        else:
            task.reason = ""
            task.error = f"{lost}; not run again after {task.losses} losses"
            self.end(task, FAILED, now)

    def _proplet_seen(self, event: PropletSeen, now: int) -> None:
        proplet = self.proplets.get(event.proplet_id)
        if event.boot in self._past_boots.get(event.proplet_id, ()):
            return  # a message of a program that has been replaced since
        if proplet is None:
            name = proplet_name(event.proplet_id)
            proplet = Proplet(id=event.proplet_id, name=name, is_local=event.is_local, created_at=now)
            self.proplets[proplet.id] = proplet
        if proplet.boot != event.boot:
            self._remember_boot(proplet)
            proplet.boot = event.boot
            self.touched_proplets[proplet.id] = proplet
            proplet.window = event.slots
            self._lose_all(proplet, f"proplet {proplet.name} was started anew", now)
        if event.metadata is not None and event.metadata != proplet.metadata:
            proplet.metadata = event.metadata
            self.touched_proplets[proplet.id] = proplet
        proplet.slots = event.slots
        proplet.window = max(proplet.window, event.slots)
        proplet.is_alive = True
        proplet.seen = [*proplet.seen[-SIGNS_OF_LIFE_KEPT + 1 :], now]
        if event.running is not None:
            self._reconcile(proplet, dict(event.running), now)
        self.placement.offer_room(proplet.id)

    def _remember_boot(self, proplet: Proplet) -> None:
        if proplet.boot:
            past = self._past_boots.setdefault(proplet.id, [])
            past.append(proplet.boot)
            del past[:-BOOTS_REMEMBERED]

    def _reconcile(self, proplet: Proplet, running: dict[str, int], now: int) -> None:
        """Compare what a proplet says it holds with what was placed there: repeat what got lost."""
        for task_id, attempt in running.items():
            if self._current(proplet.id, task_id, attempt) is None:
                self.effects.append(SendStop(proplet.id, task_id, attempt))
        patience_ns = int(self.policy.resend_s * 1e9)
        for task_id, sent_at in list(proplet.placed.items()):
            task = self.tasks[task_id]
            if running.get(task_id) != task.attempt and now - sent_at >= patience_ns:
                proplet.placed[task_id] = now
                self.send_start(task)

    def _proplet_lost(self, event: PropletLost, now: int) -> None:
        proplet = self.proplets.get(event.proplet_id)
        if proplet is None or (event.boot and event.boot != proplet.boot):
            return
        self._give_up(proplet, event.reason, now)

    def _give_up(self, proplet: Proplet, why: str, now: int) -> None:
        """Take a proplet for dead; from now on any boot of it may be the one that runs.

        A message of an old boot that came late may have been taken for that of a new one.
        """
        proplet.is_alive = False
        self._past_boots.pop(proplet.id, None)
        self._lose_all(proplet, why, now)

    def _lose_all(self, proplet: Proplet, why: str, now: int) -> None:
        for task_id in list(proplet.placed):
            self._lose(self.tasks[task_id], why, now)

    def _notice_silence(self, now: int) -> None:
        limit_ns = int(self.policy.liveness_s * 1e9)
        for proplet in self.proplets.values():
            last_seen = proplet.seen[-1] if proplet.seen else self._started_at
            if (proplet.is_alive or proplet.placed) and now - last_seen > limit_ns:
                why = f"proplet {proplet.name} was silent for {self.policy.liveness_s:g} s"
                self._give_up(proplet, why, now)

    def _give_back_local_work(self, now: int) -> None:
        self._started_at = now
        for proplet in self.proplets.values():
            if proplet.is_local:
                for task_id in list(proplet.placed):
                    task = self.tasks[task_id]
                    reason = f"attempt {task.attempt} was lost: the manager was started anew; run again"
                    self._run_again(task, reason, now)
