"""Checks the laws of foreign proplets: they are told only once they listen, and more than once where they stay silent."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from propeller.core.effects import Changes, SendStart, Transition
from propeller.core.events import PropletSeen
from propeller.core.states import FAILED, RUNNING, SCHEDULED
from propeller.manager.engine import Input
from propeller.wire.fleet.from_manager import Start

from .world import LawBroken

if TYPE_CHECKING:
    from .checker import Checker


class ForeignChecker:
    def __init__(self, checker: "Checker"):
        self._checker = checker
        #: Proplets that said hello, and nothing since.
        self._deaf: set[str] = set()
        #: How often each start was sent, and which of them were heard: task and attempt, in the foreign form.
        self._sent: Counter[tuple[str, str]] = Counter()
        self._heard: set[tuple[str, str]] = set()
        #: What this life of the manager placed: of another's leases it may have seen only the rest.
        self._placed: set[tuple[str, int]] = set()

    def manager_started(self) -> None:
        self._deaf.clear()
        self._placed.clear()
        self._sent.clear()

    def turn_began(self, inputs: Sequence[Input]) -> None:
        for item in inputs:
            if isinstance(item, PropletSeen) and not item.boot:
                (self._deaf.add if item.is_hello else self._deaf.discard)(item.proplet_id)

    def sent(self, effect: SendStart, start: Start) -> None:
        if effect.proplet_id in self._deaf:
            text = f"{start.id} was sent to {effect.proplet_id}, which does not listen yet"
            raise LawBroken("listening", text, effect.spec.id)
        self._sent[effect.proplet_id, start.id] += 1

    def began(self, proplet_id: str, start: Start) -> None:
        self._heard.add((proplet_id, start.id))

    def committed(self, changes: Changes) -> None:
        for move in changes.transitions:
            if move.state is RUNNING:
                self._placed.add((move.task_id, move.attempt))
            if move.state in (SCHEDULED, FAILED) and "sent no result within" in (move.error or move.reason):
                self._check_repeated(move)

    def _check_repeated(self, move: Transition) -> None:
        """Check that nobody waited for the end of a lease because one message was lost."""
        names = {(move.proplet_id, name) for name in (move.task_id, f"{move.task_id}~{move.attempt}")}
        sent = max((self._sent[name] for name in names), default=0)
        was_placed_here = (move.task_id, move.attempt) in self._placed
        if move.proplet_id and was_placed_here and not names & self._heard and sent == 1:
            text = (
                f"{move.task_id} was told to {move.proplet_id} once, and waited for until its lease was over"
            )
            raise LawBroken("repeats", text, move.task_id)
