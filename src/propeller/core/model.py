"""The records that the rules are about: tasks, groups of tasks (workflows and jobs) and proplets.

A record has one owner, ``state.ClusterState``. What is marked *stored* goes to the store with each commit;
the rest is derived from it, and ``invariants.check`` compares it with the slow truth.

Times are nanoseconds since the Unix epoch, UTC; 0 means "not yet".
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from propeller.core.failures import Failure
from propeller.core.reasons import Reason
from propeller.core.sandbox import Offer, Sandbox
from propeller.core.states import COMPLETED, PENDING, RUNNING, TaskState


class Module(msgspec.Struct, frozen=True):
    """A Wasm module by content."""

    #: SHA-256 of the bytes, in hex.
    digest: str
    size_bytes: int


class FromParent(msgspec.Struct, frozen=True, rename={"task": "from"}):
    """An input that is what a parent returned."""

    #: Id of the parent.
    task: str


Input = int | float | str | FromParent


class Spec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the user asked for; it changes only by an update, never by running. Stored."""

    id: str
    name: str
    kind: str = ""
    image_url: str = ""
    module: Module | None = None
    cli_args: tuple[str, ...] | None = None
    #: Numbers stay numbers, as the client sent them.
    inputs: tuple[Input, ...] | None = None
    #: Standard input of a program: text, or what a parent returned.
    stdin: str | FromParent = ""
    #: ``base64`` where that text is it.
    stdin_encoding: str = ""
    env: dict[str, str] | None = None
    daemon: bool = False
    latent: bool = False
    #: What it asks of the machine it runs on; None where it says nothing.
    sandbox: Sandbox | None = None
    encrypted: bool = False
    kbs_resource_path: str = ""
    #: The proplet that the user pinned the task to; what the scheduler chose is ``Task.proplet_id``.
    pin: str = ""
    #: Ids of the parents, all in the same group.
    depends_on: tuple[str, ...] = ()
    #: ``""`` and ``success``: all parents completed; ``failure``: at least one failed.
    run_if: str = ""
    #: At most one of the two is set.
    workflow_id: str = ""
    job_id: str = ""
    monitoring_profile: dict[str, Any] | None = None
    mode: str = ""
    schedule: str = ""
    is_recurring: bool = False
    timezone: str = ""
    #: Run on every proplet that is there when it starts.
    broadcast: bool = False
    #: Tags that a proplet must have to be given the task; a pin stands above them.
    required_tags: tuple[str, ...] = ()
    #: 0 means "not given", which counts as 50.
    priority: int = 0
    metadata: dict[str, Any] | None = None
    hal_storage_path: str | None = None

    @property
    def group_id(self) -> str:
        return self.workflow_id or self.job_id

    @property
    def is_resident(self) -> bool:
        """Whether it stays on its proplet until it is stopped."""
        return self.daemon or self.latent


class Execution(msgspec.Struct, kw_only=True, eq=False):
    """How a broadcast task fares on one proplet. Stored."""

    proplet_id: str
    attempt: int
    #: ``RUNNING``, an end, or ``SCHEDULED``: what stays was lost with the proplet and waits for it.
    state: TaskState = RUNNING
    results: Any = None
    failure: Failure | None = None
    started_at: int = 0
    finished_at: int = 0

    @property
    def error(self) -> str:
        return self.failure.error if self.failure else ""


