"""The state machine: events in, changed records and effects out.

``Cluster`` owns every task, group and proplet that still matters. A group stays in memory while one of
its tasks has not ended; then it is let go, and the engine hands it back (``adopt``) when a command
names it again. So what is not here does not run, and a report about it is stale.

The rules, each in one place:

- ``move`` is the only way from state to state and holds to ``states.TRANSITIONS``.
- A task becomes ready by counting down its unmet parents (``_tell_others``), so an end costs the work
  of the task's own children and nothing else.
- ``settle`` places what waits, once for all events of a turn.
- Every placement raises ``Task.attempt``; a report of any other attempt changes nothing.
"""

import copy
from collections.abc import Iterable, Mapping

import msgspec

from propeller.core import broadcast, commands, failfast, inputs, reports, residents, spans
from propeller.core.effects import Changes, Effect, SendStart, SendStop, Transition
from propeller.core.events import (
    ConnectionLost,
    ConnectionRestored,
    Event,
    ManagerStarted,
    PropletLost,
    PropletOffline,
    PropletSeen,
    RunEnded,
    RunHandedBack,
    RunSeen,
    RunUp,
    TimePassed,
)
from propeller.core.foreign import ForeignWork
from propeller.core.groups import UP
from propeller.core.model import Execution, Group, JobMode, Proplet, Task
from propeller.core.placement import Order, Placement
from propeller.core.relations import link, skip_reason, unlink
from propeller.core.states import (
    FAILED,
    INTERRUPTED,
    PENDING,
    RUNNING,
    SCHEDULED,
    SKIPPED,
    TaskState,
    check_transition,
)
from propeller.core.times import Moment
from propeller.core.watch import Watch

