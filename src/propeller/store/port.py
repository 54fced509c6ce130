"""What the manager asks of a store.

There is one writer, the engine. ``commit`` is all or nothing and durable when it returns; all reads show
only what was committed, so that no answer can be wrong after a crash.

An operation that can't be carried out because the data can't be read or written raises ``StoreUnusable``.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import NamedTuple, Protocol

from propeller.core.effects import Changes, Transition
from propeller.core.model import Execution, Group, GroupKind, Proplet, Task
from propeller.core.states import TaskState


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


class TaskPage(NamedTuple):
    total: int
    tasks: list[Task]


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


class SamplePage(NamedTuple):
    total: int
    #: JSON each.
    samples: list[str]


class LogPiece(NamedTuple):
    """Something that a guest printed."""

    task_id: str
    attempt: int
    #: ``stdout`` or ``stderr``.
    stream: str
    #: Bytes of the stream before it.
    position: int
    proplet_id: str
    #: Unix epoch, ns, by the proplet's clock.
    at: int
    #: What came after it was dropped.
    is_cut: bool
    text: str


class LogPage(NamedTuple):
    total: int
    #: With the number of each, which grows in the order of arrival.
    pieces: list[tuple[int, LogPiece]]


class Invocation(NamedTuple):
    task_id: str
    #: JSON, as the API shows it.
    text: str


class InvocationPage(NamedTuple):
    total: int
    #: JSON each.
    invocations: list[str]


class Store(Protocol):
    async def load(self) -> Loaded:
        """Read what is live: groups with a task that has not ended, and such tasks of no group."""

    async def find(self, task_ids: Sequence[str], group_ids: Sequence[str]) -> Records:
        """Read these tasks and groups, each with its whole group; ids that do not exist are left out."""

    async def commit(self, changes: Changes) -> None:
        """Write the changes, durably, or none of them."""

    async def task(self, task_id: str) -> Task | None: ...

    async def tasks(self, offset: int, limit: int, only: TaskFilter) -> TaskPage:
        """Read a page of tasks in the order of their creation."""

    async def executions(self, task_id: str) -> list[Execution]:
        """Read how a broadcast task fared on each proplet."""

    async def group(self, kind: GroupKind, group_id: str) -> Records | None: ...

    async def groups(
        self, kind: GroupKind, offset: int, limit: int, state: TaskState | None, *, with_tasks: bool
    ) -> GroupPage:
        """Read a page of groups, the newest first; without their tasks only the times are filled in."""

    async def module_part(self, digest: str, start: int, size_bytes: int) -> tuple[int, bytes] | None:
        """Read a piece of a module, and how large the whole is; None where there is no such module."""

    async def modules(self, digests: Iterable[str]) -> dict[str, bytes]:
        """Read modules by SHA-256 digest; those that do not exist are left out."""

    async def events(self, after: int, limit: int) -> list[tuple[int, Transition]]:
        """Read the event log after an id, oldest first; old events are dropped in the end."""

    async def write_samples(self, samples: Sequence[Sample], now: int) -> None:
        """Write samples, a power cut may take the last; those of unknown owners are dropped, old ones too."""

    async def samples(self, of: SampleOf, owner_id: str, offset: int, limit: int) -> SamplePage:
        """Read a page of the samples of one owner, the newest first; they are deleted with it."""

    async def write_logs(self, pieces: Sequence[LogPiece]) -> None:
        """Write pieces of logs, a power cut may take the last; those of unknown tasks are dropped."""

    async def logs(
        self, task_id: str, attempt: int | None, stream: str, *, after: int, limit: int
    ) -> LogPage:
        """Read pieces after a number, in the order of arrival; without an attempt, of the last with any."""

    async def write_invocations(self, invocations: Sequence[Invocation]) -> None:
        """Write what came of invocations, as samples are written."""

    async def invocations(self, task_id: str, offset: int, limit: int) -> InvocationPage:
        """Read a page of the invocations of a task, the newest first."""

    async def close(self) -> None: ...
