"""Effects of a turn: messages to proplets, records for the store, and the changes of state in order.

An effect is carried out only after the ``Changes`` of the same turn are committed.
"""

from typing import Any

import msgspec

from propeller.core.failures import ErrorKind
from propeller.core.model import Execution, Group, Module, Proplet, Spec, Task
from propeller.core.states import TaskState


class SendStart(msgspec.Struct, frozen=True, kw_only=True):
    """Tell a proplet to run an attempt; it may be told twice and runs it once."""

    proplet_id: str
    spec: Spec
    attempt: int
    #: When it was placed: a store that was restored from a backup may count to the same number again.
    placed_at: int
    #: Those of the spec, with the results of parents in them.
    inputs: tuple[int | float | str, ...]
    #: That of the spec, or the result of a parent; "" for none.
    stdin: str = ""
    #: ``base64`` where it is that.
    stdin_encoding: str = ""
    #: Results of the parents that completed with one; of bytes, ``{"base64": …}``.
    parent_results: dict[str, Any]
    #: Whether it knows our additions to the wire.
    is_native: bool = True


class SendStop(msgspec.Struct, frozen=True):
    """Tell a proplet to end this attempt, and any older one, of a task."""

    proplet_id: str
    task_id: str
    attempt: int
    is_native: bool = True


class SendInvoke(msgspec.Struct, frozen=True, kw_only=True):
    """Have a proplet run a task that is deployed there, once, with these inputs.

    Nothing of the state changes by that; whoever sends it waits for the answer.
    """

    proplet_id: str
    task_id: str
    attempt: int
    invocation_id: str
    inputs: list[str]
    env: dict[str, str]
    timeout_ns: int
    is_native: bool = True


class SendAck(msgspec.Struct, frozen=True):
    """Tell a proplet that the end of this attempt is in the store, or no longer matters."""

    proplet_id: str
    task_id: str
    attempt: int


class AskHello(msgspec.Struct, frozen=True):
    """Ask a native proplet to say who it is."""

    proplet_id: str


class Refused(msgspec.Struct, frozen=True):
    """A report was not believed: for the log."""

    proplet_id: str
    task_id: str
    reason: str


#: For proplets.
Outgoing = SendStart | SendStop | SendInvoke | SendAck | AskHello
Effect = Outgoing | Refused


class Transition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A task moved; kept in the event log and told to whoever listens."""

    task_id: str
    name: str
    state: TaskState
    at: int
    workflow_id: str = ""
    job_id: str = ""
    attempt: int = 0
    proplet_id: str = ""
    #: As JSON has them.
    results: Any = None
    #: ``base64`` where they are that.
    results_encoding: str = ""
    error: str = ""
    error_kind: ErrorKind | None = None
    reason: str = ""
    #: It serves, and does not end by itself.
    is_up: bool = False


class Changes(msgspec.Struct, kw_only=True):
    """What one turn changed; the store commits it whole or not at all.

    The records are the live ones, not copies: nothing may touch them until the commit is done.
    """

    created: list[Task] = []
    #: Tasks of which ``spec`` changed.
    respecified: list[Task] = []
    #: Tasks of which anything but ``spec`` changed, without those in ``created``.
    updated: list[Task] = []
    deleted: list[Task] = []
    #: Executions of broadcast tasks that changed. A task whose dictionary is new is in ``replaced``.
    executions: list[tuple[Task, Execution]] = []
    #: Broadcast tasks that were placed anew: their executions of before are gone.
    replaced: list[Task] = []
    #: The last attempts of deleted tasks, by id: a task of the same id goes on from there.
    past_attempts: dict[str, int] = {}
    groups: list[Group] = []
    deleted_groups: list[Group] = []
    proplets: list[Proplet] = []
    deleted_proplets: list[Proplet] = []
    #: In the order they happened; their ids in the event log count up from ``first_event_id``.
    transitions: list[Transition] = []
    first_event_id: int = 0
    #: Modules that came with the commands of the turn.
    modules: dict[Module, bytes] = {}

    def __bool__(self) -> bool:
        return bool(
            self.created
            or self.updated
            or self.respecified
            or self.deleted
            or self.executions
            or self.replaced
            or self.past_attempts
            or self.groups
            or self.deleted_groups
            or self.proplets
            or self.deleted_proplets
            or self.transitions
            or self.modules
        )
