"""The interface of a store, as the manager uses it.

There is one writer, the engine. ``commit`` is all or nothing, and durable when it returns. Reads show only
committed data, so that no answer can be wrong after a crash.

An operation that can't be carried out because the data can't be read or written raises ``StoreUnusable``.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Literal, NamedTuple, Protocol

from propeller.core.effects import Changes, Transition
from propeller.core.idempotency import Key, Remembered
from propeller.core.model import Execution, Group, GroupKind, Proplet, Task
from propeller.core.states import TaskState
from propeller.store.columns import Graph as Graph  # noqa: PLC0414  it is part of the interface
from propeller.store.lead import Identity as Identity  # noqa: PLC0414  it is part of the interface
from propeller.store.pages import Page as Page  # noqa: PLC0414  it is part of the interface
from propeller.store.proplet_keys import PropletKeyStore
from propeller.store.secrets import SecretStore
from propeller.store.tokens import TokenStore


class Records(NamedTuple):
    """Groups with all of their tasks, and tasks that are in no group."""

    groups: list[Group]
    tasks: list[Task]
    #: The last attempts of deleted tasks whose ids were looked for, by id.
    past_attempts: Mapping[str, int] = {}


class Found(NamedTuple):
    """What the commands of a turn name: ``Records``, and what was done under idempotency keys."""

    groups: list[Group]
    tasks: list[Task]
    past_attempts: Mapping[str, int]
    #: By key.
    remembered: Mapping[str, Remembered]


class KeptAnswer(NamedTuple):
    """The answer to a request, as it was sent."""

    status: int
    #: The header of that name; None for none.
    location: str | None
    body: bytes


class KeptKey(NamedTuple):
    #: Without the tasks.
    remembered: Remembered
    #: None where it was not written, was too large or was deleted.
    answer: KeptAnswer | None


class Loaded(NamedTuple):
    """The data that a manager starts from."""

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
    state: TaskState | None = None
    id_prefix: str = ""
    name: str = ""
    #: Created then or later, ns since the epoch.
    since: int = 0
    #: Only those of one of these namespaces, as records have them; None for all.
    namespaces: tuple[str, ...] | None = None
    created_by: str = ""


class Sought(NamedTuple):
    """What is searched for among all tasks."""

    only: TaskFilter = TaskFilter()
    #: The begin of the id, or a part of the name; the case does not count.
    text: str = ""
    #: The proplet of the last attempt.
    proplet_id: str = ""


class TaskCursor(NamedTuple):
    """The place where a search among tasks stopped."""

    #: All up to the task with this ``seq``, or down to it, has been looked at.
    seq: int
    #: True if the tasks whose ids begin with the text have been given before all others.
    has_ids: bool = False


class FoundTasks(NamedTuple):
    tasks: list[Task]
    #: Where the search goes on; None if all has been looked at.
    next: TaskCursor | None


class Label(NamedTuple):
    """A label that groups are to have."""

    key: str
    #: None for any value.
    value: str | None = None


class GroupFilter(NamedTuple):
    state: TaskState | None = None
    id_prefix: str = ""
    name: str = ""
    #: The id begins with it or the name contains it, in whatever case.
    text: str = ""
    #: Created then or later, ns since the epoch.
    since: int = 0
    #: Created before then, ns since the epoch; 0 for any time.
    until: int = 0
    #: All must be there.
    labels: tuple[Label, ...] = ()
    #: True for those none of whose tasks is under way, False for the others.
    has_ended: bool | None = None
    #: Only those of one of these namespaces, as records have them; None for all.
    namespaces: tuple[str, ...] | None = None
    created_by: str = ""


class Cursor(NamedTuple):
    """A place in lists of groups, behind the group that is named; no other group changes it."""

    created_at: int
    id: str


class EventFilter(NamedTuple):
    """What the events are about: one of these is given."""

    task_id: str = ""
    workflow_id: str = ""
    job_id: str = ""


RecordKind = Literal["task", "workflow", "job"]


class Record(NamedTuple):
    kind: RecordKind
    id: str


class Belonging(NamedTuple):
    """Where a record belongs, and who created it, as records have it."""

    namespace: str
    created_by: str


class Gone(NamedTuple):
    """A record that is not there, or no longer."""

    record: Record
    #: Of a task that was deleted out of a workflow or job, which stays.
    within: Record | None = None


class EventPage(NamedTuple):
    """Events in their order, each with its id."""

    events: list[tuple[int, Transition]]
    #: Id of the oldest event in the log, of whatever task; 1 if there is none.
    first_id: int
    #: All up to the event with this id has been looked at.
    next_after: int
    #: True if there may be more behind that.
    has_more: bool
    #: True if the log has all events since the creation of what they are about.
    is_complete: bool


class GroupPage(NamedTuple):
    total: int
    records: Records
    #: Where the next page begins; None if nothing is left.
    next: Cursor | None
    #: The runs before each group, as JSON for the API, by its id; only if they were asked for.
    earlier: Mapping[str, bytes] = {}


class Totals(NamedTuple):
    """How many records there are."""

    tasks: int
    groups: Mapping[GroupKind, Mapping[TaskState, int]]


class PaceStep(NamedTuple):
    """What was done in a step of time, and how much waited and ran at most."""

    #: Number of the step, counted from the Unix epoch.
    step: int
    started: int
    completed: int
    failed: int
    #: Skipped or interrupted.
    ended_otherwise: int
    #: How many tasks waited for a proplet.
    waiting: int
    running: int


class SampleOf(Enum):
    """The kind of a sample's owner."""

    TASK = "task"
    PROPLET = "proplet"


