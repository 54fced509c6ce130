"""Events: commands of users, which may be refused, and facts from the fleet, which may not.

A command that breaks a rule raises ``Invalid``, ``NotFound`` or ``Conflict`` and changes nothing. A fact
about an unknown task, or from an attempt that is no longer current, changes nothing and raises nothing:
the transport loses, repeats and reorders messages, so such facts are normal.
"""

from enum import StrEnum
from typing import Any

import msgspec

from propeller.core.failures import Failure
from propeller.core.model import Definition, GroupKind, JobMode, Spec
from propeller.core.ran import Ran

# -- commands ----------------------------------------------------------------------------------------------


class NewGroup(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    kind: GroupKind
    name: str = ""
    #: Only for jobs; None leaves the choice to the manager.
    mode: JobMode | None = None
    #: None for what the kind does by default: a job stops at its first failure, a workflow does not.
    fail_fast: bool | None = None
    definition: Definition = Definition()


class CreateTasks(msgspec.Struct, frozen=True, kw_only=True):
    """Create all of these tasks or none; with ``group``, create the group too."""

    specs: tuple[Spec, ...]
    group: NewGroup | None = None
    #: The ids in ``specs`` and ``group`` that a client chose; only these can be taken already.
    chosen_ids: tuple[str, ...] = ()
    #: False where the client names no namespace: in a group that is there, tasks belong where it does.
    says_where: bool = True


class UpdateTask(msgspec.Struct, frozen=True):
    task_id: str
    #: Fields of ``Spec`` and their new values, checked by the sender for type and range.
    changes: dict[str, Any]


class DeleteTask(msgspec.Struct, frozen=True):
    task_id: str


class StartTask(msgspec.Struct, frozen=True):
    task_id: str


class StopTask(msgspec.Struct, frozen=True):
    task_id: str


class StartGroup(msgspec.Struct, frozen=True):
    kind: GroupKind
    group_id: str


class StopGroup(msgspec.Struct, frozen=True):
    kind: GroupKind
    group_id: str


class Rerun(StrEnum):
    """The tasks of a group that run again, besides all that hangs on them."""

    #: What failed, was interrupted or skipped.
    FAILED = "failed"
    ALL = "all"


class RerunGroup(msgspec.Struct, frozen=True):
    """Run tasks of a group that has ended once more; the others keep their results."""

    kind: GroupKind
    group_id: str
    what: Rerun = Rerun.FAILED
    #: In place of that: a task, by its id or its name, and all that hangs on it.
    from_task: str = ""


class CloneGroup(msgspec.Struct, frozen=True):
    """Create a group with the same definition and tasks as another, of which nothing has run."""

    kind: GroupKind
    group_id: str
    #: A UUID that nothing has yet.
    new_id: str
    #: ``""`` for the name of the other.
    name: str = ""
    #: Who clones; ``""`` where nobody says who they are, and it stays who created the other.
    created_by: str = ""


class DeleteGroup(msgspec.Struct, frozen=True):
    kind: GroupKind
    group_id: str


class PauseSchedule(msgspec.Struct, frozen=True):
    """Let no times of a schedule come, or let them come again."""

    #: None for a task.
    kind: GroupKind | None
    owner_id: str
    is_paused: bool = True


class DeleteProplet(msgspec.Struct, frozen=True):
    proplet_id: str


class CordonProplet(msgspec.Struct, frozen=True):
    """Give a proplet no new work; or give it work again, if ``is_cordoned`` is false."""

    proplet_id: str
    is_cordoned: bool = True


class DrainProplet(msgspec.Struct, frozen=True):
    """Cordon a proplet, and after a time move its remaining tasks to others."""

    proplet_id: str
    #: None moves nothing: the tasks end by themselves.
    timeout_s: float | None = None


Command = (
    CreateTasks
    | UpdateTask
    | DeleteTask
    | StartTask
    | StopTask
    | StartGroup
    | StopGroup
    | RerunGroup
    | CloneGroup
    | DeleteGroup
    | PauseSchedule
    | DeleteProplet
    | CordonProplet
    | DrainProplet
)

# -- facts -------------------------------------------------------------------------------------------------


class RunEnded(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt has ended."""

    #: ``""`` in a report that names no proplet: those of embedded devices don't.
    proplet_id: str
    task_id: str
    #: 0 from a foreign proplet, whose ``task_id`` has the attempt in it (``names.foreign_id``).
    attempt: int
    #: As in the start message; 0 in a report that does not say.
    placed_at: int = 0
    results: Any = None
    failure: Failure | None = None
    #: By the proplet's clock; 0 in a report that does not say.
    started_at: int = 0
    finished_at: int = 0
    #: None in a report that does not say.
    ran: Ran | None = None


class RunCompiles(msgspec.Struct, frozen=True):
    """The module of an attempt is compiled first, which takes a while, or has been compiled."""

    proplet_id: str
    task_id: str
    attempt: int
    #: Of the module; 0 once it is compiled.
    size_bytes: int
    #: As in the start message; 0 in a report that does not say.
    placed_at: int = 0


class RunUp(msgspec.Struct, frozen=True):
    """A resident task is up, or has crashed and will be started anew."""

    proplet_id: str
    task_id: str
    attempt: int
    #: The address at which it serves, if the proplet says.
    results: Any = None
    #: How often it was started anew since it was placed.
    restarts: int = 0
    #: The error of the last crash.
    error: str = ""
    is_up: bool = True
    #: As in the start message; 0 in a report that does not say.
    placed_at: int = 0


class RunHandedBack(msgspec.Struct, frozen=True, kw_only=True):
    """A proplet hands an attempt back, through no fault of the task.

    The proplet is leaving, is too busy, or knows a later attempt. Or it lost the attempt with its process,
    and lives on itself (``is_lost``).
    """

    proplet_id: str
    task_id: str
    attempt: int
    reason: str
    #: As in the start message; 0 in a report that does not say.
    placed_at: int = 0
    #: The newest attempt of the task that the proplet knows: it runs only later ones. 0 if it does not say.
    newest: int = 0
    #: True if the attempt had begun and was lost with its process.
    is_lost: bool = False


class PropletSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A proplet said hello or gave a sign of life."""

    proplet_id: str
    #: 0 from a foreign proplet, which sends none.
    boot: int
    #: 0 in a message that does not say.
    slots: int = 0
    #: Task and attempt of all runs whose ends are not reported yet; None in a message that does not say.
    running: tuple[tuple[str, int], ...] | None = None
    #: None in a message that does not say.
    metadata: dict[str, Any] | None = None
    is_local: bool = False
    #: True for a hello, which a foreign proplet sends only when its program starts.
    is_hello: bool = False


class PropletLost(msgspec.Struct, frozen=True):
    """The program of a proplet has ended for certain; boot 0 stands for any boot."""

    proplet_id: str
    reason: str
    boot: int = 0


class PropletOffline(msgspec.Struct, frozen=True):
    """A proplet says good-bye, or the broker says that its connection is gone."""

    proplet_id: str
    boot: int = 0


class RunSeen(msgspec.Struct, frozen=True):
    """A foreign proplet sent a message about a task that it runs."""

    proplet_id: str
    task_id: str


class ConnectionLost(msgspec.Struct, frozen=True):
    """The manager has no connection to the broker: it can't hear remote proplets."""

    #: For how long nothing had arrived when the loss was noticed, ns.
    unheard_ns: int = 0


class ConnectionRestored(msgspec.Struct, frozen=True):
    """The manager is connected to the broker again."""


class ManagerStarted(msgspec.Struct, frozen=True):
    """The first fact after the store is loaded: the previous manager and its local proplets are gone."""


class TimePassed(msgspec.Struct, frozen=True):
    """Time has passed; sent at least once a second, so that silence is noticed.

    It is the last event of its turn: messages that have arrived are read before any proplet is judged.
    """


Fact = (
    RunEnded
    | RunCompiles
    | RunHandedBack
    | RunUp
    | RunSeen
    | PropletSeen
    | PropletLost
    | PropletOffline
    | ConnectionLost
    | ConnectionRestored
    | ManagerStarted
    | TimePassed
)
Event = Command | Fact
