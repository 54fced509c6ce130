"""Checks the laws of several managers on one database, in words of its own.

- ``one-leader``: each lead has a larger token than those that the database knows of, and only the newest writes.
- ``no-word-after-lease``: nothing is sent or answered by a manager whose lease is over by its own clock, or after
  another has spoken.
- ``durable``: what was answered or announced is in the database.
- ``once``: a request with a key is carried out once, and an attempt begins once and ends once.
- ``times``: no time of a schedule is missed. It can't have two runs: both would have the same id.
- ``led``: without faults, somebody leads soon.
"""

from collections import Counter
from collections.abc import Sequence

from propeller.core.copies import run_id
from propeller.core.effects import Changes, Transition
from propeller.core.model import Task
from propeller.store.lead import Held

from .store import SimulatedStore
from .world import LawBroken, S, World


class SeveralChecker:
    def __init__(self, world: World, store: SimulatedStore, lease_s: float):
        self._world = world
        self._store = store
        self._lease_ns = int(lease_s * S)
        #: The newest lead, as far as the database knows: token and holder.
        self._newest = (0, "")
        #: Which take-over each lead comes from: a replica may give a token again.
        self._places: dict[tuple[int, str], int] = {}
        #: Until when each lead gives the right to speak, by the clock of its manager.
        self._speaks_until: dict[Held, int] = {}
        self._last_speaker = 0
        self._announced: dict[int, Transition] = {}
        self._began: set[tuple[str, int, int]] = set()
        self._obeyed: dict[str, int] = {}
        self._carried_out: Counter[str] = Counter()
        self.takes = self.words = self.commits = self.runs = 0

    # -- leads ---------------------------------------------------------------------------------------------

    def taken(self, token: int, holder: str) -> None:
        self.takes += 1
        if token <= self._newest[0]:
            raise LawBroken("one-leader", f"{holder} leads with token {token} after {self._newest[0]}")
        self._newest = token, holder
        self._places[self._newest] = self.takes

    def forgot(self, token: int) -> None:
        """Note that a replica has the place of the database, and knows of no later token."""
        self._newest = token, ""

    def granted(self, held: Held, asked_at: int) -> None:
        """Note that a manager knows of its lease, which it asked for at a moment of its own clock."""
        until = asked_at + self._lease_ns
        self._speaks_until[held] = max(self._speaks_until.get(held, 0), until)

    def spoke(self, held: Held, ticks: int, what: str) -> None:
        """Note that something left a manager at a moment of its own clock."""
        self.words += 1
        over_for_ns = ticks - self._speaks_until.get(held, 0)
        who = f"{held.holder} with token {held.token}"
        if over_for_ns >= 0:
            text = f"{who} {what}, and its lease has been over for {over_for_ns / S:.3f} s"
            raise LawBroken("no-word-after-lease", text)
        place = self._places[held.token, held.holder]
        if place < self._last_speaker:
            raise LawBroken("no-word-after-lease", f"{who} {what} after a later leader spoke")
        self._last_speaker = place

    # -- writes --------------------------------------------------------------------------------------------

    def committing(self, held: Held, changes: Changes) -> None:
        self.commits += 1
        if (held.token, held.holder) != self._newest:
            text = f"{held.holder} writes with token {held.token}, and the newest is {self._newest}"
            raise LawBroken("one-leader", text)
        for one in changes.remembered:
            self._carried_out[one.key.text] += 1
            if self._carried_out[one.key.text] > 1:
                raise LawBroken("once", f"the request {one.key.text} was carried out again")

    def answered(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            if task.id not in self._store.ids:
                raise LawBroken("durable", f"{task.id} was answered, and is not in the database", task.id)

    def announced(self, first_id: int, transitions: Sequence[Transition]) -> None:
        log = dict(self._store.transitions())
        for number, move in enumerate(transitions, start=first_id):
            if log.get(number) != move or self._announced.get(number, move) != move:
                raise LawBroken("durable", f"event {number} was announced, and is another", move.task_id)
            self._announced[number] = move

    # -- proplets ------------------------------------------------------------------------------------------

    def began(self, task_id: str, attempt: int, placed_at: int) -> None:
        self.runs += 1
        one = task_id, attempt, placed_at
        if one in self._began:
            raise LawBroken("once", f"attempt {attempt} of {task_id} begins again", task_id)
        self._began.add(one)

    def obeyed(self, proplet: str, epoch: int) -> None:
        """Note that a proplet does what a manager says."""
        if epoch < self._obeyed.get(proplet, 0):
            raise LawBroken("one-leader", f"{proplet} obeys epoch {epoch} after {self._obeyed[proplet]}")
        self._obeyed[proplet] = epoch

    # -- the end -------------------------------------------------------------------------------------------

    def check_end(self, schedule_id: str, times: Sequence[int]) -> None:
        """Check the history as a whole, and that these times of a schedule were not missed."""
        ended: dict[tuple[str, int], Transition] = {}
        last = 0
        for number, move in self._store.transitions():
            if number != last + 1:
                raise LawBroken("durable", f"event {number} follows {last}")
            last = number
            if move.state.has_ended:
                one = move.task_id, move.attempt
                if one in ended:
                    raise LawBroken("once", f"attempt {move.attempt} ended twice", move.task_id)
                ended[one] = move
        for at in times:
            if run_id(schedule_id, at) not in self._store.groups:
                raise LawBroken("times", f"the time {at / S:.0f} of {schedule_id} has no run", schedule_id)
