"""The interface of a store, as the manager uses it.

There is one writer, the engine. ``commit`` is all or nothing and durable when it returns; all reads show
only what was committed, so that no answer can be wrong after a crash.

An operation that can't be carried out because the data can't be read or written raises ``StoreUnusable``.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Generic, NamedTuple, Protocol, TypeVar

from propeller.core.effects import Changes, Transition
from propeller.core.model import Execution, Group, GroupKind, Proplet, Task
from propeller.core.states import TaskState

Item = TypeVar("Item")


class Page(NamedTuple, Generic[Item]):
    """A part of a list."""

    #: How many the whole list has.
    total: int
    items: list[Item]


class Records(NamedTuple):
    """Groups, and tasks: all of those groups, and such as are in no group."""

    groups: list[Group]
    tasks: list[Task]
    #: Of deleted tasks whose ids were looked for: the last attempt, by id.
    past_attempts: Mapping[str, int] = {}


class Loaded(NamedTuple):
    """All that a manager starts from."""

    live: Records
    proplets: list[Proplet]
    last_task_seq: int
    last_group_seq: int
    last_event_id: int


class TaskFilter(NamedTuple):
    workflow_id: str = ""
    job_id: str = ""
    #: Top-level keys of ``metadata`` and their values as text; all must match.
    metadata: Mapping[str, str] = {}


class GroupPage(NamedTuple):
    total: int
    records: Records


class SampleOf(Enum):
    """Whose sample it is."""

    TASK = "task"
    PROPLET = "proplet"


class Sample(NamedTuple):
    """Something that was measured."""

    of: SampleOf
    owner_id: str
    #: JSON, as the API shows it.
    text: str


class Invocation(NamedTuple):
    task_id: str
    id: str
    #: JSON, as the API shows it.
    text: str
    #: It is under way.
    is_open: bool = False


class LogPiece(NamedTuple):
    """A piece of what a guest wrote; see ``wire.fleet.from_proplet.Logs``."""

    task_id: str
    proplet_id: str
    #: 0 for the task's present one.
    attempt: int
    #: ``stdout`` or ``stderr``.
    stream: str
    offset: int
    text: str
    is_cut: bool
    at: int


class LogFilter(NamedTuple):
    task_id: str
    #: ``""`` for both.
    stream: str = ""
    first_attempt: int = 0
    last_attempt: int = 2**63 - 1


#: With its id; ids grow with the order of arrival and are never used again.
StoredPiece = tuple[int, LogPiece]


class LogTail(NamedTuple):
    #: The last piece that does not belong to it.
    after: int
    #: How many characters at the front of the next piece do not either.
    chars: int


class Ended(NamedTuple):
    """What may go: seqs of workflows and jobs, and of tasks that are in none."""

    groups: list[int]
    tasks: list[int]
    #: Whether there may be more.
    is_full: bool


class Store(Protocol):
    async def load(self) -> Loaded:
        """Read what is live: groups with a task that has not ended, and such tasks of no group.

        The deletion that an earlier program was cut off from is finished first (``forget``).
        """

    async def find(self, task_ids: Sequence[str], group_ids: Sequence[str]) -> Records:
        """Read these tasks and groups, each with its whole group; ids that do not exist are left out.

        Of what is gone by one of these names nothing is left then: it can be used again.
        """

    async def commit(self, changes: Changes) -> None:
        """Write the changes, durably, or none of them."""

    async def task(self, task_id: str) -> Task | None: ...

    async def tasks(self, offset: int, limit: int, only: TaskFilter) -> Page[Task]:
        """Read a page of tasks in the order of their creation."""

    async def executions(self, task_id: str) -> list[Execution]:
        """Read how a broadcast task fared on each proplet."""

    async def group(self, kind: GroupKind, group_id: str, *, tasks_max: int) -> Records | None:
        """Read a group, with all of its tasks if there are so many at most, else without them."""

    async def tasks_of_group(self, group: Group, after: int, limit: int) -> list[Task]:
        """Read so many of its tasks, in the order given, behind the one with this ``seq``."""

    async def groups(
        self, kind: GroupKind, offset: int, limit: int, state: TaskState | None, *, tasks_max: int
    ) -> GroupPage:
        """Read a page of groups, the newest first, and so many tasks at most.

        A group comes with all of its tasks or with none; those that no longer fit are passed over.
        """

    async def module_part(self, digest: str, start: int, size_bytes: int) -> tuple[int, bytes] | None:
        """Read a piece of a module, and how large the whole is; None where there is no such module."""

    async def modules(self, digests: Iterable[str]) -> dict[str, bytes]:
        """Read modules by SHA-256 digest; those that do not exist are left out."""

    async def events(self, after: int, limit: int) -> list[tuple[int, Transition]]:
        """Read the event log after an id, oldest first; old events are dropped in the end."""

    async def write_samples(self, samples: Sequence[Sample], now: int) -> None:
        """Write samples, a power cut may take the last; those of unknown owners are dropped, old ones too."""

    async def samples(self, of: SampleOf, owner_id: str, offset: int, limit: int) -> Page[str]:
        """Read a page of the samples of one owner, the newest first; they are deleted with it."""

    async def write_invocations(self, invocations: Sequence[Invocation]) -> None:
        """Write invocations that begin and what came of them, as samples are written."""

    async def close_invocations(self, error: str) -> None:
        """Let those that are open have ended with this error."""

    async def invocations(self, task_id: str, offset: int, limit: int) -> Page[str]:
        """Read a page of the invocations of a task, the newest first."""

    async def write_logs(self, pieces: Sequence[LogPiece]) -> None:
        """Write pieces, a power cut may take the last.

        Dropped are those that are there already, those of unknown tasks and attempts, and what is too much.
        Of a stream that has been cut short the last piece is marked as such.
        """

    async def logs(self, only: LogFilter, after: int, limit: int) -> Page[StoredPiece]:
        """Read the pieces behind an id in order of arrival; they are deleted with their task."""

    async def last_log_attempt(self, task_id: str, stream: str) -> int:
        """Find the last attempt that wrote to a stream (``""``: to any); 0 where none did."""

    async def tail_of_logs(self, only: LogFilter, lines: int) -> LogTail:
        """Find where the last lines begin."""

    async def find_ended(self, before: int) -> Ended:
        """Look for what had ended by then; times in ns since 1970."""

    async def forget(self, ended: Ended, before: int) -> bool:
        """Delete a small piece of what had ended by then, with all that is part of it; say whether more is.

        Only between two turns of the engine: what it holds must not go.
        """

    async def forget_unused_modules(self) -> None:
        """Delete the modules that no task has."""

    async def close(self) -> None: ...
