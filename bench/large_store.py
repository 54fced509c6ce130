"""Fills a store with so many tasks as a system leaves in months, always the same ones.

Everything goes through the store's own commit, but many tasks at once and in their last state. Ended tasks
come first, in the order in which they ended, then those that wait.
"""

import hashlib
import random
import uuid
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from propeller.core.effects import Changes, Transition
from propeller.core.failures import ErrorKind, Failure
from propeller.core.model import (
    Definition,
    Execution,
    Group,
    GroupKind,
    JobMode,
    Module,
    Proplet,
    Spec,
    Task,
)
from propeller.core.reasons import Stopped
from propeller.core.states import (
    COMPLETED,
    FAILED,
    INTERRUPTED,
    PENDING,
    RUNNING,
    SCHEDULED,
    SKIPPED,
    TaskState,
)
from propeller.store.port import LogPiece, Sample, SampleOf, Store

#: How far apart tasks were created.
STEP_NS = 100_000_000
#: Sizes of workflows and jobs, and how often each comes.
_WORKFLOWS = {5: 700, 20: 200, 100: 80, 500: 15, 2_000: 5}
_JOBS = {10: 70, 100: 25, 1_000: 5}
#: How many tasks go into a commit.
_PORTION = 5_000
#: How many of the last ended tasks are in the event log, which forgets older ones.
_TOLD = 200_000
_NAMES = [f"{verb}-{what}" for verb in ("resize", "infer", "parse", "train") for what in range(50)]
_GROUP_NAMES = [f"{when}-{what}" for when in ("nightly", "hourly", "manual") for what in range(40)]
_TEAMS = [f"team-{number}" for number in range(8)]


class Filled(NamedTuple):
    """Ids of what is in the store, to be asked for."""

    ended: int
    live: int
    #: Single tasks that have ended, some of the whole time.
    tasks: list[str]
    #: A task in the event log.
    recent: str
    #: The last workflow of 500 tasks, and the last job of 1,000 or fewer.
    workflow: str
    job: str
    proplet: str
    #: The time of the task in the middle, ns.
    middle: int


