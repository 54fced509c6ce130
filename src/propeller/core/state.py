"""The state that the rules work on: the records, what is derived from them, and the few ways to change them.

``ClusterState`` owns every task, group and proplet that still matters. A group stays in memory while one of
its tasks has not ended; then it is let go, and the engine hands it back (``adopt``) when a command names it
again. So a task that is not here does not run, and a report about it is stale.

This file has no rule. Code that changes a record notes the change in ``turn``. If another rule has to act on
the change, the code notes that in ``consequences``.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping

import msgspec

from propeller.core import causes, places, spans
from propeller.core.calendar import Ringing
from propeller.core.causes import Cause
from propeller.core.changes import Turn
from propeller.core.effects import Changes, Transition
from propeller.core.failures import Failure
from propeller.core.foreign import Lease, Leases
from propeller.core.groups import UP
from propeller.core.model import Execution, Group, Places, Proplet, Task
from propeller.core.placement import Placement
from propeller.core.policy import Policy
from propeller.core.reasons import Waiting, WaitsForPlace
from propeller.core.relations import link, unlink, waits_for_its_turn
from propeller.core.results import to_json
from propeller.core.silence import Silence
from propeller.core.states import COMPLETED, RUNNING, SCHEDULED, TaskState, check_transition
from propeller.core.timers import TimerOf, Timers

#: When a previous manager sent the starts of its tasks, by the monotonic clock: long ago.
NEVER = -(2**62)


def alarm_key(record: Task | Group) -> str:
    """Name a record among alarms: a task and a group may have the same id."""
    return f"{'task' if isinstance(record, Task) else 'group'} {record.id}"


class Consequences(msgspec.Struct, eq=False):
    """Work that follows from events and is not done yet; ``cluster`` has its order."""

    #: Failed tasks of fail-fast jobs, whose other tasks are to be stopped.
    failed: list[Task] = []
    #: Tasks that have ended or are up, whose children are to be told.
    settled: list[Task] = []
    #: The same of tasks of sequential jobs that have ended before their turn.
    settled_early: list[Task] = []
    #: Workflows that tasks run, in which a task has ended or come up, or which are gone.
    inner: list[Group] = []
    #: Tasks that run workflows, and have ended, are deleted or begin anew.
    left: list[Task] = []
    #: Proplets that take work again, or for the first time, by id. Resident broadcast tasks are to be started
    #: on them.
    back: dict[str, Proplet] = {}


class ClusterState:
    """All live tasks, groups and proplets; see the module's docstring."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()
        self.tasks: dict[str, Task] = {}
        self.groups: dict[str, Group] = {}
        #: The proplets, their load, and the tasks that wait for them.
        self.placement = Placement(self.policy.placement, self.policy.trust)
        #: The monotonic clock when the turn began, ns.
        self.ticks = 0
        #: The machine's own time when the turn began, ns since the epoch.
        self.wall = 0
        self.last_task_seq = 0
        self.last_group_seq = 0
        self.last_event_id = 0
        #: By the state's number: how many tasks are pending, scheduled and running (derived), and how often
        #: one has come to each end since the program began.
        self.tally = [0] * len(TaskState)
        #: How often an attempt has begun since the program began.
        self.starts = 0
        #: Resident broadcast tasks that run: proplets that come later get them too.
        self.everywhere: dict[str, Task] = {}
        #: The local proplets that are alive, or have not been given up yet.
        self.local = Silence()
        #: The remote proplets that are alive, or have not been given up yet.
        self.remote = Silence()
        #: The proplets that were given up, and when (``ticks``); the first one at the front.
        self.asleep: OrderedDict[str, tuple[Proplet, int]] = OrderedDict()
        #: Proplets that are drained, and when their remaining tasks are moved to others (``ticks``).
        self.draining: dict[str, tuple[Proplet, int]] = {}
        #: The leases of foreign proplets.
        self.leases = Leases()
        #: Timers of tasks and groups that run, by the monotonic clock.
        self.timers = Timers()
        #: Timers of schedules, by the machine's own time.
        self.alarms = Timers()
        #: The schedules that are due in this turn, with their times.
        self.ringing: list[Ringing] = []
        #: The tasks that begin workflows in this turn, each with the number of its next attempt.
        self.called: list[tuple[Task, int]] = []
        self.consequences = Consequences()
        #: What makes tasks change their states now: each event, and each rule that follows from one, sets it.
        self.cause: Cause = causes.UNKNOWN
        #: The changes since the last commit.
        self.turn = Turn()
        self._adopted: list[Group | Task] = []

    @property
    def proplets(self) -> dict[str, Proplet]:
        return self.placement.proplets

    def due_in_ns(self) -> int | None:
        """Say in how long the next timer is due, from when the turn began; None if none is set."""
        due, alarm = self.timers.next_due(), self.alarms.next_due()
        if self.placement.workflows:
            return 0
        if due is None and alarm is None:
            return None
        waits = [] if due is None else [due - self.ticks]
        waits += [] if alarm is None else [alarm - self.wall]
        return max(min(waits), 0)

    # -- who has what --------------------------------------------------------------------------------------

    def holders(self, task: Task) -> list[str]:
        """Give the ids of the proplets that run a task."""
        if task.state is not RUNNING or task.spec.workflow is not None:
            return []
        if not task.spec.broadcast:
            return [task.proplet_id]
        return [one.proplet_id for one in task.executions.values() if one.state is RUNNING]

    def tasks_on(self, proplet: Proplet) -> list[Task]:
        """Give the tasks that are placed on a proplet."""
        return [self.tasks[task_id] for task_id in proplet.placed]

    def current(self, proplet_id: str, task_id: str, attempt: int, placed_at: int = 0) -> Task | None:
        """Give the task if this proplet holds it with this attempt; None if a report of that is stale.

        A report of an attempt with the same number that was placed at another time is stale too: a store that
        was restored from a backup gives numbers twice. ``placed_at`` is 0 where it is not known.
        """
        proplet = self.proplets.get(proplet_id)
        if proplet is None or task_id not in proplet.placed:
            return None
        task = self.tasks[task_id]
        if task.attempt_on(proplet_id) != attempt or placed_at not in (0, task.placed_on(proplet_id)):
            return None
        return task

    # -- tasks ---------------------------------------------------------------------------------------------

    def move(self, task: Task, to: TaskState, now: int) -> None:
        """Move a task to another state; nothing else does that."""
        check_transition(task.id, task.state, to)
        spec = task.spec
        group_id = spec.workflow_id or spec.job_id
        before = task.state
        self.tally[to] += 1
        if before >= COMPLETED:
            self._run_begins_again(task)
        else:
            self.tally[before] -= 1
        if group_id:
            group = self.groups[group_id]
            group.counts[before] -= 1
            group.counts[to] += 1
            if task.was_up and to.has_ended:
                group.counts[UP] -= 1
            if group.places is not None and to is RUNNING:
                places.begin(group.places, task)
            self.turn.groups[group_id] = group
            definition = group.definition
            if (definition.run_of or definition.run_for) and to.has_ended:
                self.run_moved(group)
        elif spec.run_of and to.has_ended:
            self._go_on(self.tasks.get(spec.run_of))
        task.state = to
        if task.timing is not None and to.has_ended:
            self._go_on(task)
        task.is_up = False
        self.tell(task, now)

    def tell(self, task: Task, now: int) -> None:
        """Add a task, as it is now, to the story and to the records for the store."""
        spec, turn = task.spec, self.turn
        cause: Cause | None = self.cause
        if cause is causes.USUAL[task.state]:
            cause = None
        task.updated_at = now
        turn.touched[spec.id] = task
        results, encoding = to_json(task.results)
        turn.transitions.append(
            Transition(
                task_id=spec.id,
                name=spec.name,
                state=task.state,
                at=now,
                namespace=spec.namespace,
                workflow_id=spec.workflow_id,
                job_id=spec.job_id,
                attempt=task.attempt,
                proplet_id=task.proplet_id,
                results=results,
                results_encoding=encoding,
                error=task.error,
                error_kind=task.failure.kind if task.failure else None,
                reason=str(task.reason) if task.reason else "",
                is_up=task.is_up,
                cause=cause,
            )
        )

    def attempt_of(self, task: Task, how: TaskState, failure: Failure, now: int) -> Execution:
        """Give the present attempt of a task as one that ended now without a report."""
        started_at = task.started_at or task.placed_at
        return Execution(
            proplet_id=task.proplet_id,
            attempt=task.attempt,
            state=how,
            failure=failure,
            started_at=started_at,
            finished_at=max(now, started_at),
        )

    def past(self, task: Task, attempt: Execution) -> None:
        """Keep an attempt that is over and may be followed by another one."""
        self.turn.attempts.append((task, attempt))

    def run_moved(self, group: Group) -> None:
        """Tell whoever waits for the end of this group that it may have ended.

        That is the task that runs it, and the time of a schedule that waits for the end of a run.
        """
        if group.definition.run_for:
            self.consequences.inner.append(group)
        if group.definition.run_of and not group.has_live_tasks:
            self._go_on(self.groups.get(group.definition.run_of))

    def _run_begins_again(self, task: Task) -> None:
        """Count a run that has ended, and of which a task is to run again, as a run of its schedule again."""
        group = self.groups.get(task.spec.group_id)
        run: Task | Group = group or task
        owner: Task | Group | None
        if group is None:
            owner = self.tasks.get(task.spec.run_of)
        else:
            owner = None if group.has_live_tasks else self.groups.get(group.definition.run_of)
        if owner is None or owner.course is None or owner.seq > run.seq or run.id in owner.course.runs:
            return
        owner.course.runs.append(run.id)
        if isinstance(owner, Task):
            self.turn.touched[owner.id] = owner
        else:
            self.turn.groups[owner.id] = owner

    def _go_on(self, record: Task | Group | None) -> None:
        if record is not None and record.course is not None and record.course.waiting:
            self.alarms.set(TimerOf.SCHEDULE, alarm_key(record), 0)

    def alarmed(self, key: str) -> Task | Group | None:
        """Give the record that an alarm is for."""
        kind, _, name = key.partition(" ")
        return self.tasks.get(name) if kind == "task" else self.groups.get(name)

    def settled(self, task: Task) -> None:
        """Note that the children of a task may go on; they are told before the next event."""
        if task.children:
            due = self.consequences
            (due.settled_early if waits_for_its_turn(task) else due.settled).append(task)

    def queue(self, task: Task) -> None:
        """Let a task that is ready wait for a proplet; first for a place, if its group has only so many."""
        found = self._places_for(task)
        if found is None:
            self.placement.wait(task)
        else:
            places.join(found, task, self.placement)

    def why_waits(self, task: Task) -> Waiting | None:
        """Say what a task that is ready waits for; None if it waits only for its turn."""
        found = self._places_for(task)
        if found is not None and not places.has_one_for(found, task):
            return WaitsForPlace(self.groups[task.spec.group_id].kind, found.most)
        return self.placement.why_waits(task)

    def give_up_place(self, task: Task) -> None:
        """Let others of its group run in place of a task."""
        spec = task.spec
        group = self.groups.get(spec.workflow_id or spec.job_id)
        if group is not None and group.places is not None:
            places.leave(group.places, task, self.placement)

    def _places_for(self, task: Task) -> Places | None:
        """Give the places of which a task needs one; one that stays and was up needs none."""
        spec = task.spec
        group = self.groups.get(spec.workflow_id or spec.job_id)
        return None if group is None or task.was_up else group.places

    def release(self, task: Task) -> None:
        """Take a task off its proplets, or off the queue."""
        self.give_up_place(task)
        if task.state is SCHEDULED:
            self.placement.wait_no_more(task)
        elif task.state is RUNNING:
            self.everywhere.pop(task.id, None)
            for proplet_id in self.holders(task):
                self.placement.freed(task, proplet_id)

    def delete(self, task: Task) -> None:
        """Delete a task that nobody waits for, and take it off its proplets or the queue."""
        self.release(task)
        self.remember_attempt(task)
        if not task.state.has_ended:
            self.tally[task.state] -= 1
        self.turn.delete_task(task)
        del self.tasks[task.id]
        if task.course is not None:
            self.alarms.drop(TimerOf.SCHEDULE, alarm_key(task))
        if task.spec.run_of:
            self._go_on(self.tasks.get(task.spec.run_of))

    def delete_group(self, group: Group) -> None:
        """Delete a group whose tasks are deleted."""
        del self.groups[group.id]
        self.turn.delete_group(group)
        if group.course is not None:
            self.alarms.drop(TimerOf.SCHEDULE, alarm_key(group))
        if group.definition.run_for:
            self.consequences.inner.append(group)
        self._go_on(self.groups.get(group.definition.run_of))

    def remember_attempt(self, task: Task) -> None:
        """Remember the last attempt of a deleted task: a new task with the same id counts on from there.

        Otherwise proplets would take its attempts for those of the deleted task, and the manager its reports.
        """
        if task.attempt:
            self.turn.past_attempts[task.id] = self.turn.forgotten_attempts[task.id] = task.attempt

    # -- proplets ------------------------------------------------------------------------------------------

    def add_proplet(self, proplet: Proplet) -> None:
        self.proplets[proplet.id] = proplet
        self.placement.changed(proplet)

    def forget_proplet(self, proplet: Proplet) -> None:
        """Drop everything about a proplet that holds no work."""
        del self.proplets[proplet.id]
        self.silence_of(proplet).forget(proplet.id)
        for known in (self.asleep, self.draining, self.consequences.back):
            known.pop(proplet.id, None)
        self.placement.changed(proplet)
        self.turn.delete_proplet(proplet)

    def silence_of(self, proplet: Proplet) -> Silence:
        """Give the silence of the local or of the remote proplets, as this proplet is one or the other."""
        return self.local if proplet.is_local else self.remote

    def lease(self, proplet: Proplet, task: Task, *, gone_ns: int = 0) -> None:
        """Begin a foreign proplet's lease on its attempt of a task; ``gone_ns`` of it have passed already.

        A repeated start begins no new lease.
        """
        before = self.leases.get(proplet.id, task.id)
        attempt = task.attempt_on(proplet.id)
        if before is not None and before.attempt == attempt:
            return
        lease_ns, repeat_ns = int(self.policy.foreign_lease_s * 1e9), int(self.policy.resend_s * 1e9)
        clock = self.remote.clock(self.ticks)
        lease = Lease(
            proplet=proplet,
            task=task,
            attempt=attempt,
            ends=clock + max(lease_ns - gone_ns, 0),
            repeat_after_ns=repeat_ns,
        )
        self.leases.begin(lease, clock + repeat_ns)

    # -- what the store knows ------------------------------------------------------------------------------

    def adopt_proplets(self, proplets: Iterable[Proplet]) -> None:
        """Take in the proplets of the store; none counts as alive before it gives a sign of life."""
        for proplet in proplets:
            self.add_proplet(proplet)

    def adopt(self, groups: Iterable[Group], tasks: Iterable[Task], past_attempts: Mapping[str, int]) -> None:
        """Take in records of the store: whole groups, and tasks of no group. Records that are here stay.

        ``past_attempts`` has the last attempts of the deleted tasks that a command names, by id.
        """
        self.turn.past_attempts.update(past_attempts)
        fresh: dict[str, Group] = {}
        ready: list[Task] = []
        for group in groups:
            if group.id not in self.groups:
                self._adopted.append(group)
                fresh[group.id] = self.groups[group.id] = group
        for task in tasks:
            task_id, group_id = task.spec.id, task.spec.group_id
            if task_id in self.tasks or (group_id and group_id not in fresh):
                continue
            self.tasks[task_id] = task
            if not task.state.has_ended:
                self.tally[task.state] += 1
            if group_id:
                fresh[group_id].tasks[task_id] = task
            else:
                self._adopted.append(task)
            if task.state is SCHEDULED and not (task.timing and task.timing.retry_at):
                ready.append(task)
            elif task.state is RUNNING:
                self._adopt_running(task)
            self._set_alarm(task)
        for group in fresh.values():
            link(group)
            spans.derive(group)
            group.places = places.derive(group)
            self._set_alarm(group)
        for task in ready:
            self.queue(task)

    def _set_alarm(self, record: Task | Group) -> None:
        course = record.course
        if course is not None and course.is_live:
            self.alarms.set(TimerOf.SCHEDULE, alarm_key(record), 0 if course.waiting else course.due_at)

    def _adopt_running(self, task: Task) -> None:
        holders = self.holders(task)
        if task.spec.broadcast:
            task.live_executions = len(holders)
            if task.spec.is_resident:
                self.everywhere[task.id] = task
        for proplet_id in holders:
            proplet = self.proplets.get(proplet_id)
            if proplet is not None:
                self.placement.hold(task, proplet, NEVER)

    def let_go(self, changes: Changes) -> None:
        """Drop groups and tasks that have ended, now that these changes are committed.

        Those with a schedule stay as long as something is to come.
        """
        for record in (*changes.groups, *changes.created, *changes.updated, *self._adopted):
            if record.timing is not None and record.course is not None and record.course.is_live:
                continue
            if isinstance(record, Group):
                if not record.has_live_tasks and self.groups.get(record.id) is record:
                    del self.groups[record.id]
                    for task in record.tasks.values():
                        del self.tasks[task.spec.id]
                        unlink(task)
            elif record.state.has_ended and not record.spec.group_id and self.tasks.get(record.id) is record:
                del self.tasks[record.id]
        self._adopted.clear()
