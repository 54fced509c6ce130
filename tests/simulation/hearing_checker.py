"""Checks the laws of silence: nobody is taken for dead who could not have been heard, or whose words lie unread."""

from collections import Counter
from typing import TYPE_CHECKING

from propeller.core.effects import Changes
from propeller.core.states import FAILED, RUNNING, SCHEDULED
from propeller.wire.fleet.from_proplet import Alive, Create
from propeller.wire.fleet.messages import Message

from .world import LawBroken, S, World

if TYPE_CHECKING:
    from .checker import Checker

#: As in the manager's policy.
LIVENESS_NS, OFFLINE_NS = 6 * S, 1 * S


class HearingChecker:
    """Knows when the manager was awake and connected, and what it has read of whom."""

    def __init__(self, checker: "Checker", world: World):
        self._checker = checker
        self._world = world
        #: When it could hear nothing: from, until, and whether of remote proplets only.
        self._deaf: list[tuple[int, int, bool]] = []
        self._disconnected_since: int | None = None
        #: When it last read a sign of life, by proplet and boot.
        self._read_at: dict[tuple[str, int], int] = {}
        #: What it has read since the turn began that is under way: that turn does not know of it.
        self._read_meanwhile: dict[tuple[str, int], int] = {}
        self._started_at = 0
        self._unread: Counter[str] = Counter()
        #: Executions of broadcast tasks that have been judged: task, attempt, proplet.
        self._ended: set[tuple[str, int, str]] = set()

    # -- what it could hear --------------------------------------------------------------------------------

    def stands_still(self, until: int) -> None:
        self._deaf.append((self._world.now, until, False))

    def is_connected(self, *, yes: bool, since: int = 0) -> None:
        if not yes and self._disconnected_since is None:
            self._disconnected_since = since
        elif yes and self._disconnected_since is not None:
            self._deaf.append((self._disconnected_since, self._world.now, True))
            self._disconnected_since = None

    def manager_ended(self) -> None:
        """Another begins, which has heard nobody yet and has no connection."""
        self._read_at.clear()
        self._read_meanwhile.clear()
        self._unread.clear()
        self._deaf.clear()
        self._disconnected_since = self._world.now

    def manager_started(self) -> None:
        self._started_at = self._world.now

    # -- what it heard -------------------------------------------------------------------------------------

    def came(self, message: Message) -> None:
        if _is_sign_of_life(message):
            self._unread[message.proplet_id] += 1

    def was_read(self, message: Message) -> None:
        if _is_sign_of_life(message):
            self._unread[message.proplet_id] -= 1
            self._read_meanwhile[message.proplet_id, message.boot or 0] = self._world.now

    def turn_began(self) -> None:
        self._read_at.update(self._read_meanwhile)
        self._read_meanwhile.clear()

    # -- the laws ------------------------------------------------------------------------------------------

    def committed(self, changes: Changes) -> None:
        for move in changes.transitions:
            why = move.error if move.state is FAILED else move.reason
            if move.proplet_id and move.state in (SCHEDULED, FAILED):
                self._check(move.proplet_id, why, move.task_id)
        for task, one in changes.executions:
            place = task.id, one.attempt, one.proplet_id
            if one.state is not RUNNING and place not in self._ended:  # later changes keep what it died of
                self._ended.add(place)
                self._check(one.proplet_id, one.error, task.id)

    def _check(self, proplet_id: str, why: str, task_id: str) -> None:
        if "says nothing of it" in why:
            raise LawBroken("answers", f"{proplet_id} was told to run {task_id} and never answered", task_id)
        least = LIVENESS_NS if "was silent for" in why else OFFLINE_NS if "went offline" in why else 0
        if not least:
            return
        listened = self._listened(proplet_id)
        if listened < least:
            text = f"{proplet_id} was taken for dead after {listened / S:.2f} s in which it could be heard"
            raise LawBroken("fair-silence", text, task_id)
        if self._unread[proplet_id] > 0 and self._has_just_stood_still():
            raise LawBroken("fair-silence", f"{proplet_id} was taken for dead, its words unread", task_id)

    def _listened(self, proplet_id: str) -> int:
        """Add up the time since its last word in which it could have been heard."""
        now, boot = self._world.now, self._checker.fleet.boot_of(proplet_id)
        since = at = max(self._read_at.get((proplet_id, boot), 0), self._started_at)
        is_remote = not proplet_id.startswith("local")
        goes_on = [(self._disconnected_since, now, True)] if self._disconnected_since is not None else []
        deaf = 0
        for begin, end, is_remote_only in sorted([*self._deaf, *goes_on]):
            if not is_remote_only or is_remote:
                deaf += max(min(end, now) - max(begin, at), 0)
                at = max(at, min(end, now))
        return now - since - deaf

    def _has_just_stood_still(self) -> bool:
        return any(not remote and end <= self._world.now < end + S for _, end, remote in self._deaf)


def _is_sign_of_life(message: Message) -> bool:
    return isinstance(message, Create) or (isinstance(message, Alive) and message.status != "offline")