class Task(msgspec.Struct, kw_only=True, eq=False):
    """One Wasm run that somebody asked for, and how far it is."""

    spec: Spec
    #: Order of creation over all tasks, from 1. Stored.
    seq: int
    created_at: int
    state: TaskState = PENDING
    #: How often it was placed, a deleted task of the same id included; each start message carries it and each
    #: report brings it back. Stored.
    attempt: int = 0
    #: How many of its attempts were lost with their proplet since it was last started. Stored.
    losses: int = 0
    #: Where the last attempt was placed, ``""`` before the first. Stored.
    proplet_id: str = ""
    #: When the present attempt was placed; its own times are held inside what the manager saw. Stored.
    placed_at: int = 0
    #: Result of the last attempt: any JSON value, or bytes that are no text; None for none. Stored.
    results: Any = None
    #: How it failed; None where it did not. Stored.
    failure: Failure | None = None
    #: Why it is in its present state, where that is not plain: waiting, lost, skipped, stopped. Stored.
    reason: Reason | None = None
    started_at: int = 0
    finished_at: int = 0
    updated_at: int = 0
    #: It serves, or has done so since it was last started: its dependents need not wait for its end. Stored.
    was_up: bool = False
    #: It serves at present, as far as its proplet has said. Stored.
    is_up: bool = False
    #: How often its proplet has started it anew after it crashed. Stored.
    restarts: int = 0
    #: Of a broadcast task: how it fares, by proplet, since it was last placed everywhere. Stored.
    executions: dict[str, Execution] = {}
    #: How many of them run. Derived.
    live_executions: int = 0
    #: The task before it in a sequential job. Derived.
    before: Task | None = None
    #: ``spec.depends_on``, as tasks. Derived.
    parents: tuple[Task, ...] = ()
    #: The tasks that have this one among their parents or before them. Derived.
    children: list[Task] = []
    #: How many of ``parents`` and ``before`` have not ended. Derived.
    unmet: int = 0
    #: Its times, as far as its group has taken them in. Derived.
    told_start: int = 0
    told_end: int = 0

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def error(self) -> str:
        return self.failure.error if self.failure else ""

    def attempt_on(self, proplet_id: str) -> int:
        """Tell which attempt a proplet has that runs it: of a broadcast, each has its own."""
        return self.executions[proplet_id].attempt if self.spec.broadcast else self.attempt

    def placed_on(self, proplet_id: str) -> int:
        """Tell when that attempt was placed there."""
        return self.executions[proplet_id].started_at if self.spec.broadcast else self.placed_at

    @property
    def is_settled(self) -> bool:
        """Whether those that wait for it may go on."""
        return self.state.has_ended or self.was_up

    @property
    def has_succeeded(self) -> bool:
        return self.state is COMPLETED or (self.was_up and not self.state.has_ended)


class GroupKind(StrEnum):
    WORKFLOW = "workflow"
    JOB = "job"


class JobMode(StrEnum):
    PARALLEL = "parallel"
    SEQUENTIAL = "sequential"
    CONFIGURABLE = "configurable"


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
    #: Only for jobs: the first task that fails stops the others. Stored.
    fail_fast: bool = False
    #: How many of its tasks are in each state, by state number, and then how many of those that have not
    #: ended were up. Stored, so that lists need not count.
    counts: list[int] = []
    #: The earliest start and the latest end of its tasks, 0 for none. Stored, for the same reason.
    started_at: int = 0
    finished_at: int = 0
    #: How many of its tasks began then, and how many ended then. Derived.
    first_count: int = 0
    last_count: int = 0
    #: Its tasks in the order given. Derived from their ``seq``.
    tasks: dict[str, Task] = {}

    @property
    def size(self) -> int:
        """How many tasks it has."""
        return sum(self.counts[: len(TaskState)])

    @property
    def has_live_tasks(self) -> bool:
        return sum(self.counts[:3]) > 0


class Proplet(msgspec.Struct, kw_only=True, eq=False):
    """A process that runs Wasm. That it is alive is never stored: it has to show it."""

    id: str
    name: str
    #: Started by this manager as a child of its own, and gone with it. Stored.
    is_local: bool = False
    #: As its discovery message has it. Stored.
    metadata: dict[str, Any] = {}
    created_at: int = 0
    #: Tells one start of the proplet's program from the next, and which came later; 0 for a foreign program,
    #: which does not say. Stored, so that a manager that was started anew knows the work of a proplet that
    #: was not.
    boot: int = 0
    #: Given no new work: somebody wants to service the machine. Stored.
    is_cordoned: bool = False
    #: When what still runs there is moved elsewhere, as people see it; 0 for never. Stored.
    drain_by: int = 0
    #: How many guests it runs at once.
    slots: int = 1
    #: How many tasks it is given at once: ``slots``, and more while its tasks are over in no time.
    window: int = 1
    #: The tasks placed on it, by id, and when their starts were last sent by the monotonic clock.
    placed: dict[str, int] = {}
    #: How often the starts were repeated of those that it says nothing of.
    repeats: dict[str, int] = {}
    #: Those of them that stay until they are stopped, and take no room from others.
    residents: set[str] = set()
    #: Times of the last ten signs of life, oldest first.
    seen: list[int] = []
    is_alive: bool = False

    @property
    def is_native(self) -> bool:
        """Whether it knows our additions: attempts, acknowledgements, digests, a topic of its own."""
        return self.boot > 0

    @property
    def offer(self) -> Offer | None:
        """What its owner allows tasks; None from a foreign proplet, which does not say."""
        try:
            return msgspec.convert(self.metadata["offers"], Offer) if "offers" in self.metadata else None
        except msgspec.ValidationError:
            return None

    @property
    def tags(self) -> frozenset[str]:
        tags = self.metadata.get("tags")
        return (
            frozenset(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else frozenset()
        )
