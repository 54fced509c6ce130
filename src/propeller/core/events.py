"""Events: commands of users, which may be refused, and facts from the fleet, which may not.

A command that breaks a rule raises ``Invalid``, ``NotFound`` or ``Conflict`` and changes nothing. A fact
about an unknown task, or from an attempt that is no longer current, changes nothing and raises nothing:
on a transport that loses, repeats and reorders such facts are normal.
"""

from typing import Any

import msgspec

from propeller.core.failures import Failure
from propeller.core.model import GroupKind, JobMode, Spec

# -- commands ----------------------------------------------------------------------------------------------


class NewGroup(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    kind: GroupKind
    name: str = ""
    #: Both only for jobs; None leaves the choice to the manager.
    mode: JobMode | None = None
    fail_fast: bool | None = None


class CreateTasks(msgspec.Struct, frozen=True, kw_only=True):
    """Create all these tasks or none; with ``group`` they are its first tasks."""

    specs: tuple[Spec, ...]
    group: NewGroup | None = None
    #: The ids in ``specs`` and ``group`` that a client chose; only these can be taken already.
    chosen_ids: tuple[str, ...] = ()


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


class DeleteGroup(msgspec.Struct, frozen=True):
    kind: GroupKind
    group_id: str


class DeleteProplet(msgspec.Struct, frozen=True):
    proplet_id: str


class CordonProplet(msgspec.Struct, frozen=True):
    """Give the proplet no new work, or (``is_cordoned`` false) give it some again."""

    proplet_id: str
    is_cordoned: bool = True


class DrainProplet(msgspec.Struct, frozen=True):
    """Cordon the proplet; what still runs there after a time is moved elsewhere."""

    proplet_id: str
    #: None leaves it to end by itself.
    timeout_s: float | None = None


Command = (
    CreateTasks
    | UpdateTask
    | DeleteTask
    | StartTask
    | StopTask
    | StartGroup
    | StopGroup
    | DeleteGroup
    | DeleteProplet
    | CordonProplet
    | DrainProplet
)

# -- facts -------------------------------------------------------------------------------------------------


class RunEnded(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt is over."""

    #: ``""`` where it did not say: embedded devices don't.
    proplet_id: str
    task_id: str
    #: 0 where it did not say: only native proplets do. For foreign ones it stands in the id
    #: (``names.foreign_id``).
    attempt: int
    #: As the start had it; 0 where it did not say.
    placed_at: int = 0
    results: Any = None
    failure: Failure | None = None
    #: By the proplet's clock, 0 where it did not say.
    started_at: int = 0
    finished_at: int = 0


class RunUp(msgspec.Struct, frozen=True):
    """A task that stays on its proplet has begun to serve, or has crashed and will be started anew."""

    proplet_id: str
    task_id: str
    attempt: int
    #: Where it serves, if it says.
    results: Any = None
    #: How often it was started anew since it was placed.
    restarts: int = 0
    #: Of the last crash.
    error: str = ""
    is_up: bool = True
    #: As the start had it; 0 where it did not say.
    placed_at: int = 0


class RunHandedBack(msgspec.Struct, frozen=True, kw_only=True):
    """A proplet does not run an attempt that did nothing wrong: it is leaving, too busy, or past it.

    Or it has lost the attempt, and lives on.
    """

    proplet_id: str
    task_id: str
    attempt: int
    reason: str
    #: As the start had it; 0 where it did not say.
    placed_at: int = 0
    #: The newest attempt of the task that it knows of; only a later one will be run. 0 where it did not say.
    newest: int = 0
    #: It had begun, and was lost with its process.
    is_lost: bool = False


class PropletSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A proplet said hello or gave a sign of life."""

    proplet_id: str
    #: 0 from a foreign proplet, which does not say.
    boot: int
    #: 0 in a message that does not say.
    slots: int = 0
    #: Task and attempt of all it has not reported the end of; None in a message that does not say.
    running: tuple[tuple[str, int], ...] | None = None
    #: None in a message that does not say.
    metadata: dict[str, Any] | None = None
    is_local: bool = False
    #: It says hello, which a foreign proplet does only when its program starts.
    is_hello: bool = False


class PropletLost(msgspec.Struct, frozen=True):
    """The program of a proplet has ended for sure; 0 as the boot means whichever it was."""

    proplet_id: str
    reason: str
    boot: int = 0


class PropletOffline(msgspec.Struct, frozen=True):
    """A proplet says good-bye, or the broker says that its connection is gone."""

    proplet_id: str
    boot: int = 0


class RunSeen(msgspec.Struct, frozen=True):
    """A foreign proplet said something of a task that it runs."""

    proplet_id: str
    task_id: str


class ConnectionLost(msgspec.Struct, frozen=True):
    """The manager has no connection to the broker: it can't hear remote proplets."""

    #: For how long nothing had come when that was noticed.
    unheard_ns: int = 0


class ConnectionRestored(msgspec.Struct, frozen=True):
    """It has one again."""


class ManagerStarted(msgspec.Struct, frozen=True):
    """The first fact after the store was loaded: local proplets of the manager before are gone."""


class TimePassed(msgspec.Struct, frozen=True):
    """Told at least once a second, so that silence is noticed.

    It comes last of what comes with it: what has arrived is read before anybody is judged.
    """


Fact = (
    RunEnded
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