class Sample(NamedTuple):
    """A measurement of a task or a proplet."""

    of: SampleOf
    owner_id: str
    #: JSON, as the API shows it.
    text: str


class Invocation(NamedTuple):
    task_id: str
    id: str
    #: JSON, as the API shows it.
    text: str
    #: True while it is under way.
    is_open: bool = False


class LogPiece(NamedTuple):
    """A piece of a guest's logs; see ``wire.fleet.from_proplet.Logs``."""

    task_id: str
    proplet_id: str
    #: 0 for the task's present attempt.
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


#: A piece with its id; ids grow in the order of arrival and are never used again.
StoredPiece = tuple[int, LogPiece]


class LogTail(NamedTuple):
    #: Id of the last piece before the tail.
    after: int
    #: How many characters at the front of the next piece are before the tail too.
    chars: int


class Ended(NamedTuple):
    """Candidates for deletion: ``seq`` of workflows and jobs, and of tasks that are in none."""

    groups: list[int]
    tasks: list[int]
    #: True if there may be more.
    is_full: bool


class Store(TokenStore, PropletKeyStore, SecretStore, Protocol):
    @property
    def outage(self) -> str:
        """Why it does not answer and is waited for, in words; ``""`` while it does."""

    async def load(self) -> Loaded:
        """Read the live records: groups with a task that has not ended, and such tasks of no group.

        A deletion that an earlier program has begun is finished first (``forget``).
        """

    async def find(
        self, task_ids: Sequence[str], group_ids: Sequence[str], keys: Sequence[str] = ()
    ) -> Found:
        """Read these tasks and groups, each with its whole group; ids that do not exist are left out.

        Idempotency keys are read beside them, also those that no longer count.

        If a record with one of these ids is being deleted, that is finished first, so that the id is free.
        """

    async def commit(self, changes: Changes) -> None:
        """Write all changes durably, or none of them."""

    async def key(self, key: str) -> KeptKey | None:
        """Read what was done under an idempotency key; it may no longer count."""

    async def write_answer(self, key: Key, answer: KeptAnswer) -> KeptAnswer | None:
        """Keep the first answer to what was done under a key, unless it is large; give the one that is kept.

        None where none is. A power cut may take the last answers.
        """

    async def tasks_of(self, task_ids: Sequence[str]) -> list[Task]:
        """Read these tasks, in any order; those that do not exist are left out."""

    async def missing(self, records: Sequence[Record]) -> set[Record]:
        """Say which of these are not there, or are being deleted."""

    async def belonging(self, record: Record) -> Belonging | None:
        """Say where a record belongs; None if it is not there, or is being deleted."""

    async def task(self, task_id: str) -> Task | None: ...

    async def tasks(
        self, offset: int, limit: int, only: TaskFilter, *, newest_first: bool = False
    ) -> Page[Task]:
        """Read a page of tasks in the order of their creation, or the other way round.

        The total is exact where records have it. Else no more are counted than ``limits`` says, and a longer
        list is given as ``PageOfMany``; its total is more than the page's end.
        """

    async def search_tasks(
        self, only: Sought, limit: int, *, newest_first: bool = False, after: TaskCursor | None = None
    ) -> FoundTasks:
        """Search all tasks in the order of their creation, or the other way round, from a place on.

        Those whose id begins with the text come first, if they fit in a page. A search that takes long gives
        what it has found by then, which may be nothing, and the place where it goes on.
        """

    async def count_tasks(self, only: TaskFilter) -> int | None:
        """Give the number of tasks where a record has it; None where they would have to be counted."""

    async def totals(self) -> Totals:
        """Count all tasks, and the groups of each kind by state."""

    async def failures(self, since: int, limit: int, namespaces: tuple[str, ...] | None = None) -> Page[Task]:
        """Read the tasks that have failed since a time, ns, the one that failed last at the front.

        Of some namespaces, they are looked for among the 100,000 that failed last. The total is no more.
        """

    async def executions(self, task_id: str) -> list[Execution]:
        """Read the executions of a broadcast task, one for each proplet."""

    async def attempts(self, task_id: str) -> list[Execution]:
        """Read the past attempts of a task, oldest first; the present one is in the task itself."""

    async def group(self, kind: GroupKind, group_id: str, *, tasks_max: int) -> Records | None:
        """Read a group: with all of its tasks if these are at most ``tasks_max``, else without tasks."""

    async def tasks_of_group(self, group: Group, after: int, limit: int) -> list[Task]:
        """Read up to ``limit`` tasks of a group, in the order given, behind the one with this ``seq``."""

    async def groups(
        self,
        kind: GroupKind,
        offset: int,
        limit: int,
        only: GroupFilter,
        *,
        tasks_max: int,
        after: Cursor | None = None,
        earlier: int = 0,
    ) -> GroupPage:
        """Read a page of groups, the newest first, with at most ``tasks_max`` tasks in all.

        A group comes with all of its tasks, or with none if they no longer fit. The page begins ``offset``
        groups behind ``after``, or behind the front; the total counts all groups. With ``earlier``, each
        group comes with up to so many groups of its kind and name that were created before it.
        """

    async def graph(self, kind: GroupKind, group_id: str) -> Graph | None:
        """Read all tasks of a group by columns; None if there is no such group.

        This takes some milliseconds for 1,000 tasks, of a reader's thread.
        """

    async def module_part(self, digest: str, start: int, size_bytes: int) -> tuple[int, bytes] | None:
        """Read the size of a module and a piece of it; None if there is no such module."""

    async def modules(self, digests: Iterable[str]) -> dict[str, bytes]:
        """Read modules by SHA-256 digest; those that do not exist are left out."""

    async def events(self, after: int, limit: int) -> list[tuple[int, Transition]]:
        """Read the event log after an id, oldest first; very old events are no longer there."""

    async def last_event_id(self) -> int:
        """Give the id of the last event; 0 before the first."""

    async def events_of(self, only: EventFilter, after: int, limit: int) -> EventPage:
        """Search the event log after an id for the events of one task, workflow or job, the oldest first.

        A search that takes long gives what it has found by then.
        """

    async def forget_events(self, before: int) -> bool:
        """Delete a few events from before a time, ns since the epoch; say whether there may be more.

        Those of the newest commit always stay.
        """

    async def write_samples(self, samples: Sequence[Sample], now: int) -> None:
        """Write samples, and delete old ones; those of unknown owners are dropped.

        A power cut may take the last samples.
        """

    async def samples(self, of: SampleOf, owner_id: str, offset: int, limit: int) -> Page[str]:
        """Read a page of the samples of one owner, the newest first; they are deleted with it."""

    async def write_pace(self, steps: Sequence[PaceStep], kept: int) -> None:
        """Add steps, and delete all but the last ``kept`` that were written.

        A power cut may take the last steps.
        """

    async def pace(self) -> list[PaceStep]:
        """Read all steps in the order in which they were written; a step may come several times."""

    async def write_invocations(self, invocations: Sequence[Invocation]) -> None:
        """Write invocations that begin, and the outcomes of those that end; a power cut may take the last."""

    async def close_invocations(self, error: str) -> None:
        """End all invocations that are under way with this error."""

    async def invocations(self, task_id: str, offset: int, limit: int) -> Page[str]:
        """Read a page of the invocations of a task, the newest first."""

    async def write_logs(self, pieces: Sequence[LogPiece]) -> None:
        """Write pieces of logs; a power cut may take the last.

        Pieces that are there already are dropped, and so are those of unknown tasks and attempts, and those
        beyond the limits. The last piece of a stream that was cut short is marked as such.
        """

    async def logs(self, only: LogFilter, after: int, limit: int) -> Page[StoredPiece]:
        """Read the pieces behind an id in order of arrival; they are deleted with their task."""

    async def last_log_attempt(self, task_id: str, stream: str) -> int:
        """Find the last attempt that wrote to a stream (``""``: to any); 0 if none did."""

    async def tail_of_logs(self, only: LogFilter, lines: int) -> LogTail:
        """Find the begin of the last lines."""

    async def find_ended(self, before: int) -> Ended:
        """Look for records that had ended before a time, ns since the Unix epoch."""

    async def forget(self, ended: Ended, before: int) -> bool:
        """Delete a few records that had ended before a time, with all that belongs to them.

        Say whether there are more. To be called only between two turns of the engine, which may hold records
        during a turn.
        """

    async def forget_unused_modules(self) -> None:
        """Delete the modules that no task uses."""

    async def close(self) -> None: ...
