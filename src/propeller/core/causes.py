"""Causes: what made a task change its state.

Each event, and each rule that follows from one, sets ``ClusterState.cause`` before it moves a task; a rule
that a timer wakes sets ``by_timer``. The cause that is usual for a state is not stored: ``whole`` gives it
back.
"""

from enum import StrEnum

import msgspec

from propeller.core.states import TaskState
from propeller.core.timers import TimerOf


class CauseKind(StrEnum):
    #: A user asked for it.
    USER = "user"
    #: A task that it waited for has ended, or is up.
    PARENT = "parent"
    #: Another task of its group failed, and so stopped it.
    TASK = "task"
    #: The workflow that it runs has ended.
    WORKFLOW = "workflow"
    #: The task that runs its workflow has begun or ended.
    OUTER_TASK = "outer_task"
    #: A time has come.
    TIMER = "timer"
    #: A proplet reported it.
    PROPLET = "proplet"
    #: Its proplet was lost, was started anew, is drained, or says nothing of it.
    PROPLET_LOST = "proplet_lost"
    #: It was its turn to be placed.
    PLACEMENT = "placement"
    #: The manager was started anew.
    MANAGER = "manager"
    #: An earlier version wrote the event, and no causes.
    UNKNOWN = "unknown"


class Cause(msgspec.Struct, frozen=True, omit_defaults=True):
    """What made a task change its state; ``str()`` gives the words."""

    kind: CauseKind
    #: The parent, the task that failed, or the one that runs the workflow.
    task_id: str = ""
    #: The proplet that reported or was lost; ``""`` in what is stored if it is the one of the change itself.
    proplet_id: str = ""
    timer: TimerOf | None = None

    def __str__(self) -> str:
        timer = self.timer.value if self.timer else ""
        return " ".join(filter(None, (self.kind.replace("_", " "), self.task_id, self.proplet_id, timer)))


USER = Cause(CauseKind.USER)
PLACEMENT = Cause(CauseKind.PLACEMENT)
WORKFLOW = Cause(CauseKind.WORKFLOW)
MANAGER = Cause(CauseKind.MANAGER)
UNKNOWN = Cause(CauseKind.UNKNOWN)
#: A report of the proplet that the task has.
ITS_PROPLET = Cause(CauseKind.PROPLET)
#: The cause that is usual for each state, by the state's number; a skip has none.
USUAL = (USER, USER, PLACEMENT, ITS_PROPLET, ITS_PROPLET, None, USER)


#: Looked up once: to ask an enumeration takes as long as to make a cause, and one is made for each child.
_PARENT = CauseKind.PARENT


def by_parent(task_id: str) -> Cause:
    return Cause(_PARENT, task_id)


def by_task(task_id: str) -> Cause:
    return Cause(CauseKind.TASK, task_id)


def by_outer_task(task_id: str) -> Cause:
    return Cause(CauseKind.OUTER_TASK, task_id)


def by_timer(timer: TimerOf) -> Cause:
    return Cause(CauseKind.TIMER, timer=timer)


def by_report(proplet_id: str, *, is_of_broadcast: bool) -> Cause:
    """Name the proplet that reported, unless it is the only one that the task has."""
    return by_proplet(proplet_id) if is_of_broadcast else ITS_PROPLET


def by_proplet(proplet_id: str) -> Cause:
    return Cause(CauseKind.PROPLET, proplet_id=proplet_id)


def by_loss_of(proplet_id: str) -> Cause:
    return Cause(CauseKind.PROPLET_LOST, proplet_id=proplet_id)


def whole(stored: Cause | None, state: TaskState, proplet_id: str) -> Cause:
    """Give the cause of a change to this state, of a task with this proplet, from what is stored of it."""
    cause = stored or USUAL[state] or UNKNOWN
    if cause.kind is CauseKind.PROPLET and not cause.proplet_id:
        return by_proplet(proplet_id)
    return cause
