"""Tasks in the JSON of the HTTP API: in requests, and in answers.

Answers have the fields in the order given here, without those that are ``UNSET``.

Source: ``http-api`` in the contract, section 1.3. Extensions are ``file_digest`` and ``file_size`` (in place
of ``file`` for large modules), ``required_tags`` and what stands after it, and executions.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from propeller.core.conditions import WORDS
from propeller.core.copies import id_of_inner
from propeller.core.expressions.compiler import CHARS_MAX
from propeller.core.failures import ErrorKind
from propeller.core.model import FromParent, Input, SubWorkflow, Task
from propeller.core.results import BASE64, to_json
from propeller.core.sandbox import Grants, Sandbox
from propeller.wire.durations import format_duration
from propeller.wire.fleet.outgoing import wire_inputs
from propeller.wire.http.sandbox import GrantsField, LimitsField
from propeller.wire.http.schedules import (
    CronText,
    OptionsView,
    RecursTask,
    ScheduleOptionsField,
    ZoneName,
    options_view,
)
from propeller.wire.http.schema import Metadata, ResultsEncoding, State, Time, Variables, like
from propeller.wire.http.timing import (
    Deadline,
    DefaultsField,
    DefaultsView,
    Duration,
    QueueTimeout,
    RetryField,
    RetryView,
    defaults_view,
    duration,
    retry_view,
    shown,
)
from propeller.wire.rfc3339 import ZERO, format_time

#: A module up to this size is shown as base64 in ``file``, a larger one by its digest and size.
INLINE_FILE_BYTES_MAX = 64 * 1024
SIGNATURE_CHARS_MAX = 4096
ID_CHARS_MAX = 255
NAME_CHARS_MAX = 1024
#: The most tasks in one request.
TASKS_MAX = 10_000
#: The most inputs of a task, and also of its variables and arguments.
INPUTS_MAX = 10_000
#: More than a manager will ever run at once.
PARALLEL_MAX = 1_000_000
_ID = r"^[^/\x00-\x1f\x7f-\x9f]+$"
Id = Annotated[str, like(minLength=1, maxLength=ID_CHARS_MAX, pattern=_ID)]
IdOrNone = Annotated[str, like(maxLength=ID_CHARS_MAX, pattern=rf"^$|{_ID}")]
IdOrName = Annotated[str, like(minLength=1, maxLength=NAME_CHARS_MAX)]
Name = Annotated[str, like("Exported function to run.", minLength=1, maxLength=NAME_CHARS_MAX)]
File = Annotated[
    str, like("The Wasm module, base64; empty for none.", contentEncoding="base64", pattern="^$|^AGFzb")
]
Inputs = Annotated[
    list[int | float | str | FromParent | None],
    like(
        'Arguments of the function; null counts as empty text. {"from": "a"}, or ${a} inside of a text, '
        "is the result of parent a.",
        maxItems=INPUTS_MAX,
    ),
]
Priority = Annotated[int, like("0 to 100; 0 counts as not given, which is 50.", minimum=0, maximum=100)]
Tags = Annotated[
    list[str], like("Only a proplet that has all of these gets the task; with proplet_id they don't count.")
]
RunIf = Annotated[
    str,
    like(
        f"Which end of its parents lets the task run: {', '.join(WORDS[1:])}, or an expression in CEL over "
        "results and states by parent, such as results['a'] == '30\\n'. Empty counts as success.",
        maxLength=CHARS_MAX,
    ),
]
MaxParallel = Annotated[
    int,
    like(
        "How many of its tasks wait for a proplet or run at once; left out: any number.",
        minimum=1,
        maximum=PARALLEL_MAX,
    ),
]
StdinEncoding = Annotated[
    str,
    like(
        "How stdin is text.",
        title="StdinEncoding",
        enum=["", BASE64],
        **{"x-enum-varnames": ["PLAIN", "BASE64"]},
    ),
]
NamespaceField = Annotated[
    str, like("Where it is to belong; left out: the only namespace of who asks, or default.")
]
NamespaceView = Annotated[str, like("Where it belongs; left out: default.")]
CreatedBy = Annotated[str, like("Who created it; left out where nobody is asked who they are.")]
Signature = Annotated[
    str,
    like("Of the module: from propeller sign, or from cosign sign-blob.", maxLength=SIGNATURE_CHARS_MAX),
]
Owned = Annotated[Any, like("The manager sets it; in a request it is ignored.", readOnly=True)]
Fixed = like("It can't be changed; if it is given, it has to be what the task has.")
_Switch = bool | UnsetType | None


class MonitoringField(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The measurements of a task; fields that are left out are as for a task without a profile."""

    enabled: _Switch = UNSET
    interval: Annotated[int | float, like("Seconds.")] | UnsetType | None = UNSET
    collect_cpu: _Switch = UNSET
    collect_memory: _Switch = UNSET
    collect_disk_io: _Switch = UNSET
    collect_threads: _Switch = UNSET
    collect_file_descriptors: _Switch = UNSET
    export_to_mqtt: _Switch = UNSET
    retain_history: _Switch = UNSET
    history_size: int | float | UnsetType | None = UNSET