#: When the start of a task was sent that a manager before has placed: long ago.
NEVER = -(2**62)


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What a user may set about the rules."""

    #: How often a task is run again after its proplet was lost while it ran.
    losses_max: int = 3
    #: A proplet that is silent for longer is lost.
    liveness_s: float = 30.0
    #: One of which the broker says that it is gone has so long to show that it is not.
    offline_s: float = 3.0
    #: A start that a proplet does not list this long after it was sent is sent again.
    resend_s: float = 5.0
    #: How long a task may be on a foreign proplet, which would not say that it never got it.
    foreign_lease_s: float = 3600.0
    #: How many tasks a foreign proplet is given at once.
    foreign_slots: int = 10
    #: How many foreign proplets are known at once: anybody can make some up where nothing names them.
    foreign_max: int = 1000
    #: A proplet that was not heard of for longer is forgotten.
    forget_s: float = 86_400.0
    placement: Order = Order.ROUND_ROBIN
    #: Mode of a job that names none.
    job_mode: JobMode = JobMode.CONFIGURABLE


class Cluster:
    """All live tasks, groups and proplets; see the module's docstring for the rules."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()
        self.tasks: dict[str, Task] = {}
        self.groups: dict[str, Group] = {}
        self.placement = Placement(self.policy.placement)
        self.watch = Watch(self)
        self.foreign = ForeignWork(self)
        #: The monotonic clock when the turn began, ns.
        self.ticks = 0
        self.last_task_seq = 0
        self.last_group_seq = 0
        self.last_event_id = 0
        #: Broadcast tasks that run and stay: proplets that come later get them too.
        self.everywhere: dict[str, Task] = {}
        #: Proplets that may take work again, or for the first time, since tasks were placed.
        self.back: dict[str, Proplet] = {}
        self._adopted: list[Group | Task] = []
        self._begin_turn()

    @property
    def proplets(self) -> dict[str, Proplet]:
        return self.placement.proplets

    # -- turns ---------------------------------------------------------------------------------------------

    def _begin_turn(self) -> None:
        self._untold: list[Task] = []
        self._failed: list[Task] = []
        self.effects: list[Effect] = []
        self.created: dict[str, Task] = {}
        self.respecified: dict[str, Task] = {}
        self.touched: dict[str, Task] = {}
        self.deleted: dict[str, Task] = {}
        self.touched_executions: dict[tuple[str, str], tuple[Task, Execution]] = {}
        self.replaced: dict[str, Task] = {}
        #: Last attempts of deleted tasks, as the store has them or as this turn made them.
        self.past_attempts: dict[str, int] = {}
        self.forgotten_attempts: dict[str, int] = {}
        self.touched_groups: dict[str, Group] = {}
        self.deleted_groups: dict[str, Group] = {}
        self.touched_proplets: dict[str, Proplet] = {}
        self.deleted_proplets: dict[str, Proplet] = {}
        self.transitions: list[Transition] = []

    def begin(self, moment: Moment) -> None:
        """Say when the events come that are handled next."""
        self.ticks = moment.ticks
        if moment.paused_ns:
            self.watch.paused(moment.paused_ns)

    def handle(self, event: Event, now: int) -> list[Task]:
        """Take in one event; return copies of the tasks that a command created or changed.

        Raises:
            Invalid, NotFound, Conflict: The command breaks a rule; nothing has changed.

        """
        match event:
            case RunEnded():
                reports.ended(self, event, now)
            case RunUp():
                residents.run_up(self, event, now)
            case PropletSeen():
                self.watch.seen(event, now)
            case RunHandedBack():
                reports.handed_back(self, event, now)
            case RunSeen():
                self.foreign.heard_of(event.proplet_id, event.task_id)
            case PropletLost():
                self.watch.lost(event, now)
            case PropletOffline():
                self.watch.offline(event)
            case ConnectionLost():
                self.watch.connection_lost(event.unheard_ns)
            case ConnectionRestored():
                self.watch.connection_restored()
            case TimePassed():
                self.watch.time_passed(now)
            case ManagerStarted():
                self.watch.manager_started(now)
            case _:
                answer = commands.carry_out(self, event, now)
                self._tell_others(now)
                return [copy.copy(task) for task in answer]
        self._tell_others(now)
        return []

    def settle(self, now: int) -> None:
        """Place every waiting task for which there is room."""
        for task, proplets in self.placement.waiting_broadcasts():
            broadcast.place(self, task, proplets, now)
        while self.back:
            broadcast.reach(self, self.back.popitem()[1], now)
        while (choice := self.placement.next()) is not None:
            task, proplet = choice
            self.begin_attempt(task, proplet, now)
            self.placement.placed(task, proplet, self.ticks)
            self.send_start(task, proplet)

    def begin_attempt(self, task: Task, proplet: Proplet | None, now: int) -> None:
        """Move a task on; ``proplet`` is None where it goes to several."""
        task.attempt += 1
        task.proplet_id = proplet.id if proplet else ""
        task.placed_at = task.started_at = now
        task.reason = task.reason if task.losses else ""
        self.move(task, RUNNING, now)

    def take_turn(self) -> tuple[Changes, list[Effect]]:
        """Return what changed since the last call, and what to do once that is committed."""
        spans.follow(self)
        changes = Changes(
            created=list(self.created.values()),
            respecified=[task for key, task in self.respecified.items() if key not in self.created],
            updated=[task for key, task in self.touched.items() if key not in self.created],
            deleted=list(self.deleted.values()),
            executions=list(self.touched_executions.values()),
            replaced=list(self.replaced.values()),
            past_attempts=self.forgotten_attempts,
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

    def adopt(self, groups: Iterable[Group], tasks: Iterable[Task], past_attempts: Mapping[str, int]) -> None:
        """Take in records of the store: whole groups, and tasks of no group; those here already win.

        ``past_attempts`` has the last attempts of deleted tasks whose ids were looked for.
        """
        self.past_attempts.update(past_attempts)
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
            elif task.state is RUNNING:
                self._adopt_running(task)
        for group in fresh.values():
            link(group)
            spans.derive(group)

    def _adopt_running(self, task: Task) -> None:
        holders = [task.proplet_id]
        if task.spec.broadcast:
            holders = self.holders(task)
            task.live_executions = len(holders)
            if task.spec.is_resident:
                self.everywhere[task.id] = task
        for proplet_id in holders:
            proplet = self.proplets.get(proplet_id)
            if proplet is not None:
                self.placement.hold(task, proplet, NEVER)

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
            if task.was_up and state.has_ended:
                group.counts[UP] -= 1
            self.touched_groups[group_id] = group
        task.state = state
        task.is_up = False
        self.tell(task, now)

    def tell(self, task: Task, now: int) -> None:
        """Let the story show what a task is now, and the store keep it."""
        spec = task.spec
        task.updated_at = now
        self.touched[spec.id] = task
        self.transitions.append(
            Transition(
                task_id=spec.id,
                name=spec.name,
                state=task.state,
                at=now,
                workflow_id=spec.workflow_id,
                job_id=spec.job_id,
                attempt=task.attempt,
                proplet_id=task.proplet_id,
                results=task.results,
                error=task.error,
                reason=task.reason,
                is_up=task.is_up,
            )
        )

    def schedule(self, task: Task, now: int) -> None:
        """Queue a task that is wanted and ready, or fail it where it can't be run at all."""
        task.reason = self.placement.why_waits(task)
        self.move(task, SCHEDULED, now)
        obstacle = commands.obstacle(task.spec) or inputs.missing(task)
        if obstacle:
            task.error, task.reason = obstacle, ""
            self.end(task, FAILED, now)
        else:
            self.placement.wait(task)

    def end(self, task: Task, state: TaskState, now: int) -> None:
        """Move a task to an end; its children are told before the event is over.

        Those of one that was up have been told before.
        """
        self.release(task)
        if task.executions:
            broadcast.close(self, task, now)
        if state is not SKIPPED and not task.finished_at:
            task.finished_at = now
        self.move(task, state, now)
        if not task.was_up:
            self.settled(task)
        if state is FAILED and task.spec.job_id and self.groups[task.spec.job_id].fail_fast:
            self._failed.append(task)

    def interrupt(self, task: Task, reason: str, now: int) -> None:
        """Stop a task that has not ended."""
        self.send_stops(task)
        task.reason = reason
        self.end(task, INTERRUPTED, now)

    def settled(self, task: Task) -> None:
        """Note that those that wait for a task may go on; they are told before the event is over."""
        if task.children:
            self._untold.append(task)

    def release(self, task: Task) -> None:
        """Take a task off its proplets, or off the queue."""
        if task.state is SCHEDULED:
            self.placement.wait_no_more(task)
        elif task.state is RUNNING:
            self.everywhere.pop(task.id, None)
            for proplet_id in self.holders(task):
                self.placement.freed(task, proplet_id)

    def holders(self, task: Task) -> list[str]:
        """Name the proplets that run it."""
        if task.state is not RUNNING:
            return []
        if not task.spec.broadcast:
            return [task.proplet_id]
        return [one.proplet_id for one in task.executions.values() if one.state is RUNNING]

    def send_stops(self, task: Task) -> None:
        """Tell those that run it to end it."""
        for proplet_id in self.holders(task):
            proplet = self.proplets.get(proplet_id)
            is_ours = proplet is None or proplet.is_ours
            self.effects.append(SendStop(proplet_id, task.id, task.attempt_on(proplet_id), is_ours=is_ours))

    def clear(self, task: Task) -> None:
        """Forget the last run of an ended task before it is started again."""
        task.results = None
        task.error = task.reason = ""
        task.started_at = task.finished_at = 0
        task.losses = task.restarts = 0
        task.was_up = False
        self.forget_executions(task)
        for child in task.children:
            child.unmet += 1

    def forget_executions(self, task: Task) -> None:
        for proplet_id in task.executions:
            self.touched_executions.pop((task.id, proplet_id), None)
        if task.executions:
            task.executions = {}
            self.replaced[task.id] = task

    def _tell_others(self, now: int) -> None:
        """Let those hear of an end whom it concerns: the others of a job that is fail-fast, and the children.

        These are counted down, and started or skipped when they are ready. A loop, not a recursion: a skip
        may run down a chain of any length.
        """
        while self._untold or self._failed:
            while self._failed:
                failfast.stop_others(self, self._failed.pop(), now)
            for child in self._untold.pop().children if self._untold else ():
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

    def send_start(self, task: Task, proplet: Proplet) -> None:
        if not proplet.is_ours:
            self.foreign.given(proplet, task)
        self.effects.append(
            SendStart(
                proplet_id=proplet.id,
                spec=task.spec,
                attempt=task.attempt_on(proplet.id),
                placed_at=task.placed_on(proplet.id),
                inputs=inputs.resolved(task),
                parent_results={
                    parent.id: parent.results
                    for parent in task.parents
                    if parent.has_succeeded and parent.results is not None
                },
                is_ours=proplet.is_ours,
            )
        )

    def remember_attempt(self, task: Task) -> None:
        """Keep in mind how far a task that is deleted came: a task with the same id goes on from there.

        Otherwise proplets would take its attempts for those of the deleted one, and we their reports.
        """
        if task.attempt:
            self.past_attempts[task.id] = self.forgotten_attempts[task.id] = task.attempt

    # -- facts ---------------------------------------------------------------------------------------------

    def current(self, proplet_id: str, task_id: str, attempt: int, placed_at: int = 0) -> Task | None:
        """The task, if this proplet holds it with this attempt; a report of any other is stale.

        So is one of the same number that was placed at another time: a store that was restored from a backup
        does not know how far it had come.
        """
        proplet = self.proplets.get(proplet_id)
        if proplet is None or task_id not in proplet.placed:
            return None
        task = self.tasks[task_id]
        if task.attempt_on(proplet_id) != attempt or placed_at not in (0, task.placed_on(proplet_id)):
            return None
        return task

    def run_again(self, task: Task, reason: str, now: int) -> None:
        """Queue a running task once more."""
        self.release(task)
        task.started_at = 0
        task.results = None
        task.reason = reason
        self.move(task, SCHEDULED, now)
        self.placement.wait(task)

    def lose_on(self, proplet: Proplet, task: Task, why: str, now: int) -> None:
        """What a proplet had of a task is lost."""
        if task.spec.broadcast:
            broadcast.give_up(self, task, proplet.id, f"lost: {why}", now)
        else:
            self.lose(task, why, now)

    def lose(self, task: Task, why: str, now: int) -> None:
        """An attempt was lost with its proplet: run the task again, but not for ever."""
        task.losses += 1
        lost = f"attempt {task.attempt} was lost: {why}"
        if task.was_up:  # it has no end to come to, and so may have to move any number of times
            self.run_again(task, lost, now)
        elif task.losses <= self.policy.losses_max:
            self.run_again(task, f"{lost}; run again ({task.losses} of {self.policy.losses_max})", now)
        else:
            task.reason = ""
            task.error = f"{lost}; not run again after {task.losses} losses"
            self.end(task, FAILED, now)
