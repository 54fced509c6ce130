"""The state machine: events in, changed records and effects out.

The records are in ``state``, and each rule is in a file of its own. This file says which rule takes in which
event, and in which order the rules are asked:

- One rule takes in an event. If that means work for another rule (``state.Consequences``), the work is done
  before the next event.
- ``settle`` places the waiting tasks, once for all events of a turn.

A new rule gets a file, a place in one of the lists of ``Cluster``, and a field in the record it is about.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any

from propeller.core import (
    attempts,
    broadcast,
    causes,
    drains,
    due,
    failfast,
    leases,
    liveness,
    reports,
    residents,
    schedules,
    spans,
    subworkflows,
)
from propeller.core.changes import Turn
from propeller.core.commands import creation, groups, plans, proplets, tasks
from propeller.core.effects import Changes, Effect
from propeller.core.events import (
    CloneGroup,
    Command,
    ConnectionLost,
    ConnectionRestored,
    CordonProplet,
    CreateTasks,
    DeleteGroup,
    DeleteProplet,
    DeleteTask,
    DrainProplet,
    Event,
    ManagerStarted,
    PauseSchedule,
    PropletLost,
    PropletOffline,
    PropletSeen,
    RerunGroup,
    RunCompiles,
    RunEnded,
    RunHandedBack,
    RunSeen,
    RunUp,
    StartGroup,
    StartTask,
    StopGroup,
    StopTask,
    TimePassed,
    UpdateTask,
)
from propeller.core.model import Task
from propeller.core.state import ClusterState
from propeller.core.times import Moment

#: A rule that is asked at a time, ns since the epoch.
Rule = Callable[[ClusterState, int], None]
#: A rule that is asked about one task, or one group, at a time.
RecordRule = Callable[[ClusterState, Any, int], None]


class Cluster:
    """The rules at work on a state; see the module's docstring."""

    def __init__(self, state: ClusterState) -> None:
        self.state = state
        #: Asked when a manager has started, before anything else.
        self._at_start: tuple[Rule, ...] = (
            liveness.manager_started,
            leases.manager_started,
            drains.manager_started,
            due.manager_started,
        )
        #: Asked as time passes.
        self._as_time_passes: tuple[Rule, ...] = (
            liveness.time_passed,
            leases.time_passed,
            drains.time_passed,
            due.time_passed,
            schedules.time_passed,
            subworkflows.time_passed,
        )
        #: Asked about tasks and groups that an event concerns; a list is looked at only when those above it
        #: are empty.
        self._consequences: tuple[tuple[list[Any], RecordRule], ...] = (
            (state.consequences.failed, failfast.stop_others),
            (state.consequences.settled_early, attempts.tell_children_early),
            (state.consequences.settled, attempts.tell_children),
            (state.consequences.left, subworkflows.leave),
            (state.consequences.inner, subworkflows.follow),
        )
        #: Asked once, when all events of a turn are taken in.
        self._at_end: tuple[Rule, ...] = (
            broadcast.place_waiting,
            broadcast.reach_returned,
            attempts.place_waiting,
        )

    def begin(self, moment: Moment) -> None:
        """Set the time of the events that are handled next."""
        self.state.ticks, self.state.wall = moment.ticks, moment.wall or moment.now
        if moment.paused_ns:
            liveness.paused(self.state, moment.paused_ns)

    def handle(self, event: Event, now: int) -> list[Task]:
        """Take in one event; return copies of the tasks that a command created or changed.

        Raises:
            Invalid, NotFound, Conflict: The command breaks a rule; nothing has changed.

        """
        state = self.state
        state.cause = causes.UNKNOWN  # a rule that moves tasks for a fact says what the cause is
        answer: Sequence[Task] = ()
        match event:
            case RunEnded():
                reports.ended(state, event, now)
            case RunCompiles():
                reports.compiles(state, event, now)
            case RunUp():
                residents.run_up(state, event, now)
            case PropletSeen():
                liveness.seen(state, event, now)
            case RunHandedBack():
                reports.handed_back(state, event, now)
            case RunSeen():
                leases.heard_of(state, event)
            case PropletLost():
                liveness.lost(state, event, now)
            case PropletOffline():
                liveness.offline(state, event)
            case ConnectionLost():
                liveness.connection_lost(state, event.unheard_ns)
            case ConnectionRestored():
                liveness.connection_restored(state)
            case TimePassed():
                self._ask(self._as_time_passes, now)
            case ManagerStarted():
                state.cause = causes.MANAGER
                self._ask(self._at_start, now)
            case _:
                answer = self._carry_out(event, now)
        self._follow_up(now)
        return [copy.copy(task) for task in answer] if answer else []

    def _carry_out(self, command: Command, now: int) -> list[Task]:
        state = self.state
        state.cause = causes.USER
        match command:
            case CreateTasks():
                return creation.create(state, command, now)
            case UpdateTask():
                return [tasks.update(state, command, now)]
            case StartTask():
                tasks.start(state, command, now)
            case StopTask():
                tasks.stop(state, command, now)
            case DeleteTask():
                tasks.delete(state, command)
            case StartGroup():
                return groups.start(state, command, now)
            case RerunGroup():
                groups.rerun(state, command, now)
            case CloneGroup():
                return groups.clone(state, command, now)
            case StopGroup():
                groups.stop(state, command, now)
            case DeleteGroup():
                groups.delete(state, command)
            case DeleteProplet():
                proplets.delete(state, command)
            case CordonProplet():
                proplets.cordon(state, command)
            case DrainProplet():
                proplets.drain(state, command, now)
            case PauseSchedule():
                plans.pause(state, command)
        return []

    def _follow_up(self, now: int) -> None:
        """Do all work that follows from an event, until nothing is left.

        This is a loop and no recursion: a skip may run down a chain of any length.
        """
        while self._does_next(now):
            pass

    def _does_next(self, now: int) -> bool:
        for waiting, rule in self._consequences:
            if waiting:
                rule(self.state, waiting.pop(), now)
                return True
        return False

    def ring(self, moment: Moment) -> tuple[list[str], list[str]]:
        """Take out the schedules that are due, and call the tasks that are to run workflows.

        This is before time passes in a turn. Give the ids of tasks and of groups that they use: records that
        have them must be here by then.
        """
        tasks, groups = schedules.ring(self.state, moment.wall or moment.now)
        inner_tasks, inner_groups = subworkflows.call(self.state)
        return [*tasks, *inner_tasks], [*groups, *inner_groups]

    def ids_of_run(self, group_id: str, number: int, moment: Moment) -> tuple[list[str], list[str]]:
        """Give the ids that the nth run uses that is started in this turn, of a group with a schedule."""
        group = self.state.groups.get(group_id)
        if group is None or group.schedule is None:
            return [], []
        return schedules.ids_of_run_now(group, moment.wall or moment.now, number)

    def settle(self, now: int) -> None:
        """Place every waiting task for which there is room.

        One that can't be started after all ends there, and other tasks may follow and wait in their turn.
        """
        self._place(now)
        while self._does_next(now):
            self._follow_up(now)
            self._place(now)

    def _place(self, now: int) -> None:
        self.state.cause = causes.PLACEMENT
        self._ask(self._at_end, now)

    def take_turn(self) -> tuple[Changes, list[Effect]]:
        """Return what changed since the last call, and what to do once that is committed."""
        state, turn = self.state, self.state.turn
        spans.follow(turn, state.groups)
        changes = turn.changes(state.last_event_id + 1)
        state.last_event_id += len(turn.transitions)
        state.turn = Turn()
        return changes, turn.effects

    def _ask(self, rules: tuple[Rule, ...], now: int) -> None:
        for rule in rules:
            rule(self.state, now)
