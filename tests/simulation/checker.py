"""Checks the laws of the system, in words of its own: nothing here asks the code that it judges.

``Checker`` is told of every commit, of everything that leaves the manager, and of every guest that begins.
It keeps a shadow of what was committed, read back from the store's rows, and compares.
"""

from collections.abc import Iterable, Sequence

from propeller.core.effects import AskHello, Changes, Outgoing, SendAck, SendStart, SendStop, Transition
from propeller.core.events import (
    Command,
    CreateTasks,
    DeleteGroup,
    DeleteTask,
    RerunGroup,
    RunEnded,
    RunHandedBack,
    StartGroup,
    StartTask,
    StopGroup,
    StopTask,
    UpdateTask,
)
from propeller.core.model import Group, JobMode, Spec, Task
from propeller.core.names import attempt_of
from propeller.core.state import ClusterState
from propeller.core.states import TRANSITIONS, TaskState
from propeller.errors import PropellerError
from propeller.manager.engine import Ask, Input
from propeller.store import rows
from propeller.wire.fleet.from_manager import Start

from .boots_checker import BootsChecker
from .causes_checker import CausesChecker
from .conditions_checker import ConditionsChecker
from .fleet_checker import FleetChecker, holders
from .foreign_checker import ForeignChecker
from .groups_checker import GroupsChecker
from .hearing_checker import HearingChecker
from .inputs_checker import InputsChecker
from .loss_checker import LossChecker
from .members import Members
from .replay import Replay
from .resident_checker import ResidentChecker, uid_of
from .store import SimulatedStore
from .timing_checker import TimingChecker
from .turns import asked, changed, created_by, is_settled, named, outcome
from .view import View, go_on
from .world import LawBroken, World

PENDING, SCHEDULED, RUNNING, COMPLETED, FAILED, SKIPPED, _INTERRUPTED = TaskState
_STATES = len(TaskState)


