"""A course of random changes, as a manager makes them, to be played to any store.

The course is drawn before it is played, so that every store gets the same.
"""

import copy
import random
from collections.abc import Callable
from typing import Any, NamedTuple

from propeller.core.calendar import ScheduleState
from propeller.core.effects import Changes
from propeller.core.failures import ErrorKind, Failure
from propeller.core.idempotency import Key, Remembered
from propeller.core.model import Definition, Execution, Group, GroupKind, JobMode, Proplet, Task, Timing
from propeller.core.reasons import Note
from propeller.core.states import COMPLETED, FAILED, PENDING, RUNNING, TaskState
from propeller.store.port import Invocation, KeptAnswer, LogPiece, PaceStep, Sample, SampleOf
from propeller.store.secrets import SecretUse, StoredSecret
from tests.builders import TEXT, a_group, a_move, a_task, module_of

#: All tasks and groups have one of these ids, so that ids come again once they are free.
TASKS = [f"t{number}" for number in range(1, 13)]
GROUPS = {"w1": GroupKind.WORKFLOW, "w2": GroupKind.WORKFLOW, "j1": GroupKind.JOB, "j2": GroupKind.JOB}
PROPLETS = ["p-1", "p-2", "ü"]
KEYS = ["k1", "k2", TEXT]
MODULES = [b"one", b"two" * 100]
SECRETS = ["KEY", "PASSWORD"]
NAMES = ["", "main", "Größe", TEXT]
RESULTS = [None, TEXT, 1.5, b"\xff\x00", {"a": [TEXT, None]}, ""]
METADATA = [None, {}, {"team": "ops"}, {"team": TEXT, "n": 5}, {"on": True, "deep": {"a": [1]}}]


class Step(NamedTuple):
    """One write: the operation of the store, and what it is given."""

    operation: str
    given: tuple[Any, ...]


