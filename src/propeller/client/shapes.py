"""Types of the answers of the API.

Answers stay plain JSON objects, so that what a newer manager adds is passed on untouched.

Source: ``http-api`` in the contract, sections 1.3, 3 to 6 and 8; workflows, events, logs,
``reason``, ``error_kind`` and ``attempt`` are extensions.
"""

from typing import Any, NotRequired, TypedDict

#: A time that has not come yet.
ZERO_TIME = "0001-01-01T00:00:00Z"


class Task(TypedDict):
    id: str
    name: str
    kind: NotRequired[str]
    #: 0 pending, 1 scheduled, 2 running, 3 completed, 4 failed, 5 skipped, 6 interrupted.
    state: int
    image_url: NotRequired[str]
    signature: NotRequired[str]
    #: Base64.
    file: NotRequired[str]
    file_digest: NotRequired[str]
    file_size: NotRequired[int]
    cli_args: list[str] | None
    inputs: NotRequired[list[int | float | str | dict[str, str]]]
    #: Text, or ``{"secret": …}``.
    env: NotRequired[dict[str, str | dict[str, str]]]
    #: Standard input, or the parent whose result it is.
    stdin: NotRequired[str | dict[str, str]]
    #: ``base64`` where it is that.
    stdin_encoding: NotRequired[str]
    daemon: bool
    latent: NotRequired[bool]
    encrypted: bool
    kbs_resource_path: NotRequired[str]
    #: Where it runs, or ran last.
    proplet_id: NotRequired[str]
    #: Where it was asked to run.
    pinned_to: NotRequired[str]
    depends_on: NotRequired[list[str]]
    run_if: NotRequired[str]
    workflow_id: NotRequired[str]
    job_id: NotRequired[str]
    results: NotRequired[Any]
    #: ``base64`` where the texts of the results are that, because they are no text.
    results_encoding: NotRequired[str]
    #: Why it failed.
    error: NotRequired[str]
    #: The kind of ``error`` for programs, such as ``trap`` or ``timeout``.
    error_kind: NotRequired[str]
    #: Of a program that ended with another than 0.
    exit_code: NotRequired[int]
    #: RFC 3339, UTC, up to nine digits of fraction; ``ZERO_TIME`` for "not yet".
    start_time: str
    finish_time: str
    created_at: str
    updated_at: str
    next_run: str
    priority: NotRequired[int]
    metadata: NotRequired[dict[str, Any]]
    #: Why it waits, was skipped, interrupted or run again.
    reason: NotRequired[str]
    #: Which placement this is; left out when it is the first.
    attempt: NotRequired[int]
    timeout: NotRequired[str]
    retry: NotRequired[dict[str, Any]]
    #: When it is tried again, while it waits for that.
    retry_at: NotRequired[str]
    schedule: NotRequired[str]
    timezone: NotRequired[str]
    is_recurring: NotRequired[bool]
    schedule_options: NotRequired[dict[str, str]]
    #: The task that it is a copy of.
    copy_of: NotRequired[str]
    #: The workflow that it runs in place of a module, and the one of its last attempt.
    workflow: NotRequired[dict[str, Any]]
    runs_workflow: NotRequired[str]
    deadline: NotRequired[str]
    queue_timeout: NotRequired[str]
    limits: NotRequired[dict[str, int]]
    grants: NotRequired[dict[str, Any]]
    #: It serves, and goes on until it is stopped.
    up: NotRequired[bool]
    #: How often it crashed and was started anew.
    restarts: NotRequired[int]
    #: Where it belongs, left out for ``default``, and who created it.
    namespace: NotRequired[str]
    created_by: NotRequired[str]


class Execution(TypedDict):
    """One attempt of a task, on one proplet."""

    proplet_id: str
    attempt: int
    state: int
    results: NotRequired[Any]
    #: ``base64`` where the texts of the results are that, because they are no text.
    results_encoding: NotRequired[str]
    error: NotRequired[str]
    error_kind: NotRequired[str]
    exit_code: NotRequired[int]
    start_time: str
    finish_time: str


class Executions(TypedDict):
    executions: list[Execution]
    total: int


class Attempts(TypedDict):
    attempts: list[Execution]
    total: int


class Schedule(TypedDict):
    """When a task, workflow or job runs by itself."""

    schedule: str
    timezone: str
    is_recurring: bool
    schedule_options: dict[str, str]
    paused: bool
    next_run: str
    #: The next ten times.
    next: list[str]
    last_run: str
    #: Times that wait for the end of the run before.
    waiting: list[str]
    #: Ids of the copies that ran last, and may run still.
    runs: list[str]
    #: What is wrong with it: why it is paused, if no user did that.
    error: NotRequired[str]


