"""Workflows and jobs in the JSON of the HTTP API.

All shapes of workflows but the answer to their creation are extensions.
"""

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from propeller.core.calendar import ScheduleState
from propeller.core.events import Rerun
from propeller.core.groups import group_state
from propeller.core.model import Definition, Group, Task
from propeller.core.states import TaskState
from propeller.wire.http.schedules import (
    CronText,
    GroupScheduleFields,
    RecursGroup,
    ScheduleOptionsField,
    ZoneName,
    show_schedule,
)
from propeller.wire.http.schema import Page, State, Time, like
from propeller.wire.http.tasks import (
    NAME_CHARS_MAX,
    CreatedBy,
    MaxParallel,
    NamespaceField,
    NamespaceView,
    Tasks,
    TaskView,
)
from propeller.wire.http.timing import DefaultsField, DefaultsView, Duration, defaults_view, shown
from propeller.wire.rfc3339 import format_time

RunId = Annotated[str, like("Of one with a schedule: the copy of it that was started.")]

LABELS_MAX = 64
LABEL_KEY_CHARS_MAX = 63
LABEL_VALUE_CHARS_MAX = 255

Labels = Annotated[
    dict[str, Annotated[str, like(maxLength=LABEL_VALUE_CHARS_MAX)]],
    like(
        "Texts by key, to find it by; a key has no =.",
        title="Labels",
        maxProperties=LABELS_MAX,
        propertyNames={
            "minLength": 1,
            "maxLength": LABEL_KEY_CHARS_MAX,
            "pattern": r"^[^=\x00-\x1f\x7f-\x9f]+$",
        },
    ),
]


