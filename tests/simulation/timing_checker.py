"""Checks the laws of retries and times: how often, how soon and until when a task is tried, in words of its own."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec

from propeller.core.effects import Changes, Transition
from propeller.core.failures import ErrorKind
from propeller.core.model import Group, Task
from propeller.core.states import TaskState

from .resident_checker import uid_of
from .store import SimulatedStore
from .world import MS, LawBroken, S, World

if TYPE_CHECKING:
    from .checker import Checker

PENDING, SCHEDULED, RUNNING, _, FAILED, *_ = TaskState
#: A commit comes so much later than the turn that it is of.
COMMIT_NS = 50 * MS
#: What a task fails with that waited for too long.
NO_PROPLET = "queue_timeout: no proplet took the task"
#: Within so long a manager that is awake and connected does what is due.
ACTS_WITHIN_NS = 3 * S


class _Begun(msgspec.Struct):
    """When the time of a group began to count, as far as commits tell: one turn may end it and begin it anew."""

    earliest: int
    latest: int
    #: True while it is not known whether the group has ended since.
    is_unsure: bool = False


class _Moves(msgspec.Struct):
    """What a commit does to the tasks of one group."""

    #: True if one began.
    begins: bool = False
    #: Those that had not ended before it, and ended.
    ended: set[str] = msgspec.field(default_factory=set)
    #: Those that it has moved already.
    seen: set[str] = msgspec.field(default_factory=set)


class TimingChecker:
    def __init__(self, checker: "Checker", world: World, store: SimulatedStore):
        self._checker = checker
        self._world = world
        self._store = store
        #: The attempts that were placed, by uid and ``seq``: a user whose answer was lost may ask again for a task
        #: that was deleted meanwhile.
        self._placed: dict[tuple[str, int], set[int]] = {}
        #: For how long the manager has been there without a break, and which of its lives it is.
        self.presence: Callable[[], int] = lambda: 0
        self.life: Callable[[], int] = lambda: 0
        #: By uid: how many attempts have failed since the task was started, …
        self._tries: dict[str, int] = {}
        #: … when and in which life of the manager the last one failed, …
        self._failed: dict[str, tuple[int, int]] = {}
        #: … when and in which life its run began, and when it was queued last.
        self._begun: dict[str, tuple[int, int]] = {}
        self._queued: dict[str, int] = {}
        #: As ``_queued``, by the turn, with the life of the manager; until it ends.
        self._since: dict[str, tuple[int, int]] = {}
        #: Of the groups that have a time: when it began to count, how many had not ended, and present moves.
        self._groups: dict[str, _Begun] = {}
        self._live: dict[str, int] = {}
        self._moves: defaultdict[str, _Moves] = defaultdict(_Moves)
        #: The tasks that have a deadline or may wait only so long, by id.
        self._timed: set[str] = set()
        #: In which life of the manager each of them began to run, since it last ended.
        self._lives: dict[str, int] = {}
        #: When the present turn began: what it decides counts from there, however long its commit takes.
        self._turn_at = 0
        self._was_restored = False

    def turn_began(self) -> None:
        self._turn_at = self._world.now

    def restored(self) -> None:
        self._was_restored = True
        self._timed = {task.id for task in self._checker.tasks.values() if _is_timed(task)}
        for known in (self._tries, self._failed, self._begun, self._queued, self._groups):
            known.clear()
        self._live.clear()

    def came_up(self, task: Task) -> None:
        """Take in that a task is up: one that crashes later has all of its tries again."""
        self._tries.pop(uid_of(task.spec), None)

    def moved(self, task: Task, old: TaskState, move: Transition) -> None:
        """Take in one move of a task, in the order of the commit."""
        uid, now, retry = uid_of(task.spec), self._world.now, task.spec.retry
        if task.spec.group_id:
            self._note_move(task, old, move.state)
        if move.state is SCHEDULED and (old is PENDING or old.has_ended):
            self._begun[uid] = self._turn_at, self.life()
            self._tries.pop(uid, None)
        if move.state is SCHEDULED:
            self._queued[uid] = now
            self._since[uid] = self._turn_at, self.life()
        elif move.state is not RUNNING or old is SCHEDULED:
            self._queued.pop(uid, None)
        has_failed = f"attempt {move.attempt} failed: " in move.reason
        if (old, move.state) == (RUNNING, SCHEDULED) and has_failed:
            self._queued.pop(uid, None)
            self._tries[uid] = self._tries.get(uid, 0) + 1
            self._failed[uid] = now, self.life()
            most = retry.max_attempts if retry else 1
            if self._tries[uid] >= most and not self._was_restored:
                raise LawBroken(
                    "tries", f"{task.id} is tried again after {self._tries[uid]} of {most}", task.id
                )
        if move.state is RUNNING:
            self._placed.setdefault((uid, task.seq), set()).add(move.attempt)
        if move.state is RUNNING and retry is not None and uid in self._failed:
            failed_at, life = self._failed.pop(uid)
            tries = self._tries.get(uid, 0)
            least = min(retry.delay_ns * retry.backoff ** (tries - 1), retry.max_delay_ns) * (
                1 - retry.jitter
            )
            if life == self.life() and tries and now < failed_at + least - COMMIT_NS:
                raise LawBroken(
                    "delay", f"{task.id} was tried again after {(now - failed_at) / S} s", task.id
                )
        if move.state.has_ended:
            self._check_end(task, old, move, uid)

    def _note_move(self, task: Task, old: TaskState, new: TaskState) -> None:
        moves = self._moves[task.spec.group_id]
        moves.begins |= new is SCHEDULED and (old is PENDING or old.has_ended)
        if new.has_ended and not old.has_ended and task.id not in moves.seen:
            moves.ended.add(task.id)
        if old.has_ended:
            moves.seen.add(task.id)

    def _check_end(self, task: Task, old: TaskState, move: Transition, uid: str) -> None:
        retry, tries = task.spec.retry, self._tries.pop(uid, 0)
        self._failed.pop(uid, None)
        begun_at, life = self._begun.pop(uid, (0, -1))
        self._check_queue(task, move, uid)
        is_guests = old is RUNNING and move.state is FAILED and move.error.startswith("guest")
        if retry and is_guests and not task.spec.broadcast and not self._was_restored:
            is_covered = not retry.on or ErrorKind.OTHER in retry.on
            if is_covered and tries + 1 < retry.max_attempts:
                raise LawBroken("tries", f"{task.id} failed after {tries + 1} attempts", task.id)
        if move.error_kind is ErrorKind.DEADLINE and life == self.life() and task.spec.deadline_ns:
            is_of_group = move.error.startswith("timeout: ")
            if not is_of_group and self._world.now < begun_at + task.spec.deadline_ns - COMMIT_NS:
                raise LawBroken("deadline", f"{task.id} missed a deadline that is still to come", task.id)

    def _check_queue(self, task: Task, move: Transition, uid: str) -> None:
        """Check that nobody leaves the queue before its time is over."""
        queued_at = self._since.pop(uid, None)
        if NO_PROPLET not in move.error or queued_at is None or self._was_restored:
            return
        at, life = queued_at
        if life == self.life() and self._world.now < at + task.spec.queue_timeout_ns - COMMIT_NS:
            raise LawBroken("queue-time", f"{task.id} left the queue, and has time left", task.id)

    def is_skip_by_time(self, task: Task, move: Transition) -> bool:
        """Say whether a task was skipped because the time of its group is over, which it has to be then."""
        if "had not ended within" not in move.reason:
            return False
        group = self._checker.groups.get(task.spec.group_id)
        begun = self._groups.get(task.spec.group_id)
        begun_at = begun.earliest if begun is not None else 0
        life = self._lives.get(task.spec.group_id, -1)
        is_too_early = (
            group is not None and self._world.now < begun_at + group.definition.timeout_ns - COMMIT_NS
        )
        if is_too_early and life == self.life() and not self._was_restored:
            raise LawBroken("group-time", f"{task.id} was skipped, and its group has time left", task.id)
        return True

    def committed(self, changes: Changes) -> None:
        tasks = self._checker.tasks
        for move in changes.transitions:
            task = tasks.get(move.task_id)
            if task is None or task.spec.broadcast:
                continue
            if move.state is RUNNING:
                self._check_kept(task)
            elif move.state is task.state and task.started_at and task.finished_at:
                self._check_run(task)
        self._follow_groups(changes)
        for new in (*changes.created, *changes.respecified):
            if new.id in tasks and _is_timed(tasks[new.id]):
                self._timed.add(new.id)
        self._timed &= tasks.keys()
        self._check_overdue([tasks[task_id] for task_id in sorted(self._timed)])

    @staticmethod
    def _check_run(task: Task) -> None:
        """Check that a run began after it was placed and before it ended, whatever the clocks say."""
        if not task.placed_at <= task.started_at <= task.finished_at:
            text = f"{task.id} was placed at {task.placed_at}, and ran from {task.started_at}"
            raise LawBroken("run-times", f"{text} to {task.finished_at}", task.id)

    def _check_kept(self, task: Task) -> None:
        """Check that no attempt of this task is forgotten, now that it has the next one."""
        if self._was_restored or self._checker.tasks[task.id].attempt < 2:
            return
        kept = {number for number, _ in self._store.attempts.get(task.seq, ())}
        if (
            missing := self._placed.get((uid_of(task.spec), task.seq), set())
            - kept
            - {self._checker.tasks[task.id].attempt}
        ):
            raise LawBroken(
                "attempts-kept", f"attempts {sorted(missing)} of {task.id} are forgotten", task.id
            )

    def _follow_groups(self, changes: Changes) -> None:
        for record in changes.groups:
            group = self._checker.groups.get(record.id)
            if group is None or not group.definition.timeout_ns:
                continue
            is_under_way = sum(group.counts[SCHEDULED : RUNNING + 1]) > group.counts[-1]
            live, moves = sum(group.counts[:3]), self._moves[group.id]
            # All that had not ended did, maybe before another was added or began: the group ended in between.
            may_have_ended = len(moves.ended) >= self._live.get(group.id, 0)
            if is_under_way or (live and moves.begins):
                at = self._turn_at
                begun = self._groups.setdefault(group.id, _Begun(at, at))
                self._lives.setdefault(group.id, self.life())
                if moves.begins and (may_have_ended or begun.is_unsure):
                    begun.latest = at
                begun.is_unsure = not is_under_way
            elif not live or self._is_over(group):
                self._groups.pop(group.id, None)
            elif may_have_ended and group.id in self._groups:
                self._groups[group.id].is_unsure = True
            if not live:
                self._lives.pop(group.id, None)
            self._live[group.id] = live
        self._moves.clear()
        for record in changes.deleted_groups:
            self._groups.pop(record.id, None)
            self._live.pop(record.id, None)

    def _is_over(self, group: Group) -> bool:
        """Say whether the time of a group passed while only what stays up was left: it begins anew then."""
        begun = self._groups.get(group.id)
        return begun is not None and self._world.now - begun.latest >= group.definition.timeout_ns

    def _check_overdue(self, tasks: Iterable[Task]) -> None:
        now, present = self._world.now, self.presence()
        for group_id, begun in self._groups.items():
            group = self._checker.groups.get(group_id)
            if group is None:
                continue
            most = group.definition.timeout_ns + ACTS_WITHIN_NS
            is_under_way = sum(group.counts[SCHEDULED : RUNNING + 1]) > group.counts[-1]
            if is_under_way and now - begun.latest > most and present > most:
                raise LawBroken("group-time", f"{group_id} goes on, and its time is over")
        for task in tasks:
            spec = task.spec
            if task.state not in (SCHEDULED, RUNNING) or task.was_up:
                continue
            uid = uid_of(spec)
            for what, since, most in (
                ("deadline", self._begun.get(uid, (now, 0))[0], spec.deadline_ns),
                ("queue timeout", self._queued.get(uid, now), spec.queue_timeout_ns),
            ):
                is_over = most and now - since > most + ACTS_WITHIN_NS and present > most + ACTS_WITHIN_NS
                if is_over and not (what == "queue timeout" and task.state is RUNNING):
                    raise LawBroken("deadline", f"{task.id} goes on, and its {what} is over", task.id)


def _is_timed(task: Task) -> bool:
    return bool(task.spec.deadline_ns or task.spec.queue_timeout_ns)
