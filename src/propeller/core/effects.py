"""Effects of a turn: messages to proplets, records for the store, and the changes of state in order.

An effect is carried out only after the ``Changes`` of the same turn are committed.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from propeller.core import causes
from propeller.core.causes import Cause
from propeller.core.failures import ErrorKind
from propeller.core.idempotency import Remembered
from propeller.core.model import Execution, Group, Module, Proplet, Spec, Task
from propeller.core.states import TaskState


class Sealed(msgspec.Struct, frozen=True):
    """Secrets that are sealed for the one proplet that runs an attempt; texts are base64."""

    #: The public key of the proplet that can open it.
    to: str
    #: The public key of the manager's side.
    sender: str
    #: Never twice the same for these two keys.
    number: int
    #: The values of variables by name, encrypted.
    box: str


class SendStart(msgspec.Struct, frozen=True, kw_only=True):
    """Tell a proplet to run an attempt; a proplet that is told twice runs it once."""

    proplet_id: str
    spec: Spec
    attempt: int
    #: When it was placed. A store that was restored from a backup may give the same attempt number again.
    placed_at: int
    #: The inputs of the spec, with the results of parents filled in.
    inputs: tuple[int | float | str, ...]
    #: The standard input of the spec, or the result of a parent; ``""`` for none.
    stdin: str = ""
    #: ``base64`` if ``stdin`` is in base64.
    stdin_encoding: str = ""
    #: Results of the parents that succeeded and have one, by id; bytes as ``{"base64": …}``.
    parent_results: dict[str, Any]
    #: What ``env`` refers to of secrets: the rules know only names, and values are sealed when this is sent.
    sealed: Sealed | None = None
    #: True if the proplet knows the extensions.
    is_native: bool = True
    #: With these, the proplet is to run the module only if one of these public keys has signed it; by name.
    keys: Mapping[str, str] | None = None


class SendStop(msgspec.Struct, frozen=True):
    """Tell a proplet to end this attempt of a task, and any older one."""

    proplet_id: str
    task_id: str
    attempt: int
    is_native: bool = True


class SendInvoke(msgspec.Struct, frozen=True, kw_only=True):
    """Tell a proplet to run its latent task once, with these inputs.

    This changes no record; the sender waits for the answer.
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
    """Ask a native proplet for its hello."""

    proplet_id: str


class Refused(msgspec.Struct, frozen=True):
    """A report was refused; for the log."""

    proplet_id: str
    task_id: str
    reason: str


#: For proplets.
Outgoing = SendStart | SendStop | SendInvoke | SendAck | AskHello
Effect = Outgoing | Refused


class Transition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A task changed its state; goes to the event log and to its followers."""

    task_id: str
    name: str
    state: TaskState
    at: int
    #: That of the task; ``""`` for ``default``.
    namespace: str = ""
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
    #: True for a resident task that is up.
    is_up: bool = False
    #: As it is stored: None where it is usual. ``whole_cause`` gives it too.
    cause: Cause | None = None

    @property
    def whole_cause(self) -> Cause:
        return causes.whole(self.cause, self.state, self.proplet_id)


class Changes(msgspec.Struct, kw_only=True):
    """The changes of one turn; the store commits all or none.

    The records are the live ones, not copies: nothing may touch them until the commit is done.
    """

    created: list[Task] = []
    #: Tasks whose ``spec`` changed.
    respecified: list[Task] = []
    #: Tasks in which anything but ``spec`` changed, without those in ``created``.
    updated: list[Task] = []
    deleted: list[Task] = []
    #: Executions that changed, each with its broadcast task.
    executions: list[tuple[Task, Execution]] = []
    #: Broadcast tasks that were placed anew: their earlier executions are gone.
    replaced: list[Task] = []
    #: Attempts of tasks that are over and may be followed by another one.
    attempts: list[tuple[Task, Execution]] = []
    #: The last attempts of deleted tasks, by id: a new task of the same id counts on from there.
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
    #: Commands of the turn that have an idempotency key.
    remembered: list[Remembered] = []

    def __bool__(self) -> bool:
        return bool(
            self.created
            or self.updated
            or self.respecified
            or self.deleted
            or self.executions
            or self.replaced
            or self.attempts
            or self.past_attempts
            or self.groups
            or self.deleted_groups
            or self.proplets
            or self.deleted_proplets
            or self.transitions
            or self.modules
            or self.remembered
        )