class TaskPage(TypedDict):
    offset: int
    limit: int
    #: Left out where a search would have to count.
    total: NotRequired[int]
    tasks: list[Task]
    #: Where a search goes on, as in ``WorkflowPage``; its pages may be short, or even empty.
    next_cursor: NotRequired[str]


class Tasks(TypedDict):
    tasks: list[Task]


class Job(TypedDict):
    job_id: str
    tasks: list[Task]
    name: NotRequired[str]
    execution_mode: NotRequired[str]
    labels: NotRequired[dict[str, str]]
    #: How many of its tasks wait for a proplet or run at once; left out for any number.
    max_parallel: NotRequired[int]
    namespace: NotRequired[str]
    created_by: NotRequired[str]


class EarlierRun(TypedDict):
    """A workflow or job that was created before another one of its name."""

    id: str
    state: int
    #: Seconds; only of one that has ended.
    duration: NotRequired[float]


class JobSummary(TypedDict):
    job_id: str
    name: NotRequired[str]
    state: int
    tasks: NotRequired[list[Task]]
    start_time: str
    finish_time: str
    created_at: str
    #: How many tasks are in each state, by the state's name.
    counts: NotRequired[dict[str, int]]
    fail_fast: NotRequired[bool]
    labels: NotRequired[dict[str, str]]
    #: How many of its tasks wait for a proplet or run at once; left out for any number.
    max_parallel: NotRequired[int]
    namespace: NotRequired[str]
    created_by: NotRequired[str]
    #: In a list that was asked for them with ``earlier``: the newest first.
    earlier: NotRequired[list[EarlierRun]]


class JobPage(TypedDict):
    offset: int
    limit: int
    total: int
    jobs: list[JobSummary]
    #: Where more are left: ``cursor`` of the next page, as in ``WorkflowPage``.
    next_cursor: NotRequired[str]


class Workflow(TypedDict):
    workflow_id: str
    name: NotRequired[str]
    state: int
    #: How many tasks are in each state, by the state's name.
    counts: dict[str, int]
    start_time: str
    finish_time: str
    created_at: str
    tasks: NotRequired[list[Task]]
    edges: NotRequired[list[dict[str, str]]]
    fail_fast: NotRequired[bool]
    labels: NotRequired[dict[str, str]]
    #: How many of its tasks wait for a proplet or run at once; left out for any number.
    max_parallel: NotRequired[int]
    namespace: NotRequired[str]
    created_by: NotRequired[str]
    #: In a list that was asked for them with ``earlier``: the newest first.
    earlier: NotRequired[list[EarlierRun]]
    #: The task that runs it.
    run_for: NotRequired[str]


class WorkflowPage(TypedDict):
    offset: int
    limit: int
    total: int
    workflows: list[Workflow]
    next_cursor: NotRequired[str]


class Proplet(TypedDict):
    id: str
    name: str
    task_count: int
    alive: bool
    last_alive_at: NotRequired[str]
    #: Whether it gets no more tasks.
    cordoned: NotRequired[bool]
    #: Whether it signs what it says; left out of one beside the manager.
    signed: NotRequired[bool]
    #: How many guests it runs at once.
    slots: NotRequired[int]
    #: What it has, for those who ask: ``task_id``, ``name``, ``attempt``, ``started`` (ms) and so on.
    running: NotRequired[list[dict[str, Any]]]
    metadata: dict[str, Any]


class PropletPage(TypedDict):
    offset: int
    limit: int
    total: int
    proplets: list[Proplet]


class Event(TypedDict):
    """A task changed its state."""

    task_id: str
    name: str
    state: int
    time: str
    workflow_id: NotRequired[str]
    job_id: NotRequired[str]
    attempt: NotRequired[int]
    proplet_id: NotRequired[str]
    results: NotRequired[Any]
    #: ``base64`` where the texts of the results are that, because they are no text.
    results_encoding: NotRequired[str]
    error: NotRequired[str]
    error_kind: NotRequired[str]
    reason: NotRequired[str]
    #: An older manager gives none.
    cause: NotRequired["Cause"]


class Cause(TypedDict):
    """What made a task change its state."""

    #: user, parent, task, timer, proplet, proplet_lost, placement, manager or unknown.
    kind: str
    task_id: NotRequired[str]
    proplet_id: NotRequired[str]
    timer: NotRequired[str]


class KeptEvent(Event):
    #: Grows with the order of the changes, over all tasks.
    id: int