class Checker:
    def __init__(self, world: World, store: SimulatedStore):
        self._world = world
        self._store = store
        #: All committed tasks by id, read back from their rows.
        self.tasks: dict[str, Task] = {}
        #: Their numbers, and the rows of ``runs`` from which they were read.
        self._ids: dict[str, int] = {}
        self._rows: dict[int, rows.Row] = {}
        #: All committed groups by id.
        self.groups: dict[str, Group] = {}
        self._members = Members()
        #: Where each committed attempt was placed, and when. A store that was restored from a backup may count
        #: to the same number again: the last time counts …
        self._placed: dict[tuple[str, int], dict[str, int]] = {}
        #: … but what was sent before may arrive.
        self._placed_ever: set[tuple[str, int, str]] = set()
        self._accepted: set[tuple[str, int]] = set()
        self._began: set[tuple[str, str, int, int]] = set()
        #: What guests said, by task and attempt, and when that was placed; 0 where they don't know.
        self._said: dict[tuple[str, int], set[tuple[int, str, str]]] = {}
        self.boots = BootsChecker(world)
        self.losses = LossChecker(self)
        self.fleet = FleetChecker(self, store)
        self.residents = ResidentChecker(self)
        self.hearing = HearingChecker(self, world)
        self.foreign = ForeignChecker(self)
        self.inputs = InputsChecker(self)
        self.conditions = ConditionsChecker(self)
        self.timing = TimingChecker(self, world, store)
        self.wholes = GroupsChecker(self)
        self.causes = CausesChecker(self, store)
        self.replay = Replay(store)
        #: In the present commit: the moves that placed a task, the last one of each …
        self._placements: dict[tuple[str, int], Transition] = {}
        #: … and the tasks for which nobody has to wait any longer.
        self._settled: set[str] = set()
        #: Words about tasks that stay, which change nothing that a group counts; by identity.
        self._words: set[int] = set()
        self._was_restored = False
        self._is_first_turn = True
        self._inputs: Sequence[Input] = ()
        self._turn: Changes | None = None
        #: The rows of the events that the world was told of, by the number of the last event in each.
        self._seen: dict[int, rows.Row] = {}

    # -- turns ---------------------------------------------------------------------------------------------

    def manager_started(self) -> None:
        """Check that all that was committed, and all that the world was told of, is still there."""
        self.boots.manager_started()
        self._is_first_turn = True
        self._check_durable()
        log = {row[0]: row for row in self._store.events}
        for event_id, row in self._seen.items():
            if log.get(event_id) != row:
                raise LawBroken("durable", f"event {event_id} was announced and is lost")
        self.hearing.manager_started()
        self.foreign.manager_started()

    def restored(self) -> None:
        """The store is what it was at a time before: what came after that time never was."""
        self._was_restored = True
        self.tasks = {task.id: task for task in map(self._store.seen, self._store.runs)}
        self._ids = {task.id: task.seq for task in self.tasks.values()}
        self._rows = {task.seq: self._store.runs[task.seq] for task in self.tasks.values()}
        self.groups = {group_id: self._store.group(group_id) for group_id in self._store.groups}
        self._members = Members(self.tasks.values())
        self._accepted.clear()
        self.fleet.restored()
        self.inputs.restored(self.tasks.values())
        self.timing.restored()
        last = self._store.last_event_id
        self.conditions.restored(last)
        self._seen = {number: row for number, row in self._seen.items() if number <= last}

    def turn_began(self, inputs: Sequence[Input]) -> None:
        self._inputs, self._turn = inputs, None
        self.foreign.turn_began(inputs)
        self.hearing.turn_began()
        self.timing.turn_began()
        self.boots.turn_began(inputs)

    def turn_ended(self, state: ClusterState) -> None:
        if self._turn is not None:
            self.wholes.turn_ended(state)
        self.replay.turn_ended(state, self._turn, is_first=self._is_first_turn)
        self._is_first_turn = False

    # -- commits -------------------------------------------------------------------------------------------

    def committed(self, changes: Changes, inputs: Sequence[Input]) -> None:
        self._turn = changes
        commands = asked(inputs)
        self.wholes.commit_begins(commands, self._members)
        touched = dict.fromkeys([task.spec.id for task in changed(changes)])
        before = {task_id: self.tasks[task_id] for task_id in touched if task_id in self.tasks}
        reused = created_by(commands)
        if reused:
            reused &= {task.id for task in changes.deleted} | named(commands, DeleteTask, "task_id")
        for group in changes.groups:
            self.groups[group.id] = self._store.group(group.id)
        self.causes.committed(changes, inputs, reused)
        self._check_moves(changes, commands, reused)
        for group in changes.deleted_groups:
            if group.id not in self._store.groups:
                self.groups.pop(group.id, None)
        for task in changes.deleted:
            self.tasks.pop(task.id, None)
            self._rows.pop(task.seq, None)
            self._ids.pop(task.id, None)
        for task_id in touched:
            seq = self._ids[task_id] = self._store.ids[task_id]
            self.tasks[task_id], self._rows[seq] = self._store.seen(seq), self._store.runs[seq]
        self._members.follow([self.tasks[task_id] for task_id in touched], changes.deleted)
        moved = {transition.task_id for transition in changes.transitions}
        self._check_unmoved(before, moved | reused, commands)
        self._check_children(self._settled - reused, {task.id for task in changes.created})
        self.wholes.committed(changes, commands)
        self._check_counts(changes.groups)
        self.boots.committed(changes)
        self.fleet.committed(changes, self._placements.values())
        self.hearing.committed(changes)
        self.foreign.committed(changes)
        self.timing.committed(changes)

    def _check_moves(self, changes: Changes, commands: Sequence[Command], reused: set[str]) -> None:
        """Replay the committed moves one by one over the shadow."""
        started = named(commands, StartTask, "task_id")
        started_groups = named(commands, StartGroup, "group_id")
        respecified = {task.id: task.spec for task in changes.respecified}
        self._placements = {}
        self._settled = set()
        self._words = set()
        if not changes.transitions:
            return
        view = View(self)
        view.gone = {task.id for task in changes.deleted}
        placed = {move.task_id for move in changes.transitions if move.state is RUNNING}
        for task in changes.created:
            if task.id not in reused:
                view.add(self._store.seen(task.seq), task.attempt - (task.id in placed))
        for number, move in enumerate(changes.transitions, start=changes.first_event_id):
            task_id = move.task_id
            if task_id in reused and move.state is RUNNING:  # it was placed last: this is the new one
                self._note_place(self._store.seen(self._store.ids[task_id]).spec, move)
                self._placements[task_id, move.attempt] = move
            task = view.tasks.get(task_id)
            if task is None or task_id in reused:
                continue  # created and deleted in one turn
            old = view.states[task_id]
            self.inputs.moved(task, old, move, view)
            if (old, move.state) == (RUNNING, RUNNING):
                self.residents.check_word(task, uid_of(task.spec), move, view)
                if move.is_up:
                    self.timing.came_up(task)
                if move.is_up and not view.was_up[task_id]:
                    view.was_up[task_id] = True
                    self._settled.add(task_id)
                else:
                    self._words.add(id(move))
                continue
            if move.state not in TRANSITIONS[old]:
                raise LawBroken(
                    "transitions", f"{task.id} went from {old.name} to {move.state.name}", task.id
                )
            is_started = task_id in started or task.spec.group_id in started_groups
            if old.has_ended and not (is_started or self.wholes.lets_run_again(task)):
                raise LawBroken("ended-stays", f"{task.id} left {old.name} and nobody started it", task.id)
            if old.has_ended:
                view.was_up[task_id] = False
            if move.state.has_ended and not view.was_up[task_id]:
                self._settled.add(task_id)
            self.timing.moved(task, old, move)
            view.states[task_id] = move.state
            specs = [task.spec, respecified[task_id]] if task_id in respecified else [task.spec]
            if move.state in (SCHEDULED, RUNNING):
                begins = old is PENDING or old.has_ended
                if begins or (view.keeps_its_condition(task) and not view.was_up[task_id]):
                    self.conditions.check_may_run(task, specs, view, may_fail=move.state is SCHEDULED)
                if move.state is RUNNING:
                    self._placements[task_id, move.attempt] = move
            self.conditions.moved(task, move, number, specs, view)
            self._check_attempt(task, old, move, view)

    def _check_attempt(self, task: Task, old: TaskState, move: Transition, view: View) -> None:
        uid, attempt = uid_of(task.spec), move.attempt
        if move.state is RUNNING:
            if attempt <= view.attempts[task.id]:
                raise LawBroken("one-attempt", f"attempt {attempt} of {task.id} was placed twice", task.id)
            view.attempts[task.id] = attempt
            self._note_place(task.spec, move)
        elif attempt != view.attempts[task.id]:
            raise LawBroken(
                "one-attempt", f"{task.id} moved with attempt {attempt}, which is not its own", task.id
            )
        if old is RUNNING and move.state in (COMPLETED, FAILED):
            if (uid, attempt) in self._accepted:
                raise LawBroken("one-result", f"attempt {attempt} of {task.id} ended twice", task.id)
            self._accepted.add((uid, attempt))
            if move.state is FAILED and not task.spec.broadcast:
                self.losses.ended(uid, move)
            if task.spec.broadcast:
                self.fleet.check_broadcast(task, move)
                return
            is_from_guest = move.state is COMPLETED or move.error.startswith("guest")
            said = (move.results or "", move.error)
            if is_from_guest and not self.has_said(uid, attempt, move.proplet_id, said):
                raise LawBroken("stale-attempt", f"attempt {attempt} of {task.id} never said {said}", task.id)

    def placed_also(self, task: Task, move: Transition) -> None:
        """Take in that a task that runs was given to one more proplet, as another attempt."""
        self._note_place(task.spec, move)
        self._placements[move.task_id, move.attempt] = move

    def _note_place(self, spec: Spec, move: Transition) -> None:
        uid, attempt = uid_of(spec), move.attempt
        places = self._placed[uid, attempt] = self.fleet.places(move, self._turn)
        self._placed_ever.update((uid, attempt, proplet_id) for proplet_id in places)

    def has_said(self, uid: str, attempt: int, proplet_id: str, said: tuple[str, str]) -> bool:
        """Say whether a guest of this attempt, placed there and then, ended so."""
        known = self._said.get((uid, attempt), ())
        return any((when, *said) in known for when in (0, self.placed_at(uid, attempt, proplet_id)))

    @property
    def tasks_run(self) -> int:
        """Tell how many different tasks were placed, ever."""
        return len({uid for uid, _ in self._placed})

    def placed_at(self, uid: str, attempt: int, proplet_id: str) -> int:
        """Name when the attempt that counts was placed there; 0 if none was."""
        return self._placed.get((uid, attempt), {}).get(proplet_id, 0)

    def _check_unmoved(self, before: dict[str, Task], moved: set[str], commands: Sequence[Command]) -> None:
        updated = named(commands, UpdateTask, "task_id")
        for task_id, old in before.items():
            new = self.tasks.get(task_id)
            if new is None or task_id in moved:
                continue
            if new.state is not old.state:
                raise LawBroken("transitions", f"{task_id} is {new.state.name} without a move", task_id)
            if old.state.has_ended and outcome(old) != outcome(new):
                raise LawBroken("ended-stays", f"{task_id} had ended and was changed", task_id)
            if old.spec != new.spec and task_id not in updated:
                raise LawBroken("ended-stays", f"{task_id} is another task now", task_id)

    def _check_children(self, settled: set[str], created: set[str]) -> None:
        """Check that whoever waited for what ended or came up was started or skipped in the same commit."""
        for task_id in settled:
            task = self.tasks.get(task_id)
            if task is None or not is_settled(task):
                continue
            for child in self._members.get(task.spec.group_id, ()):
                if child.state is not PENDING or child.id in created:
                    continue
                waits_for = self.conditions.predecessors(child, self._members)
                if task in waits_for and all(is_settled(other) for other in waits_for):
                    raise LawBroken(
                        "children-follow", f"{task_id} ended or is up, and {child.id} was left", child.id
                    )

    def _check_counts(self, groups: Iterable[Group]) -> None:
        for group in groups:
            counts = [0] * (_STATES + 1)
            for task in self._members.get(group.id, ()):
                counts[task.state] += 1
                counts[-1] += task.was_up and not task.state.has_ended
            stored = self.groups[group.id]
            if stored.counts != counts:
                text = f"group {group.id} says {stored.counts}, and its tasks are {counts}"
                raise LawBroken("counts", text)
            began, ended = self._times_of_members(group.id)
            if (stored.started_at, stored.finished_at) != (began, ended):
                text = f"group {group.id} says {stored.started_at} to {stored.finished_at}"
                raise LawBroken("times", f"{text}, and its tasks ran from {began} to {ended}")
        if self._turn is not None:
            self._check_groups_of_moves(self._turn)

    def _times_of_members(self, group_id: str) -> tuple[int, int]:
        """Name when the first of its tasks began, and when the last so far ended."""
        members = self._members.get(group_id, ())
        began = [task.started_at for task in members if task.started_at]
        return min(began, default=0), max((task.finished_at for task in members), default=0)

    def _check_groups_of_moves(self, changes: Changes) -> None:
        told = {group.id for group in changes.groups} | {group.id for group in changes.deleted_groups}
        for move in changes.transitions:
            group_id = move.workflow_id or move.job_id
            if group_id and group_id not in told and id(move) not in self._words:
                raise LawBroken(
                    "counts", f"{move.task_id} moved; group {group_id} did not hear of it", move.task_id
                )

    def members_of(self, group_id: str) -> list[Task]:
        return self._members.of(group_id)

    # -- what leaves the manager ---------------------------------------------------------------------------

    def sent(self, effect: Outgoing) -> None:
        """Check that a message says nothing that is not in the store."""
        if isinstance(effect, SendStart):
            where = self._placed.get((uid_of(effect.spec), effect.attempt), ())
            if effect.proplet_id not in where:
                text = f"attempt {effect.attempt} of {effect.spec.id} was sent and not committed"
                raise LawBroken("commit-first", text, effect.spec.id)
            return
        if isinstance(effect, AskHello):
            return
        task = self.tasks.get(effect.task_id)
        if task is None or (task.state, task.attempt) != (RUNNING, effect.attempt):
            return
        if effect.proplet_id in holders(task) and not self._is_of_namesake(effect, task):
            raise LawBroken("commit-first", f"{effect} while this attempt of {task.id} runs", task.id)

    def _is_of_namesake(self, effect: SendStop | SendAck, task: Task) -> bool:
        """Say whether a message is about an attempt of the same number that was placed before a restore.

        A proplet that is told to stop it says of the new one that it is past it. One that is answered has reported
        the end of the old one in this turn, and not necessarily in that in which the new one was placed.
        """
        if isinstance(effect, SendStop):
            return self._was_restored
        this = effect.proplet_id, effect.task_id, effect.attempt
        placed_at = self.placed_at(uid_of(task.spec), effect.attempt, effect.proplet_id)
        return any(
            (item.proplet_id, item.task_id, item.attempt) == this and item.placed_at != placed_at
            for item in self._inputs
            if isinstance(item, RunEnded | RunHandedBack)
        )

    def announced(self, first_event_id: int, transitions: list[Transition]) -> None:
        self._check_durable()
        told = rows.event_row(first_event_id, transitions, 0)
        if self._store.events[-1:] != [told]:
            text = f"event {first_event_id} is not in the store as it is announced"
            raise LawBroken("commit-first", text, transitions[0].task_id)
        self._seen[told[0]] = told

    def _check_durable(self) -> None:
        """Check that all rows that were committed are there as they were."""
        ids, runs = self._store.ids, self._store.runs
        if self._ids == ids and self._rows == runs:
            return
        for task_id, seq in self._ids.items():
            if ids.get(task_id) != seq or runs.get(seq) != self._rows[seq]:
                text = f"{task_id} was committed as {self.tasks[task_id].state.name} and is lost"
                raise LawBroken("durable", text, task_id)

    def answered(self, ask: Ask, outcome: list[Task] | PropellerError) -> None:
        """Check that what a user is told to have happened is in the store."""
        if isinstance(outcome, PropellerError):
            return
        moves = self._turn.transitions if self._turn is not None else ()
        match ask.command:
            case CreateTasks():
                commands = asked(self._inputs)
                gone = named(commands, DeleteTask, "task_id")
                gone_groups = named(commands, DeleteGroup, "group_id")
                for task in outcome:
                    known = self.tasks.get(task.id)
                    is_gone = task.id in gone or task.spec.group_id in gone_groups
                    is_there = known is not None and uid_of(known.spec) == uid_of(task.spec)
                    if not is_there and not is_gone:
                        raise LawBroken("commit-first", f"{task.id} was answered and not committed", task.id)
            case StartTask(task_id) if not any(
                move.task_id == task_id and move.state is SCHEDULED for move in moves
            ):
                raise LawBroken("commit-first", f"{task_id} was answered to run, not committed", task_id)
            case StopTask(task_id) if go_on([self.tasks.get(task_id)], self._turn):
                raise LawBroken("commit-first", f"the stop of {task_id} was answered, not committed", task_id)
            case StartGroup(group_id=name) if not moves:
                raise LawBroken("commit-first", f"the start of {name} was answered, not committed")
            case RerunGroup(group_id=name):
                self.wholes.reran(name, {(move.task_id, move.state) for move in moves})
            case StopGroup(group_id=name) if go_on(self._members.get(name, ()), self._turn):
                raise LawBroken("commit-first", f"the stop of {name} was answered, not committed")

    # -- guests --------------------------------------------------------------------------------------------

    def guest_began(self, proplet_id: str, boot: int, start: Start) -> None:
        uid, attempt = start.env["UID"], start.attempt
        if (uid, attempt, proplet_id) not in self._placed_ever:
            raise LawBroken(
                "commit-first", f"attempt {attempt} of {start.id} runs and is not committed", start.id
            )
        run = (f"{proplet_id}-{boot}", uid, attempt, start.placed_at)
        if run in self._began:
            text = f"attempt {attempt} of {start.id} was run twice by {proplet_id} in one life"
            raise LawBroken("one-run", text, start.id)
        self._began.add(run)
        task = self.tasks.get(start.id)
        is_current = task is not None and (task.state, task.attempt) == (RUNNING, attempt)
        is_of_now = self._placed.get((uid, attempt), {}).get(proplet_id) == start.placed_at
        if task is None or not is_current or uid_of(task.spec) != uid or not is_of_now:
            return  # a stale attempt: its end changes nothing
        view = View(self)
        if view.keeps_its_condition(task) and not task.was_up:
            self.conditions.check_may_run(task, [task.spec], view)
        self.inputs.guest_began(task, start)

    def guest_crashed(self, proplet_id: str, boot: int, start: Start) -> None:
        """Take note that a daemon may be started anew: once for each crash."""
        self._began.discard((f"{proplet_id}-{boot}", start.env["UID"], start.attempt, start.placed_at))

    def foreign_guest_began(self, proplet_id: str, start: Start, results: str, error: str) -> None:
        """Take note of what it will say; a start may reach it late, and it can't know that."""
        self.foreign.began(proplet_id, start)
        _, attempt = attempt_of(start.id)
        self._said.setdefault((start.env["UID"], attempt), set()).add((0, results, error))

    def guest_will_say(self, start: Start, results: str, error: str) -> None:
        said = self._said.setdefault((start.env["UID"], start.attempt), set())
        said.add((start.placed_at, results, error))

    # -- the shadow ----------------------------------------------------------------------------------------

    def is_sequential(self, task: Task) -> bool:
        """Say whether a task is of a sequential job."""
        group = self.groups.get(task.spec.group_id)
        return group is not None and group.mode is JobMode.SEQUENTIAL

    def before(self, task: Task, members: Iterable[Task]) -> Task | None:
        """Name the task before this one in a sequential job."""
        if not self.is_sequential(task):
            return None
        return max(
            (other for other in members if other.seq < task.seq), key=lambda other: other.seq, default=None
        )
