"""The records that the rules are about: tasks, groups of tasks (workflows and jobs) and proplets.

A record has one owner, ``state.ClusterState``. Fields marked *stored* go to the store with each commit.
Fields marked *derived* follow from them; ``invariants.check`` computes them anew and compares.

Times are nanoseconds since the Unix epoch, UTC; 0 means "not yet".
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import msgspec

from propeller.core.calendar import Schedule, ScheduleOptions, ScheduleState
from propeller.core.failures import Failure
from propeller.core.ran import Ran
from propeller.core.ranked import Ranked
from propeller.core.reasons import Reason
from propeller.core.retry import Retry
from propeller.core.sandbox import Offer, Sandbox
from propeller.core.states import COMPLETED, PENDING, RUNNING, TaskState


class Module(msgspec.Struct, frozen=True):
    """A Wasm module by content."""

    #: SHA-256 of the bytes, in hex.
    digest: str
    size_bytes: int


class FromParent(msgspec.Struct, frozen=True, rename={"task": "from"}, forbid_unknown_fields=True):
    """An input that is the result of a parent."""

    #: Id of the parent.
    task: str


Input = int | float | str | FromParent


class FromSecret(msgspec.Struct, frozen=True, rename={"name": "secret"}, forbid_unknown_fields=True):
    """A variable whose value is a secret; nothing but the secret's name is kept."""

    name: str


Variable = str | FromSecret


class Spec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The user's request. Only an update changes it; running the task does not. Stored."""

    id: str
    name: str
    #: The namespace that it belongs to; ``""`` for ``default``. That of its group, if it is in one.
    namespace: str = ""
    #: Who created it; ``""`` where nobody says who they are.
    created_by: str = ""
    kind: str = ""
    image_url: str = ""
    module: Module | None = None
    #: Of the module: the text of a detached signature, which was checked when it came.
    signature: str = ""
    cli_args: tuple[str, ...] | None = None
    #: Numbers stay numbers, as the client sent them.
    inputs: tuple[Input, ...] | None = None
    #: Standard input of a program: text, or what a parent returned.
    stdin: str | FromParent = ""
    #: ``base64`` where that text is it.
    stdin_encoding: str = ""
    env: dict[str, Variable] | None = None
    daemon: bool = False
    latent: bool = False
    #: The sandbox that the task asks for; None where it asks for none.
    sandbox: Sandbox | None = None
    encrypted: bool = False
    kbs_resource_path: str = ""
    #: The proplet that the user pinned the task to; what the scheduler chose is ``Task.proplet_id``.
    pin: str = ""
    #: Ids of the parents, all in the same group.
    depends_on: tuple[str, ...] = ()
    #: How its parents have to end for it to run: a word of ``conditions.WORDS``, or an expression.
    run_if: str = ""
    #: At most one of ``workflow_id`` and ``job_id`` is set.
    workflow_id: str = ""
    job_id: str = ""
    monitoring_profile: dict[str, Any] | None = None
    mode: str = ""
    schedule: str = ""
    is_recurring: bool = False
    timezone: str = ""
    schedule_options: ScheduleOptions | None = None
    #: The task that it is a copy of, which expressions may name; ``""`` if it is none.
    copy_of: str = ""
    #: The tasks that this one was copied from, the last first; expressions may name them too.
    copied_before: tuple[str, ...] = ()
    #: The task with a schedule that it is a run of; ``""`` if it is none.
    run_of: str = ""
    #: True to run on every proplet.
    broadcast: bool = False
    #: Tags that the task's proplet must have. The tags of a pinned task do not count.
    required_tags: tuple[str, ...] = ()
    #: 0 means "not given", which counts as 50.
    priority: int = 0
    #: What follows when an attempt fails; None for an end.
    retry: Retry | None = None
    #: How long a run may take in all, from when the task is ready, ns; 0 for any time.
    deadline_ns: int = 0
    #: How long it may wait for a proplet each time, ns; 0 for any time.
    queue_timeout_ns: int = 0
    metadata: dict[str, Any] | None = None
    hal_storage_path: str | None = None
    #: The workflow that it runs, in place of a module.
    workflow: SubWorkflow | None = None
    #: How often it was changed.
    revision: int = 0

    @property
    def modules(self) -> Iterator[Module]:
        """Give its module, and those of the tasks in the workflow that it runs."""
        if self.module is not None:
            yield self.module
        for spec in self.workflow.specs if self.workflow is not None else ():
            yield from spec.modules

    @property
    def secrets(self) -> dict[str, str]:
        """The names of the secrets that its variables are, by variable."""
        return {key: one.name for key, one in (self.env or {}).items() if isinstance(one, FromSecret)}

    @property
    def group_id(self) -> str:
        return self.workflow_id or self.job_id

    @property
    def is_resident(self) -> bool:
        """True if the task stays on its proplet until it is stopped."""
        return self.daemon or self.latent

    @property
    def whole_schedule(self) -> Schedule | None:
        """Give all that is said about its schedule; None if it has none."""
        if not self.schedule:
            return None
        return Schedule(
            text=self.schedule,
            timezone=self.timezone,
            is_recurring=self.is_recurring,
            options=self.schedule_options or ScheduleOptions(),
        )