class NewGroupFields(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The fields of a workflow or job that a request may set."""

    tasks: Tasks = []
    name: Annotated[str, like(maxLength=NAME_CHARS_MAX)] | None = None
    timeout: Annotated[Duration, like("How long it may take in all: 30s, 5m, or seconds.")] | None = None
    defaults: DefaultsField | None = None
    schedule: CronText | None = None
    timezone: ZoneName | None = None
    is_recurring: RecursGroup | None = None
    schedule_options: ScheduleOptionsField | None = None
    labels: Labels | None = None
    max_parallel: MaxParallel | None = None
    namespace: NamespaceField | None = None


class NewWorkflow(NewGroupFields, kw_only=True):
    fail_fast: Annotated[bool, like("The first task that fails stops the others.", default=False)] | None = (
        None
    )


class NewJob(NewGroupFields, kw_only=True):
    execution_mode: (
        Annotated[
            str,
            like(
                "Left out or empty: the manager's default.",
                title="ExecutionMode",
                enum=["", "parallel", "sequential", "configurable"],
                **{"x-enum-varnames": ["DEFAULT", "PARALLEL", "SEQUENTIAL", "CONFIGURABLE"]},
            ),
        ]
        | None
    ) = None
    fail_fast: Annotated[bool, like("The first task that fails stops the others.", default=True)] | None = (
        None
    )


class NewRerun(msgspec.Struct, kw_only=True, rename={"from_task": "from"}, forbid_unknown_fields=True):
    what: (
        Annotated[
            str,
            like(
                "``failed``: what failed, was interrupted or skipped, and all that hangs on it; or ``all``.",
                title="Rerun",
                enum=[str(word) for word in Rerun],
            ),
        ]
        | None
    ) = None
    from_task: Annotated[str, like("A task, by id or name: it and all that hangs on it.")] | None = None


class NewClone(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    name: Annotated[str, like("Left out: the name of the other.", maxLength=NAME_CHARS_MAX)] | None = None


class JobView(GroupScheduleFields, kw_only=True):
    job_id: str
    tasks: list[TaskView]
    #: Extensions, like the next one: behind what the tutorial prints.
    name: str | UnsetType = UNSET
    execution_mode: str | UnsetType = UNSET
    timeout: str | UnsetType = UNSET
    defaults: DefaultsView | UnsetType = UNSET
    labels: Labels | UnsetType = UNSET
    max_parallel: int | UnsetType = UNSET
    namespace: NamespaceView | UnsetType = UNSET
    created_by: CreatedBy | UnsetType = UNSET


class Counts(msgspec.Struct):
    """The number of tasks in each state."""

    pending: int
    scheduled: int
    running: int
    completed: int
    failed: int
    skipped: int
    interrupted: int


class EarlierRun(msgspec.Struct, kw_only=True):
    """A workflow or job that was created before another one of its name."""

    id: str
    state: State
    duration: Annotated[float, like("From its first start to its last end, in seconds.")] | UnsetType = UNSET


Earlier = Annotated[
    list[EarlierRun], like("In lists that ask for it: those of its name before it, the newest first.")
]


class JobSummary(GroupScheduleFields, kw_only=True):
    job_id: str
    name: str | UnsetType = UNSET
    state: State
    tasks: list[TaskView] | UnsetType = UNSET
    start_time: Time
    finish_time: Time
    created_at: Time
    execution_mode: str | UnsetType = UNSET
    fail_fast: bool
    counts: Counts
    timeout: str | UnsetType = UNSET
    defaults: DefaultsView | UnsetType = UNSET
    labels: Labels | UnsetType = UNSET
    max_parallel: int | UnsetType = UNSET
    namespace: NamespaceView | UnsetType = UNSET
    created_by: CreatedBy | UnsetType = UNSET
    earlier: Earlier | UnsetType = UNSET


class JobPage(Page, kw_only=True):
    jobs: list[JobSummary]
    #: For the parameter ``cursor``, as in lists of workflows; left out where nothing is left.
    next_cursor: str | UnsetType = UNSET


class JobMessage(msgspec.Struct):
    job_id: str
    message: str
    run_id: RunId | UnsetType = UNSET


class Edge(msgspec.Struct, rename={"parent": "from", "child": "to"}):
    parent: str
    child: str


class WorkflowView(GroupScheduleFields, kw_only=True):
    workflow_id: str
    name: str | UnsetType = UNSET
    state: State
    counts: Counts
    start_time: Time
    finish_time: Time
    created_at: Time
    tasks: list[TaskView] | UnsetType = UNSET
    edges: list[Edge] | UnsetType = UNSET
    #: Left out where it is false, as it is unless somebody asks for it.
    fail_fast: bool | UnsetType = UNSET
    timeout: str | UnsetType = UNSET
    defaults: DefaultsView | UnsetType = UNSET
    labels: Labels | UnsetType = UNSET
    max_parallel: int | UnsetType = UNSET
    namespace: NamespaceView | UnsetType = UNSET
    created_by: CreatedBy | UnsetType = UNSET
    run_for: Annotated[str, like("The task that runs it.")] | UnsetType = UNSET
    earlier: Earlier | UnsetType = UNSET


class WorkflowPage(Page, kw_only=True):
    workflows: list[WorkflowView]
    next_cursor: str | UnsetType = UNSET


class WorkflowMessage(msgspec.Struct):
    workflow_id: str
    message: str
    run_id: RunId | UnsetType = UNSET


def job_view(
    job_id: str,
    views: list[TaskView],
    name: str,
    mode: str | None,
    *,
    definition: Definition,
    course: ScheduleState | None = None,
) -> JobView:
    view = JobView(
        job_id=job_id,
        tasks=views,
        name=name or UNSET,
        execution_mode=mode or UNSET,
        **_defined(definition),
    )
    show_schedule(view, definition.schedule, definition.run_of, course)
    return view


def job_summary(
    group: Group, views: list[TaskView] | UnsetType, *, earlier: bytes | None = None
) -> JobSummary:
    view = JobSummary(
        job_id=group.id,
        name=group.name or UNSET,
        execution_mode=group.mode or UNSET,
        fail_fast=group.fail_fast,
        state=group_state(group.counts),
        tasks=views,
        start_time=format_time(group.started_at),
        finish_time=format_time(group.finished_at),
        created_at=format_time(group.created_at),
        counts=_counts(group),
        earlier=_earlier(earlier),
        **_defined(group.definition),
    )
    show_schedule(view, group.schedule, group.definition.run_of, group.course)
    return view


def _earlier(text: bytes | None) -> Any:
    """Take the runs before a group as the store writes them."""
    return UNSET if text is None else msgspec.Raw(text)


def _defined(definition: Definition) -> dict[str, Any]:
    """Give the fields of a definition that a user has set."""
    return {
        "timeout": shown(definition.timeout_ns),
        "defaults": defaults_view(definition.defaults),
        "labels": definition.labels or UNSET,
        "max_parallel": definition.max_parallel or UNSET,
        "namespace": definition.namespace or UNSET,
        "created_by": definition.created_by or UNSET,
    }


def _counts(group: Group) -> Counts:
    return Counts(*group.counts[: len(TaskState)])


def edges_of(tasks: Iterable[Task]) -> list[Edge]:
    return [Edge(parent, task.id) for task in tasks for parent in task.spec.depends_on]


def workflow_view(
    group: Group,
    views: list[TaskView] | UnsetType = UNSET,
    edges: list[Edge] | UnsetType = UNSET,
    *,
    earlier: bytes | None = None,
) -> WorkflowView:
    """Render a workflow, with its tasks and the edges between them where these are given."""
    view = WorkflowView(
        workflow_id=group.id,
        name=group.name or UNSET,
        state=group_state(group.counts),
        counts=_counts(group),
        start_time=format_time(group.started_at),
        finish_time=format_time(group.finished_at),
        created_at=format_time(group.created_at),
        tasks=views,
        edges=edges,
        fail_fast=group.fail_fast or UNSET,
        run_for=group.definition.run_for or UNSET,
        earlier=_earlier(earlier),
        **_defined(group.definition),
    )
    show_schedule(view, group.schedule, group.definition.run_of, group.course)
    return view
