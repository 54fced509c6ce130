"""Checks the laws of idempotency keys: the same key never makes two, and its second answer is its first."""

from propeller.core.effects import Changes
from propeller.core.events import CreateTasks
from propeller.core.idempotency import Remembered
from propeller.core.model import Task
from propeller.errors import KeyReused, PropellerError
from propeller.manager.engine import Ask

from .resident_checker import uid_of
from .world import LawBroken, S

#: For so long, by the manager's clock, a key is remembered.
KEPT_NS = 24 * 3600 * S


class KeysChecker:
    """Knows a request by its tasks: their ids are new each time that it is sent, their content is not."""

    def __init__(self):
        #: The key under which each task was asked for, by uid.
        self._key_of: dict[str, str] = {}
        #: The tasks that were committed under each key, in order.
        self._made: dict[str, list[str]] = {}
        #: The request that was committed or answered under each key.
        self._done: dict[str, bytes] = {}
        #: The keys of the present turn: what came before in it may have been refused.
        self._new: set[str] = set()
        #: Keys that the manager may have forgotten, as by its clock their time is over.
        self._unsure: set[str] = set()

    def turn_began(self) -> None:
        self._new.clear()

    def asked(self, ask: Ask) -> None:
        if ask.key is not None and isinstance(ask.command, CreateTasks):
            self._key_of |= dict.fromkeys(map(uid_of, ask.command.specs), ask.key.text)

    def clock_moved(self, by_ns: int) -> None:
        """Take note that keys may be too old, or will be when the clock is set right."""
        if abs(by_ns) >= KEPT_NS:
            self._unsure |= self._done.keys()

    def restored(self, kept: dict[str, Remembered]) -> None:
        """What came after the backup never was."""
        self._made = {key: ids for key, ids in self._made.items() if key in kept}
        self._done = {key: request for key, request in self._done.items() if key in kept}

    def committed(self, changes: Changes) -> None:
        made: dict[str, list[str]] = {}
        for task in changes.created:
            if key := self._key_of.get(uid_of(task.spec)):
                made.setdefault(key, []).append(task.id)
        for key, ids in made.items():
            if key in self._made and key not in self._unsure:
                text = f"key {key} made {self._made[key]}, and now {ids}"
                raise LawBroken("one-key", text, ids[0])
        self._made |= made
        for one in changes.remembered:
            if one.key.text in self._done and one.key.text not in self._unsure:
                raise LawBroken("one-key", f"what key {one.key.text} stands for was done a second time")
            self._done[one.key.text] = one.key.fingerprint
            self._new.add(one.key.text)

    def answered(self, ask: Ask, outcome: list[Task] | Remembered | PropellerError) -> None:
        if ask.key is None or ask.key.text in self._unsure:
            return
        key, done = ask.key.text, self._done.get(ask.key.text)
        if isinstance(outcome, KeyReused):
            if done in (None, ask.key.fingerprint):
                raise LawBroken("same-answer", f"key {key} is said to stand for another request")
        elif isinstance(outcome, PropellerError):
            if done is not None and key not in self._new:
                raise LawBroken("same-answer", f"what key {key} stands for was done, and then: {outcome}")
        elif done != ask.key.fingerprint:
            raise LawBroken("same-answer", f"key {key} is answered for a request that was not done under it")
        elif isinstance(ask.command, CreateTasks):
            ids = self._ids(outcome)
            if ids != self._made.get(key):
                text = f"key {key} made {self._made.get(key)}, and the answer has {ids}"
                raise LawBroken("same-answer", text, *ids[:1])

    @staticmethod
    def _ids(outcome: list[Task] | Remembered) -> list[str]:
        return list(outcome.task_ids) if isinstance(outcome, Remembered) else [task.id for task in outcome]