class _Maker:
    """Makes records, one portion after another."""

    def __init__(self, count: int, now: int) -> None:
        self._random = random.Random(12)
        self._seq = self._group_seq = 0
        self._begin = now - (count + 1) * STEP_NS
        bodies = [self._random.randbytes(2_000 * (number + 1)) for number in range(40)]
        self.modules = {Module(hashlib.sha256(body).hexdigest(), len(body)): body for body in bodies}
        self._modules = list(self.modules)
        self.proplets = [
            Proplet(id=self._uuid(), name=f"proplet-{number}", boot=1, metadata={"os": "linux"}, created_at=1)
            for number in range(20)
        ]

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def time_of(self, seq: int) -> int:
        return self._begin + seq * STEP_NS

    def portions(self, count: int, *, are_live: bool) -> Iterator[tuple[list[Task], list[Group]]]:
        """Give so many tasks, with their groups, whole groups at a time."""
        tasks: list[Task] = []
        groups: list[Group] = []
        while count > 0:
            draw = self._random.random()
            if draw < 0.9:  # many tasks are of none
                made = [self._task("", "", (), self._end(are_live=are_live))]
            else:
                kind = GroupKind.WORKFLOW if draw < 0.96 else GroupKind.JOB
                group, made = self._group(kind, count, are_live=are_live)
                groups.append(group)
            tasks += made
            count -= len(made)
            if len(tasks) >= _PORTION or count <= 0:
                yield tasks, groups
                tasks, groups = [], []

    def _end(self, *, are_live: bool) -> TaskState:
        if are_live:
            return SCHEDULED if self._random.random() < 0.1 else PENDING
        draw = self._random.random()
        return COMPLETED if draw < 0.93 else FAILED if draw < 0.98 else INTERRUPTED

    def _group(self, kind: GroupKind, most: int, *, are_live: bool) -> tuple[Group, list[Task]]:
        sizes = _WORKFLOWS if kind is GroupKind.WORKFLOW else _JOBS
        size = min(self._random.choices(list(sizes), list(sizes.values()))[0], most)
        id_ = self._uuid()
        workflow, job = (id_, "") if kind is GroupKind.WORKFLOW else ("", id_)
        broken = self._random.randrange(size) if not are_live and self._random.random() < 0.1 else size
        tasks: list[Task] = []
        for number in range(size):
            state = PENDING if are_live else COMPLETED
            if number >= broken:
                state = FAILED if number == broken else SKIPPED if workflow else INTERRUPTED
            parents = tuple({tasks[(number - 1) // 3].id, tasks[-1].id}) if workflow and tasks else ()
            tasks.append(self._task(workflow, job, parents, state))
        counts = [0] * 8
        for task in tasks:
            counts[task.state] += 1
        self._group_seq += 1
        draw = self._random.random()
        labels = {"team": self._random.choice(_TEAMS), "run": str(self._group_seq)} if draw < 0.5 else {}
        starts = [task.started_at for task in tasks if task.started_at]
        group = Group(
            id=id_,
            kind=kind,
            seq=self._group_seq,
            created_at=tasks[0].created_at,
            name=self._random.choice(_GROUP_NAMES) if draw < 0.8 else "",
            mode=JobMode.PARALLEL if job else None,
            counts=counts,
            definition=Definition(labels=labels),
            started_at=min(starts, default=0),
            finished_at=max(task.finished_at for task in tasks),
        )
        return group, tasks

    def _task(self, workflow: str, job: str, parents: tuple[str, ...], state: TaskState) -> Task:
        self._seq += 1
        pick = self._random.random()
        spec = Spec(
            id=self._uuid(),
            name=_NAMES[int(pick * 1e6) % len(_NAMES)],
            module=self._modules[int(pick * 1e7) % len(self._modules)],
            inputs=(self._seq, 1),
            env={"MODE": "fast", "INPUT": f"s3://bucket/{self._seq}"} if pick < 0.3 else None,
            workflow_id=workflow,
            job_id=job,
            depends_on=parents,
            pin="nobody" if state is SCHEDULED else "",
            metadata={"team": _TEAMS[self._seq % 8], "batch": self._seq // 1_000} if pick < 0.35 else None,
        )
        at = self.time_of(self._seq)
        task = Task(spec=spec, seq=self._seq, created_at=at, state=state, updated_at=at)
        if state in (COMPLETED, FAILED, INTERRUPTED):
            task.attempt = 2 if pick > 0.97 else 1
            task.proplet_id = self.proplets[self._seq % len(self.proplets)].id
            task.placed_at, task.started_at = at + 1_000_000, at + 2_000_000
            task.finished_at = at + 2_000_000 + int(pick * 3e9)
            task.updated_at = task.finished_at + 500_000
        elif state is SKIPPED:
            task.finished_at = task.updated_at = at + 4_000_000
        if state is COMPLETED:
            task.results = f"{self._seq + 1}\n"
        elif state is FAILED:
            task.failure = Failure("the guest trapped: unreachable", ErrorKind.TRAP)
        elif state is INTERRUPTED:
            task.reason = Stopped()
        return task


async def fill(
    store: Store, *, ended: int, live: int, now: int, note: Callable[[int], None] = lambda _done: None
) -> Filled:
    """Write so many tasks that have ended, up to a time in ns, and that wait; tell of each portion."""
    maker = _Maker(ended + live, now)
    await store.commit(Changes(modules=maker.modules, proplets=maker.proplets))
    singles: list[str] = []
    last: dict[str, str] = {}
    done, event = 0, 0
    for are_live, count in ((False, ended), (True, live)):
        for tasks, groups in maker.portions(count, are_live=are_live):
            done += len(tasks)
            is_told = done > ended - _TOLD
            told = [move for task in tasks for move in _story(task)] if is_told else []
            event += 0 if is_told else 3 * len(tasks)
            past = [(task, _first_attempt(task)) for task in tasks if task.attempt > 1]
            await store.commit(
                Changes(
                    created=tasks, groups=groups, attempts=past, transitions=told, first_event_id=event + 1
                )
            )
            event += len(told)
            await _beside(store, tasks, now)
            if not are_live:
                singles.append(next(task.id for task in tasks if not task.spec.group_id))
                last["recent"] = tasks[-1].id
                last |= {group.kind: group.id for group in groups if 100 <= group.size <= 1_000}
            note(done)
    return Filled(
        ended=ended,
        live=live,
        tasks=singles,
        recent=last["recent"],
        workflow=last["workflow"],
        job=last["job"],
        proplet=maker.proplets[3].id,
        middle=maker.time_of(ended // 2),
    )


def _story(task: Task) -> Iterator[Transition]:
    """Give the changes of state that led a task to where it is."""
    first = Transition(
        task_id=task.id,
        name=task.spec.name,
        state=SCHEDULED,
        at=task.created_at,
        workflow_id=task.spec.workflow_id,
        job_id=task.spec.job_id,
    )
    if task.state in (PENDING, SKIPPED):
        return
    yield first
    if task.state is SCHEDULED:
        return
    begun = msgspec.structs.replace(
        first, state=RUNNING, at=task.placed_at, attempt=task.attempt, proplet_id=task.proplet_id
    )
    yield begun
    yield msgspec.structs.replace(
        begun, state=task.state, at=task.finished_at, results=task.results, error=task.error
    )


def _first_attempt(task: Task) -> Execution:
    return Execution(
        proplet_id=task.proplet_id,
        attempt=1,
        state=FAILED,
        failure=Failure("the guest trapped: unreachable", ErrorKind.TRAP),
        started_at=task.started_at,
        finished_at=task.started_at + 1,
    )


async def _beside(store: Store, tasks: list[Task], now: int) -> None:
    """Write logs and samples of a few of these tasks."""
    few = [task for task in tasks[::100] if task.attempt]
    logs = [
        LogPiece(task.id, task.proplet_id, task.attempt, "stdout", 0, "done\n" * 20, is_cut=False, at=now)
        for task in few
    ]
    await store.write_logs(logs)
    usage = {
        **dict.fromkeys(("memory_percent", "disk_read_bytes", "disk_write_bytes", "uptime_seconds"), 0),
        "cpu_percent": 1.5,
        "memory_bytes": 4096,
        "thread_count": 2,
    }
    seen = {"metrics": usage, "timestamp": "2026-05-04T09:10:11.5Z"}
    samples = [{"task_id": task.id, "proplet_id": task.proplet_id, **seen} for task in few]
    await store.write_samples(
        [Sample(SampleOf.TASK, one["task_id"], msgspec.json.encode(one).decode()) for one in samples], now
    )
