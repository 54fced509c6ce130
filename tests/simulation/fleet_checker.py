"""Checks the laws of a fleet: where tasks may go, and how a broadcast follows from its executions."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from propeller.core.effects import Changes, Transition
from propeller.core.failures import ErrorKind
from propeller.core.model import Proplet, Task
from propeller.core.states import COMPLETED, FAILED, INTERRUPTED, RUNNING, SCHEDULED
from propeller.store import rows

from .store import SimulatedStore
from .world import LawBroken

if TYPE_CHECKING:
    from .checker import Checker


#: What a reason says of that.
COMPILES = "compiles its module"
NO_MODULE = "the manager has no module"


def holders(task: Task) -> list[str]:
    """Name the proplets on which it runs, as the store has it."""
    if task.spec.broadcast:
        return [one.proplet_id for one in task.executions.values() if one.state is RUNNING]
    return [task.proplet_id]


class FleetChecker:
    def __init__(self, checker: "Checker", store: SimulatedStore):
        self._checker = checker
        self._store = store
        #: Executions that have ended: they change no more.
        self._ended: dict[tuple[str, int, str], rows.Row] = {}
        #: Task and attempt of which a proplet has said that it compiles the module first.
        self.compiling: set[tuple[str, int]] = set()
        #: The modules that users have given.
        self._given: set[str] = set()
        self._was_restored = False

    def restored(self) -> None:
        """What has ended since the backup may end otherwise."""
        self._ended.clear()
        self._was_restored = True

    def places(self, move: Transition, changes: Changes | None) -> dict[str, int]:
        """Name the proplets to which a commit gave an attempt, and when."""
        assert changes is not None
        found = {
            one.proplet_id: one.started_at
            for task, one in changes.executions
            if (task.id, one.attempt) == (move.task_id, move.attempt)
        }
        return found or {move.proplet_id: self._store.seen(self._store.ids[move.task_id]).placed_at}

    def committed(self, changes: Changes, placements: Iterable[Transition]) -> None:
        self._given.update(module.digest for module in changes.modules)
        for told in changes.transitions:
            self._check_module(told)
            runs = told.state is RUNNING and (told.task_id, told.attempt) in self.compiling
            if COMPILES in told.reason and not runs:
                text = f"the module of {told.task_id}, which is {told.state.name}, is said to be compiled"
                raise LawBroken("compiling", text, told.task_id)
        for move in placements:
            task = self._checker.tasks.get(move.task_id)
            if task is not None and task.state is RUNNING:
                for proplet_id in self.places(move, changes):
                    self._check_place(task, proplet_id)
        for task, _ in changes.executions:
            stored = self._checker.tasks.get(task.id)
            for one in stored.executions.values() if stored is not None else ():
                row = rows.execution_row(task, one)
                key = (str(task.seq), one.attempt, one.proplet_id)
                if one.state.has_ended and self._ended.setdefault(key, row) != row:
                    raise LawBroken(
                        "one-result", f"{task.id} ended on {one.proplet_id} once more, otherwise", task.id
                    )

    def _check_module(self, move: Transition) -> None:
        """Check that nothing fails for want of a module that the manager was given."""
        task = self._checker.tasks.get(move.task_id)
        if move.state is not FAILED or NO_MODULE not in move.error or task is None or self._was_restored:
            return
        if task.spec.module is not None and task.spec.module.digest in self._given:
            raise LawBroken("modules", f"{task.id} failed, and its module was given: {move.error}", task.id)

    def _check_place(self, task: Task, proplet_id: str) -> None:
        broken = self._misplaced(task, self._proplet(proplet_id))
        if broken is not None:
            raise broken

    @staticmethod
    def _misplaced(task: Task, proplet: Proplet) -> LawBroken | None:
        """Say why a task may not go to a proplet, if it may not."""
        where = f"{task.id} was given to {proplet.id}, which"
        if proplet.is_cordoned:
            return LawBroken("cordon", f"{where} is cordoned", task.id)
        grants = task.spec.sandbox.grants if task.spec.sandbox is not None else None
        if grants is not None and grants.listen and not proplet.metadata.get("offers", {}).get("listen"):
            return LawBroken("sandbox", f"{where} forbids to listen", task.id)
        if task.spec.stdin and not proplet.is_native:
            return LawBroken("stdin", f"{where} knows nothing of its standard input", task.id)
        tags = set(proplet.metadata.get("tags", ()))
        if not task.spec.pin and not tags.issuperset(task.spec.required_tags):
            return LawBroken("tags", f"{where} has the tags {tags}", task.id)
        return None

    def unreached(self, proplet_id: str) -> LawBroken | None:
        """Say what stays on every proplet and is not on this one, which is there and has nothing else to do."""
        if proplet_id not in self._store.proplets:
            return LawBroken("known", f"{proplet_id} is there, and nobody has heard of it")
        proplet = self._proplet(proplet_id)
        for task in self._checker.tasks.values():
            if task.state is RUNNING and task.spec.broadcast and task.spec.is_resident:
                one = task.executions.get(proplet_id)
                is_missing = one is None or one.state is SCHEDULED
                if is_missing and self._misplaced(task, proplet) is None:
                    text = f"{task.id} is to be on every proplet, and is not on {proplet_id}"
                    return LawBroken("everywhere", text, task.id)
        return None

    def _proplet(self, proplet_id: str) -> Proplet:
        row = self._store.proplets.get(proplet_id)
        if row is None:
            raise LawBroken("store", f"proplet {proplet_id} was given a task and is not stored")
        return rows.to_proplet(row)

    def boot_of(self, proplet_id: str) -> int:
        return self._proplet(proplet_id).boot

    def check_broadcast(self, task: Task, move: Transition) -> None:
        """Check that a broadcast ended as all of its executions did, and that these did so themselves."""
        seq = self._store.ids.get(task.id)
        stored = self._store.seen(seq) if seq is not None else None
        if stored is None or (stored.state, stored.attempt) != (move.state, move.attempt):
            return  # it was deleted, or started once more, before the commit
        executions = stored.executions.values()
        states = {one.state for one in executions}
        if move.error_kind is ErrorKind.DEADLINE:  # its time was over, whatever its executions did
            return
        wanted = COMPLETED if states == {COMPLETED} else FAILED
        if move.state is not wanted or RUNNING in states or INTERRUPTED in states:
            raise LawBroken("broadcast", f"{task.id} is {move.state.name}, its executions {states}", task.id)
        uid = (task.spec.env or {})["UID"]
        for one in executions:
            said = (one.results or "", one.error)
            if one.state is FAILED:
                self._checker.losses.check(uid, one.attempt, one.proplet_id, one.error)
            is_from_guest = one.state is COMPLETED or one.error.startswith("guest")
            if is_from_guest and not self._checker.has_said(uid, one.attempt, one.proplet_id, said):
                raise LawBroken("stale-attempt", f"{task.id} never said {said} on {one.proplet_id}", task.id)