class Course:
    """Draws steps; it knows what is there, so that each step is one that a manager could make."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._now = 0
        self._tasks: dict[str, Task] = {}
        self._groups: dict[str, Group] = {}
        self._proplets: dict[str, Proplet] = {}
        self._last_seq = self._last_group_seq = self._last_event = 0
        self._logged = 0

    def steps(self, count: int) -> list[Step]:
        return [self._step() for _ in range(count)]

    def _step(self) -> Step:
        self._now += self._rng.randrange(1, 3_000_000)
        kind = self._rng.choices(["commit", "beside"], [3, 1])[0]
        if kind == "commit" or not self._tasks:
            return Step("commit", (copy.deepcopy(self._commit()),))
        make: Callable[[], Step] = self._rng.choice(
            [
                self._samples,
                self._logs,
                self._invocations,
                self._pace,
                self._answer,
                self._close,
                self._secret,
                self._no_secret,
                self._uses,
            ]
        )
        return make()

    # -- commits -------------------------------------------------------------------------------------------

    def _commit(self) -> Changes:
        changes = Changes()
        draw: list[Callable[[Changes], None]] = [
            self._create,
            self._create,
            self._move,
            self._move,
            self._move,
            self._respecify,
            self._try_again,
            self._spread,
            self._delete,
            self._see,
            self._remember,
        ]
        for one in self._rng.sample(draw, self._rng.randint(1, 3)):
            one(changes)
        if changes.transitions:
            changes.first_event_id = self._last_event + 1
            self._last_event += len(changes.transitions)
        changes.groups = [group for group in self._groups.values() if self._recount(group)]
        return changes

    def _create(self, changes: Changes) -> None:
        rng = self._rng
        free = [name for name in TASKS if name not in self._tasks and name not in _ids(changes.deleted)]
        missing = [name for name in GROUPS if name not in self._groups]
        group_id = rng.choice(["", *GROUPS])
        if group_id in missing:
            self._last_group_seq += 1
            self._groups[group_id] = a_group(
                group_id,
                GROUPS[group_id],
                self._last_group_seq,
                created_at=self._now,
                name=rng.choice(NAMES),
                mode=rng.choice([None, *JobMode]) if GROUPS[group_id] is GroupKind.JOB else None,
                definition=Definition(labels=rng.choice([{}, {"team": TEXT}, {"team": "ops", "": ""}])),
                counts=[0] * 8,
            )
        where = {f"{GROUPS[group_id]}_id": group_id} if group_id else {}
        for name in rng.sample(free, min(len(free), rng.randint(1, 3))):
            data = rng.choice([None, *MODULES])
            module = None if data is None else module_of(data)
            if data is not None and module is not None:
                changes.modules = {**changes.modules, module: data}
            self._last_seq += 1
            self._tasks[name] = task = a_task(
                self._last_seq,
                task_id=name,
                created_at=self._now,
                name=rng.choice(NAMES),
                metadata=rng.choice(METADATA),
                broadcast=rng.random() < 0.3,
                module=module,
                env=rng.choice([None, {"A": TEXT}]),
                timing=Timing(schedule=ScheduleState(next_run=self._now)) if rng.random() < 0.1 else None,
                **where,
            )
            changes.created = [*changes.created, task]

    def _move(self, changes: Changes) -> None:
        rng = self._rng
        task = self._some_task()
        if task is None:
            return
        task.state = rng.choice(list(TaskState))
        task.updated_at = self._now
        if task.state is RUNNING:
            task.attempt += 1
            task.proplet_id = rng.choice(PROPLETS)
            task.placed_at = task.started_at = self._now
        task.finished_at = self._now if task.state.has_ended else 0
        task.results = rng.choice(RESULTS)
        task.failure = Failure(TEXT, rng.choice(list(ErrorKind)), 3) if task.state is FAILED else None
        task.reason = Note(TEXT) if task.state is PENDING else None
        task.is_up = task.state is RUNNING and rng.random() < 0.2
        if task not in changes.created and task not in changes.updated:
            changes.updated = [*changes.updated, task]
        move = a_move(
            task.id,
            task.state,
            at=self._now,
            workflow_id=task.spec.workflow_id,
            job_id=task.spec.job_id,
            proplet_id=task.proplet_id,
        )
        changes.transitions = [*changes.transitions, move]

    def _respecify(self, changes: Changes) -> None:
        task = self._some_task()
        if task is not None and task not in changes.created:
            fields = {"metadata": self._rng.choice(METADATA), "name": self._rng.choice(NAMES)}
            task.spec = _replaced(task.spec, fields)
            changes.respecified = [*changes.respecified, task]

    def _try_again(self, changes: Changes) -> None:
        task = self._some_task()
        if task is not None and task.attempt:
            past = self._execution(task.proplet_id or "p-1", task.attempt)
            if not any(one.seq == task.seq for one, _ in changes.attempts):
                changes.attempts = [*changes.attempts, (task, past)]

    def _spread(self, changes: Changes) -> None:
        task = next((one for one in self._tasks.values() if one.spec.broadcast), None)
        if task is None:
            return
        if self._rng.random() < 0.5:
            changes.replaced = [task]
        names = self._rng.sample(PROPLETS, self._rng.randint(1, 2))
        changes.executions = [(task, self._execution(name, self._rng.randint(1, 9))) for name in names]

    def _delete(self, changes: Changes) -> None:
        named = {*_ids(changes.created), *_ids(changes.updated), *_ids(changes.respecified)}
        named |= {task.id for task, _ in (*changes.attempts, *changes.executions)}
        named |= {task.id for task in changes.replaced}
        rest = [name for name in self._groups if not named & set(self._members(name))]
        gone: list[str] = []
        if rest and self._rng.random() < 0.5:
            group = self._groups.pop(self._rng.choice(rest))
            gone = self._members(group.id)
            changes.deleted_groups = [group]
        else:
            gone = [name for name in self._tasks if name not in named][:1]
        changes.deleted = [self._tasks.pop(name) for name in gone]
        changes.past_attempts = {task.id: task.attempt for task in changes.deleted if task.attempt}

    def _see(self, changes: Changes) -> None:
        name = self._rng.choice(PROPLETS)
        if name in self._proplets and self._rng.random() < 0.3:
            changes.deleted_proplets = [self._proplets.pop(name)]
            return
        known = self._proplets.setdefault(name, Proplet(id=name, name="", created_at=self._now))
        known.name, known.boot = self._rng.choice(NAMES), self._now
        known.is_cordoned = self._rng.random() < 0.5
        known.metadata = self._rng.choice([{}, {"os": TEXT}])
        changes.proplets = [known]

    def _remember(self, changes: Changes) -> None:
        key = Key(self._rng.choice(KEYS), self._rng.choice([b"", b"\x00f"]))
        changes.remembered = [Remembered(key, self._now, tuple(_ids(changes.created)))]

    # -- what is written beside ------------------------------------------------------------------------------

    def _samples(self) -> Step:
        of = self._rng.choice(list(SampleOf))
        owners = [*self._tasks, "ghost"] if of is SampleOf.TASK else [*self._proplets, "ghost"]
        samples = [Sample(of, self._rng.choice(owners), f'{{"n":{self._now + n}}}') for n in range(3)]
        return Step("write_samples", (samples, self._now))

    def _logs(self) -> Step:
        pieces = []
        for _ in range(self._rng.randint(1, 4)):
            task = self._rng.choice(list(self._tasks.values()))
            attempt = self._rng.choice([0, 1, max(task.attempt, 1)])
            self._logged += 1
            at = self._rng.choice([self._logged, self._logged - 1])
            text = self._rng.choice(["one\n", "no end", TEXT, "a\nb\nc"])
            stream = self._rng.choice(["stdout", "stderr"])
            pieces.append(LogPiece(task.id, self._rng.choice(PROPLETS), attempt, stream, at, text, False, 1))
        return Step("write_logs", (pieces,))

    def _invocations(self) -> Step:
        found = [
            Invocation(self._rng.choice([*self._tasks, "ghost"]), f"i{self._now + n}", f'{{"n":{n}}}', n > 0)
            for n in range(2)
        ]
        return Step("write_invocations", (found,))

    def _close(self) -> Step:
        return Step("close_invocations", (TEXT,))

    def _pace(self) -> Step:
        return Step("write_pace", ([PaceStep(self._now, *(self._rng.randrange(9) for _ in range(6)))], 5))

    def _answer(self) -> Step:
        key = Key(self._rng.choice(KEYS), self._rng.choice([b"", b"\x00f"]))
        return Step("write_answer", (key, KeptAnswer(201, self._rng.choice([None, "/t"]), b"\x00a")))

    def _secret(self) -> Step:
        name = self._rng.choice(SECRETS)
        secret = StoredSecret("default", name, self._now, self._now, TEXT, "k1", b"\x00w", b"\xffb")
        return Step("write_secret", (secret,))

    def _no_secret(self) -> Step:
        return Step("delete_secret", ("default", self._rng.choice(SECRETS), self._now))

    def _uses(self) -> Step:
        uses = [SecretUse("default", self._rng.choice(SECRETS), n, TEXT, n, "ü", self._now) for n in (1, 2)]
        return Step("write_secret_uses", (uses,))

    # -- helpers ---------------------------------------------------------------------------------------------

    def _some_task(self) -> Task | None:
        return self._rng.choice(list(self._tasks.values())) if self._tasks else None

    def _execution(self, proplet_id: str, attempt: int) -> Execution:
        return Execution(
            proplet_id=proplet_id,
            attempt=attempt,
            state=self._rng.choice([RUNNING, COMPLETED, FAILED]),
            results=self._rng.choice(RESULTS),
            failure=self._rng.choice([None, Failure(TEXT)]),
            started_at=self._now,
        )

    def _members(self, group_id: str) -> list[str]:
        return [task.id for task in self._tasks.values() if task.spec.group_id == group_id]

    def _recount(self, group: Group) -> bool:
        """Count its tasks anew; say whether that changed anything."""
        before = (group.counts, group.started_at, group.finished_at)
        members = [self._tasks[name] for name in self._members(group.id)]
        counts = [0] * 8
        for task in members:
            counts[task.state] += 1
        group.counts = counts
        group.started_at = min((task.started_at for task in members if task.started_at), default=0)
        group.finished_at = max((task.finished_at for task in members), default=0)
        return group.created_at == self._now or before != (counts, group.started_at, group.finished_at)


def _ids(tasks: list[Task]) -> list[str]:
    return [task.id for task in tasks]


def _replaced(spec: Any, fields: dict[str, Any]) -> Any:
    return type(spec)(**{name: getattr(spec, name) for name in spec.__struct_fields__} | fields)