class OwnedFields(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Fields of answers that a request may send back, as the existing clients do with zeros."""

    state: Owned = None
    results: Owned = None
    results_encoding: Owned = None
    error: Owned = None
    error_kind: Owned = None
    exit_code: Owned = None
    reason: Owned = None
    attempt: Owned = None
    up: Owned = None
    restarts: Owned = None
    file_digest: Owned = None
    file_size: Owned = None
    start_time: Owned = None
    finish_time: Owned = None
    created_at: Owned = None
    updated_at: Owned = None
    next_run: Owned = None
    retry_at: Owned = None
    copy_of: Owned = None
    created_by: Owned = None
    runs_workflow: Owned = None
    pinned_to: (
        Annotated[IdOrNone, like("In an answer that is sent as a new task, what its proplet_id is to be.")]
        | None
    ) = None


class TaskFields(OwnedFields, kw_only=True):
    """The fields of a task that a request may set, when it is created and when it is changed."""

    name: Annotated[str, like(maxLength=NAME_CHARS_MAX)] | None = None
    kind: str | None = None
    image_url: str | None = None
    file: File | None = None
    signature: Signature | None = None
    cli_args: Annotated[list[str], like(maxItems=INPUTS_MAX)] | None = None
    inputs: Inputs | None = None
    stdin: (
        Annotated[
            str | FromParent,
            like('Standard input of a program, up to 1 MiB; {"from": "a"} is the result of parent a.'),
        ]
        | None
    ) = None
    stdin_encoding: StdinEncoding | None = None
    env: Variables | None = None
    daemon: bool | None = None
    latent: bool | None = None
    encrypted: bool | None = None
    kbs_resource_path: str | None = None
    proplet_id: (
        Annotated[
            IdOrNone,
            like(
                "Run it on this proplet only. In an answer that is sent back (with created_at) it does not."
            ),
        ]
        | None
    ) = None
    run_if: RunIf | None = None
    monitoring_profile: MonitoringField | None = None
    mode: str | None = None
    schedule: CronText | None = None
    is_recurring: RecursTask | None = None
    timezone: ZoneName | None = None
    schedule_options: ScheduleOptionsField | None = None
    broadcast: bool | None = None
    priority: Priority | None = None
    metadata: Metadata | None = None
    hal_storage_path: str | None = None
    required_tags: Tags | None = None
    timeout: (
        Annotated[str | float, like("How long the task may run: 30s, 1m30s, or a number of seconds.")] | None
    ) = None
    retry: RetryField | None = None
    deadline: Deadline | None = None
    queue_timeout: QueueTimeout | None = None
    limits: LimitsField | None = None
    grants: Annotated[GrantsField, like("Left out: the grants that the proplet gives to all.")] | None = None


class TaskChanges(TaskFields, kw_only=True):
    """Fields to change. A field that is left out or null, an empty name and priority 0 change nothing."""

    id: Annotated[IdOrNone, Fixed] | None = None
    depends_on: Annotated[list[IdOrName], Fixed] | None = None
    workflow_id: Annotated[IdOrNone, Fixed] | None = None
    job_id: Annotated[IdOrNone, Fixed] | None = None
    workflow: Annotated[Any, Fixed] = None
    namespace: Annotated[str, Fixed] | None = None


class InnerWorkflow(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The workflow that a task runs in place of a module: its fields, or only the id of one to copy."""

    id: Annotated[IdOrNone, like("A workflow to copy, as it is now; then nothing else is given.")] | None = (
        None
    )
    name: Annotated[str, like("Left out: the task's.", maxLength=NAME_CHARS_MAX)] | None = None
    tasks: Annotated[list["NewTask"], like(maxItems=TASKS_MAX)] | None = None
    timeout: Annotated[Duration, like("How long it may take in all: 30s, 5m, or seconds.")] | None = None
    defaults: DefaultsField | None = None
    max_parallel: MaxParallel | None = None
    fail_fast: bool | None = None
    copy_of: Owned = None


class NewTask(TaskFields, kw_only=True):
    """A task to create."""

    id: Annotated[IdOrNone, like("Left out: a new UUID.")] | None = None
    name: Name = ""
    depends_on: Annotated[list[IdOrName], like("Ids or names of tasks in the same group.")] | None = None
    workflow_id: Annotated[IdOrNone, like("The workflow that the task belongs to.")] | None = None
    job_id: Annotated[IdOrNone, like("The job that the task belongs to.")] | None = None
    workflow: InnerWorkflow | None = None
    namespace: NamespaceField | None = None


Tasks = Annotated[list[NewTask], like(minItems=1, maxItems=TASKS_MAX)]


class InnerView(msgspec.Struct, kw_only=True):
    """The workflow that a task runs."""

    name: str | UnsetType = UNSET
    tasks: Annotated[list[dict[str, Any]], like("As they were asked for, without their modules.")]
    timeout: str | UnsetType = UNSET
    defaults: DefaultsView | UnsetType = UNSET
    max_parallel: int | UnsetType = UNSET
    fail_fast: bool | UnsetType = UNSET
    copy_of: Annotated[str, like("The workflow that it was copied from.")] | UnsetType = UNSET


class TaskView(msgspec.Struct, kw_only=True):
    id: Id
    name: str
    kind: str | UnsetType = UNSET
    state: State
    image_url: str | UnsetType = UNSET
    file: Annotated[str, like("Modules up to 64 KiB, base64.", contentEncoding="base64")] | UnsetType = UNSET
    file_digest: Annotated[str, like("Modules above 64 KiB: sha256:<hex>.")] | UnsetType = UNSET
    file_size: Annotated[int, like("Modules above 64 KiB: bytes.")] | UnsetType = UNSET
    signature: Signature | UnsetType = UNSET
    cli_args: Sequence[str] | None = None
    inputs: (
        Annotated[
            Sequence[int | float | str | FromParent],
            like("All of them are text where User-Agent begins with Go-http-client/."),
        ]
        | UnsetType
    ) = UNSET
    env: Variables | UnsetType = UNSET
    daemon: bool = False
    latent: bool | UnsetType = UNSET
    encrypted: bool = False
    kbs_resource_path: str | UnsetType = UNSET
    #: Before ``proplet_id``, as the tutorial prints it; the contract's table has the two in reverse.
    depends_on: Sequence[str] | UnsetType = UNSET
    proplet_id: Annotated[str, like("Where it runs, or ran last.")] | UnsetType = UNSET
    run_if: str | UnsetType = UNSET
    workflow_id: str | UnsetType = UNSET
    job_id: str | UnsetType = UNSET
    results: Any | UnsetType = UNSET
    error: str | UnsetType = UNSET
    monitoring_profile: dict[str, Any] | UnsetType = UNSET
    start_time: Time = ZERO
    finish_time: Time = ZERO
    created_at: Time
    updated_at: Time
    mode: str | UnsetType = UNSET
    schedule: str | UnsetType = UNSET
    next_run: Time = ZERO
    is_recurring: bool | UnsetType = UNSET
    timezone: str | UnsetType = UNSET
    broadcast: bool | UnsetType = UNSET
    priority: int | UnsetType = UNSET
    metadata: Metadata | UnsetType = UNSET
    hal_storage_path: str | UnsetType = UNSET
    required_tags: Sequence[str] | UnsetType = UNSET
    error_kind: Annotated[ErrorKind, like("The kind of ``error``, for programs.")] | UnsetType = UNSET
    exit_code: Annotated[int, like("Of a program that ended with another than 0.")] | UnsetType = UNSET
    reason: Annotated[str, like("Why it is in this state, if that is not plain.")] | UnsetType = UNSET
    attempt: Annotated[int, like("Number of the attempt, if above 1.")] | UnsetType = UNSET
    timeout: str | UnsetType = UNSET
    limits: Annotated[dict[str, int], like("Only limits that the task names itself.")] | UnsetType = UNSET
    grants: Grants | UnsetType = UNSET
    up: Annotated[bool, like("True while it is up; it runs until it is stopped.")] | UnsetType = UNSET
    restarts: Annotated[int, like("How often it crashed and was started anew.")] | UnsetType = UNSET
    results_encoding: ResultsEncoding | UnsetType = UNSET
    stdin: str | FromParent | UnsetType = UNSET
    stdin_encoding: str | UnsetType = UNSET
    pinned_to: Annotated[Id, like("The proplet that it was asked to run on.")] | UnsetType = UNSET
    retry: RetryView | UnsetType = UNSET
    deadline: str | UnsetType = UNSET
    queue_timeout: str | UnsetType = UNSET
    retry_at: Annotated[Time, like("When it is tried again, while it waits for that.")] | UnsetType = UNSET
    schedule_options: OptionsView | UnsetType = UNSET
    copy_of: Annotated[str, like("The task that it is a copy of.")] | UnsetType = UNSET
    workflow: InnerView | UnsetType = UNSET
    runs_workflow: Annotated[Id, like("The workflow of its last attempt.")] | UnsetType = UNSET
    namespace: NamespaceView | UnsetType = UNSET
    created_by: CreatedBy | UnsetType = UNSET


class TaskPage(msgspec.Struct, kw_only=True):
    offset: int
    limit: int
    total: Annotated[int, like("Left out where a search would have to count.")] | UnsetType = UNSET
    total_is_at_least: (
        Annotated[bool, like("True where too many would have to be counted: there are more than the total.")]
        | UnsetType
    ) = UNSET
    tasks: list[TaskView]
    next_cursor: (
        Annotated[
            str, like("Where a search goes on; a page may be short, or even empty, and have more behind it.")
        ]
        | UnsetType
    ) = UNSET


class TasksView(msgspec.Struct):
    tasks: list[TaskView]


class Results(msgspec.Struct):
    results: Any
    results_encoding: ResultsEncoding | UnsetType = UNSET


class Started(msgspec.Struct):
    started: bool = True


class Stopped(msgspec.Struct):
    stopped: bool = True


_OMITTED_WHEN_EMPTY = (
    "kind image_url signature inputs env latent kbs_resource_path depends_on run_if workflow_id job_id mode "
    "schedule is_recurring timezone broadcast priority metadata required_tags stdin stdin_encoding copy_of "
    "namespace created_by"
).split()

#: What a task that has never run says of its runs.
_OF_RUNS = frozenset({"state", "start_time", "finish_time", "created_at", "updated_at", "next_run"})


def results_view(results: Any) -> Results:
    value, encoding = to_json(results)
    return Results(value, encoding or UNSET)


def task_view(task: Task, files: Mapping[str, str] | None) -> TaskView:
    """Render a task; ``files`` has modules in base64 by digest, None leaves them out of the answer."""
    spec = task.spec
    results, encoding = to_json(task.results)
    view = TaskView(
        id=spec.id,
        name=spec.name,
        state=task.state,
        cli_args=spec.cli_args,
        daemon=spec.daemon,
        encrypted=spec.encrypted,
        results=UNSET if results is None else results,
        results_encoding=encoding or UNSET,
        created_at=format_time(task.created_at),
        updated_at=format_time(task.updated_at),
    )
    for name in _OMITTED_WHEN_EMPTY:
        if value := getattr(spec, name):
            setattr(view, name, value)
    if proplet_id := task.proplet_id or spec.pin:
        view.proplet_id = proplet_id
    if spec.pin:
        view.pinned_to = spec.pin
    if task.started_at:
        view.start_time = format_time(task.started_at)
    if task.finished_at:
        view.finish_time = format_time(task.finished_at)
    if task.failure:
        view.error, view.error_kind = task.failure.error, task.failure.kind
        view.exit_code = task.failure.exit_code or UNSET
    if spec.monitoring_profile is not None:
        view.monitoring_profile = spec.monitoring_profile
    if spec.hal_storage_path is not None:
        view.hal_storage_path = spec.hal_storage_path
    if task.reason:
        view.reason = str(task.reason)
    if task.attempt > 1:
        view.attempt = task.attempt
    if spec.sandbox is not None:
        _show_sandbox(view, spec.sandbox)
    if spec.retry is not None:
        view.retry = retry_view(spec.retry)
    if spec.deadline_ns:
        view.deadline = duration(spec.deadline_ns)
    if spec.queue_timeout_ns:
        view.queue_timeout = duration(spec.queue_timeout_ns)
    if task.timing is not None and task.timing.retry_at:
        view.retry_at = format_time(task.timing.retry_at)
    if spec.schedule_options is not None:
        view.schedule_options = options_view(spec.schedule_options)
    if task.course is not None:
        view.next_run = format_time(task.course.next_run)
    if task.is_up:
        view.up = True
    if task.restarts:
        view.restarts = task.restarts
    if spec.module is not None and files is not None:
        view.file = files.get(spec.module.digest, UNSET)
        if view.file is UNSET:
            view.file_digest = f"sha256:{spec.module.digest}"
            view.file_size = spec.module.size_bytes
    if spec.workflow is not None:
        _show_workflow(view, task, spec.workflow)
    return view


def _show_workflow(view: TaskView, task: Task, workflow: SubWorkflow) -> None:
    view.workflow = inner_view(workflow)
    if task.placed_at:
        view.runs_workflow = id_of_inner(task.id, task.attempt)


def inner_view(workflow: SubWorkflow) -> InnerView:
    """Render the workflow that a task runs; its tasks have only what was asked for."""
    definition = workflow.definition
    return InnerView(
        name=workflow.name or UNSET,
        tasks=[
            {
                name: value
                for name, value in msgspec.to_builtins(
                    task_view(Task(spec=spec, seq=0, created_at=0), {})
                ).items()
                if name not in _OF_RUNS and value not in (None, False)
            }
            for spec in workflow.specs
        ],
        timeout=shown(definition.timeout_ns),
        defaults=defaults_view(definition.defaults),
        max_parallel=definition.max_parallel or UNSET,
        fail_fast=workflow.fail_fast or UNSET,
        copy_of=workflow.copy_of or UNSET,
    )


def inputs_as_texts(inputs: Iterable[Input]) -> list[str]:
    """Write inputs as texts that would mean the same in a request."""
    return wire_inputs(f"${{{one.task}}}" if isinstance(one, FromParent) else one for one in inputs)


def _show_sandbox(view: TaskView, sandbox: Sandbox) -> None:
    if sandbox.timeout_ns:
        view.timeout = format_duration(sandbox.timeout_ns / 1e9)
    limits: dict[str, int] = msgspec.to_builtins(sandbox.limits)
    if limits:
        view.limits = limits
    if sandbox.grants is not None:
        view.grants = sandbox.grants