class Execution(msgspec.Struct, kw_only=True, eq=False):
    """One proplet's share of a broadcast task. Stored."""

    proplet_id: str
    attempt: int
    #: ``RUNNING``, an end, or ``SCHEDULED``: a resident task was lost with this proplet and waits for it.
    state: TaskState = RUNNING
    results: Any = None
    failure: Failure | None = None
    started_at: int = 0
    finished_at: int = 0
    #: What ran; None where its proplet has not said.
    ran: Ran | None = None

    @property
    def error(self) -> str:
        return self.failure.error if self.failure else ""


class Timing(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The part of a task's run that goes by a clock; only tasks that ask for such things have it. Stored."""

    #: How many attempts have failed and were tried again, since a user or a parent started the task.
    tries: int = 0
    #: When the task is tried again; 0 where it does not wait for that.
    retry_at: int = 0
    #: When it has used up its time in all; 0 for never.
    deadline_at: int = 0
    #: When it has waited for a proplet for too long; 0 where it does not wait, or may for ever.
    queue_until: int = 0
    schedule: ScheduleState | None = None


class Task(msgspec.Struct, kw_only=True, eq=False):
    """One piece of work that a user asked for, and its progress."""

    spec: Spec
    #: Order of creation over all tasks, from 1. Stored.
    seq: int
    created_at: int
    state: TaskState = PENDING
    #: Number of the last attempt, 0 before the first; attempts of a deleted task of the same id count too.
    #: Each start message carries the number, and each report brings it back. Stored.
    attempt: int = 0
    #: How many attempts were lost since a user last started the task, or since it last came up. Stored.
    losses: int = 0
    #: The proplet of the last attempt; ``""`` before the first, and where several proplets have one. Stored.
    proplet_id: str = ""
    #: When the present attempt was placed; the times of its run are never earlier. Stored.
    placed_at: int = 0
    #: Result of the last attempt: any JSON value, or bytes that are no text; None for none. Stored.
    results: Any = None
    #: How the task failed; None where it did not. Stored.
    failure: Failure | None = None
    #: Why it is in its present state, where that is not plain: waiting, lost, skipped, stopped. Stored.
    reason: Reason | None = None
    started_at: int = 0
    finished_at: int = 0
    updated_at: int = 0
    #: True if it was up since it was last started: its children need not wait for its end. Stored.
    was_up: bool = False
    #: True while it is up, as far as its proplet has said. Stored.
    is_up: bool = False
    #: How often its proplet started it anew after a crash. Stored.
    restarts: int = 0
    #: The executions of a broadcast task since it was last placed everywhere, by proplet id. Stored.
    executions: dict[str, Execution] = {}
    #: What of its present run goes by a clock. Stored.
    timing: Timing | None = None
    #: What ran in its last attempt; None where its proplet has not said. Stored.
    ran: Ran | None = None
    #: How many executions run. Derived.
    live_executions: int = 0
    #: The task before it in a sequential job. Derived.
    before: Task | None = None
    #: ``spec.depends_on``, as tasks. Derived.
    parents: tuple[Task, ...] = ()
    #: The tasks that have this one among their parents or before them. Derived.
    children: list[Task] = []
    #: How many of ``parents`` and ``before`` have not ended. Derived.
    unmet: int = 0
    #: Its start and end, as its group has last counted them. Derived.
    told_start: int = 0
    told_end: int = 0

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def error(self) -> str:
        return self.failure.error if self.failure else ""

    @property
    def schedule(self) -> Schedule | None:
        return self.spec.whole_schedule

    @property
    def course(self) -> ScheduleState | None:
        """What has become of its schedule; None if it has none."""
        return self.timing.schedule if self.timing else None

    def attempt_on(self, proplet_id: str) -> int:
        """Give the attempt that a proplet runs; in a broadcast, each proplet has its own."""
        return self.executions[proplet_id].attempt if self.spec.broadcast else self.attempt

    def placed_on(self, proplet_id: str) -> int:
        """Give the time at which the attempt of a proplet was placed."""
        return self.executions[proplet_id].started_at if self.spec.broadcast else self.placed_at

    @property
    def is_settled(self) -> bool:
        """True if the tasks that wait for it may go on."""
        return self.state.has_ended or self.was_up

    @property
    def has_succeeded(self) -> bool:
        return self.state is COMPLETED or (self.was_up and not self.state.has_ended)

    @property
    def counting_result(self) -> Any:
        """Its result as far as it counts for its children: None unless it succeeded.

        A task that failed may have results too: what it printed, or those of a broadcast's other proplets. So
        may one that was up and was stopped.
        """
        return self.results if self.has_succeeded else None


class GroupKind(StrEnum):
    WORKFLOW = "workflow"
    JOB = "job"


class JobMode(StrEnum):
    PARALLEL = "parallel"
    SEQUENTIAL = "sequential"
    CONFIGURABLE = "configurable"


class Defaults(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What holds for each task of a group that does not say it itself."""

    retry: Retry | None = None
    #: Of each attempt, ns; 0 leaves it to the proplet.
    timeout_ns: int = 0
    deadline_ns: int = 0
    queue_timeout_ns: int = 0


class Definition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a user asked for of a workflow or job as a whole; nothing changes it. Stored."""

    #: The namespace that it and its tasks belong to; ``""`` for ``default``.
    namespace: str = ""
    #: Who created it; ``""`` where nobody says who they are.
    created_by: str = ""
    #: For those who look for it.
    labels: dict[str, str] = {}
    #: How long it may take in all, ns; 0 for any time.
    timeout_ns: int = 0
    #: How many of its tasks may be queued or run at once; 0 for any number.
    max_parallel: int = 0
    defaults: Defaults = Defaults()
    #: With it, the group does not run itself: each run is a copy of it.
    schedule: Schedule | None = None
    #: The group with a schedule that it is a run of; ``""`` if it is none.
    run_of: str = ""
    #: The task that runs it; ``""`` if none does.
    run_for: str = ""


class SubWorkflow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The workflow that a task runs: a new one is made of this each time the task begins. Stored."""

    #: Its tasks, in the order given. Their ids hold inside of it, and they name no group.
    specs: tuple[Spec, ...]
    name: str = ""
    fail_fast: bool = False
    definition: Definition = Definition()
    #: The workflow that it was copied from when the task was created; ``""`` if from none.
    copy_of: str = ""

    @property
    def size(self) -> int:
        """The number of its tasks, and of those in workflows inside."""
        return sum(1 + (spec.workflow.size if spec.workflow else 0) for spec in self.specs)


class GroupTiming(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The part of a group's run that goes by a clock; groups that ask for no such thing have none. Stored."""

    #: When the group has used up its time; 0 for never, and before it begins.
    deadline_at: int = 0
    schedule: ScheduleState | None = None


class Places(msgspec.Struct, kw_only=True, eq=False):
    """The places of a group that runs only so many tasks at once, and who waits for one (``places``)."""

    #: How many there are.
    most: int
    #: Ids of the tasks that have one and run.
    running: set[str] = set()
    #: The tasks that have one and wait for a proplet, the last in rank first.
    queued: Ranked[str, Task] = msgspec.field(default_factory=Ranked)
    #: The tasks that are ready and have none, the first in rank first.
    waiting: Ranked[str, Task] = msgspec.field(default_factory=Ranked)


class Group(msgspec.Struct, kw_only=True, eq=False):
    """A workflow or a job."""

    id: str
    kind: GroupKind
    #: Order of creation over all groups, from 1. Stored.
    seq: int
    created_at: int
    name: str = ""
    #: Only for jobs; None in a job that leaves the choice to the manager's default. Stored.
    mode: JobMode | None = None
    #: The first task that fails stops the others. Stored.
    fail_fast: bool = False
    definition: Definition = Definition()
    #: What of its present run goes by a clock. Stored.
    timing: GroupTiming | None = None
    #: Number of its tasks in each state, by the state's number; then, at ``groups.UP``, of those that were up
    #: and have not ended. Stored, so that lists need not count.
    counts: list[int] = []
    #: The earliest start and the latest end of its tasks, 0 for none. Stored, for the same reason.
    started_at: int = 0
    finished_at: int = 0
    #: How many of its tasks began at ``started_at``, and how many ended at ``finished_at``. Derived.
    first_count: int = 0
    last_count: int = 0
    #: Its tasks in the order given. Derived from their ``seq``.
    tasks: dict[str, Task] = {}
    #: None if any number of its tasks may run at once. Derived.
    places: Places | None = None

    @property
    def schedule(self) -> Schedule | None:
        return self.definition.schedule

    @property
    def course(self) -> ScheduleState | None:
        """What has become of its schedule; None if it has none."""
        return self.timing.schedule if self.timing else None

    @property
    def size(self) -> int:
        """The number of its tasks."""
        return sum(self.counts[: len(TaskState)])

    @property
    def has_live_tasks(self) -> bool:
        pending, scheduled, running = self.counts[:3]
        return pending + scheduled + running > 0


class Proplet(msgspec.Struct, kw_only=True, eq=False):
    """A program that runs guests. The store never says that it is alive: it has to give a sign of life."""

    id: str
    name: str
    #: True for a child process of the manager, which ends with it. Stored.
    is_local: bool = False
    #: The metadata of its last hello. Stored.
    metadata: dict[str, Any] = {}
    created_at: int = 0
    #: Number of this start of its program; a later start has a larger one. 0 for a foreign proplet, which
    #: sends none. Stored, so that a manager that was started anew knows the work of a proplet that kept
    #: running.
    boot: int = 0
    #: True while it gets no new work, because its machine is serviced. Stored.
    is_cordoned: bool = False
    #: When its remaining tasks are moved to other proplets, by the wall clock; 0 for never. Stored.
    drain_by: int = 0
    #: How many guests it runs at once.
    slots: int = 1
    #: How many tasks it may have at once: ``slots``, and more while its tasks are short.
    window: int = 1
    #: When the start of each task that is placed on it was last sent, by task id; monotonic clock, ns.
    placed: dict[str, int] = {}
    #: How often the start of a task was repeated that the proplet does not name, by task id.
    repeats: dict[str, int] = {}
    #: The tasks placed on it that stay until they are stopped, and so take no room from others.
    residents: set[str] = set()
    #: Times of the last ten signs of life, oldest first.
    seen: list[int] = []
    is_alive: bool = False

    @property
    def is_native(self) -> bool:
        """True if it knows the extensions: attempts, acknowledgements, digests, a topic of its own."""
        return self.boot > 0

    @property
    def offer(self) -> Offer | None:
        """The offer that its owner makes to tasks; None from a foreign proplet, which sends none."""
        try:
            return msgspec.convert(self.metadata["offers"], Offer) if "offers" in self.metadata else None
        except msgspec.ValidationError:
            return None

    @property
    def sealing_key(self) -> str:
        """The public key that secrets for it are sealed to, base64; ``""`` if it can take none."""
        key = self.metadata.get("sealing_key")
        return key if isinstance(key, str) else ""

    @property
    def has_own_runtime(self) -> bool:
        """True if it says that its guests run in Propeller's own runtime, not in an external one."""
        offer = self.offer
        return offer is not None and not offer.is_external

    @property
    def tags(self) -> frozenset[str]:
        tags = self.metadata.get("tags")
        return (
            frozenset(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else frozenset()
        )