class EventPage(TypedDict):
    events: list[KeptEvent]
    #: Id of the oldest event that is kept, of whatever task.
    first_id: int
    #: All since the creation is kept.
    complete: bool
    #: What to give as ``after`` for what comes behind this page.
    next: int
    #: There may be more now, even behind a page that is short or empty.
    more: bool


class Log(TypedDict):
    """A piece of what a guest wrote; it may begin and end within a line."""

    #: Grows with the order of arrival.
    id: int
    attempt: int
    proplet_id: str
    #: ``stdout`` or ``stderr``.
    stream: str
    #: How many bytes of this stream of this attempt came before.
    offset: int
    time: str
    text: str
    #: True where the stream has reached its limit, and what came after this piece was dropped.
    cut: NotRequired[bool]


class LogPage(TypedDict):
    total: int
    logs: list[Log]


class LogEnd(TypedDict):
    """The task has ended, and this is the end of its logs."""

    task_id: str
    state: int


class Health(TypedDict):
    status: str
    version: str
    commit: str
    description: str
    build_time: str
    instance_id: str
    #: ``leader`` or ``follower``; a manager that only knows the contract does not say it.
    role: NotRequired[str]
    #: URL of the manager that leads, if that is another.
    leader: NotRequired[str]


class CountedTasks(TypedDict):
    total: int
    pending: int
    scheduled: int
    running: int


class CountedGroups(TypedDict):
    total: int
    pending: int
    running: int
    completed: int
    failed: int
    interrupted: int


class CountedProplets(TypedDict):
    total: int
    alive: int
    cordoned: int
    slots: int
    busy: int


class Overview(TypedDict):
    """How much there is of everything, as of one event."""

    event_id: int
    time: str
    tasks: CountedTasks
    workflows: CountedGroups
    jobs: CountedGroups
    proplets: CountedProplets


class PaceOfAll(TypedDict):
    """The last hour in steps of ``step_s``, the newest last."""

    step_s: int
    #: When the last step ends, in ms since the epoch.
    end: int
    started: list[int]
    completed: list[int]
    failed: list[int]
    ended_otherwise: list[int]
    #: How many waited, and how many ran, at the end of each step; None where no manager ran.
    waiting: list[int | None]
    running: list[int | None]


class FailureOfTask(TypedDict):
    task_id: str
    name: str
    workflow_id: NotRequired[str]
    job_id: NotRequired[str]
    proplet_id: NotRequired[str]
    attempt: int
    error: str
    error_kind: str
    finish_time: str


class Failures(TypedDict):
    total: int
    failures: list[FailureOfTask]


class TaskColumns(TypedDict):
    """All tasks of a workflow or job, column by column; times are ms since the epoch, 0 for none."""

    ids: list[str]
    names: list[str]
    states: list[int]
    attempts: list[int]
    #: Places in ``proplets`` of the graph; -1 for none.
    proplets: list[int]
    created: list[int]
    placed: list[int]
    started: list[int]
    finished: list[int]
    up: list[int]
    conditions: list[str]
    sub_workflows: list[str]


class Graph(TypedDict):
    """The tasks of a workflow or job, and what depends on what."""

    #: All events up to this one are in it.
    event_id: int
    mode: NotRequired[str]
    tasks: TaskColumns
    proplets: list[str]
    #: Parent, child, parent, child, and so on, as places in the columns.
    edges: list[int]
    #: Place of the task, attempt, state, place of the proplet, start and end; the newest 20 of each task.
    past_attempts: list[list[int]]
    #: The same of broadcast tasks, one for each proplet.
    executions: list[list[int]]


#: A change of a task's state: its id, the state, the attempt, the proplet or ``""``, ms since the epoch, up.
Change = tuple[str, int, int, str, int, int]


class Issuer(TypedDict):
    """Where people sign in."""

    issuer: str
    has_page: bool
    #: Empty for none.
    cli_client_id: str
    scopes: list[str]


class Principal(TypedDict):
    """Who the manager takes the client for."""

    name: str
    role: str
    #: Left out for all.
    namespaces: NotRequired[list[str]]
    how: str
    expires_at: NotRequired[str]


class Token(TypedDict):
    """A token without its secret."""

    id: str
    name: str
    role: str
    namespaces: NotRequired[list[str]]
    created_by: str
    created_at: str
    expires_at: NotRequired[str]
    last_used_at: NotRequired[str]
    revoked_at: NotRequired[str]


class CreatedToken(Token):
    #: The text to send; it is not shown again.
    token: str


class TokenPage(TypedDict):
    offset: int
    limit: int
    total: int
    tokens: list[Token]
