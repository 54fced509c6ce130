"""What is in memory, as it is between two turns: there and only there it is all committed."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from propeller.core.model import Proplet, Spec
from propeller.core.state import ClusterState
from propeller.core.states import (
    COMPLETED,
    FAILED,
    INTERRUPTED,
    RUNNING,
    SCHEDULED,
    SKIPPED,
    TaskState,
)
from propeller.errors import LeadershipLost, StoreUnusable

T = TypeVar("T")


class Counted(NamedTuple):
    """Counts of what is in memory: the tasks that have not ended, and the fleet."""

    #: All events up to this one are counted, and none behind it.
    event_id: int
    pending: int
    scheduled: int
    running: int
    proplets: int
    alive: int
    #: Those that get no new tasks.
    cordoned: int
    #: How many guests those that are alive run at once, and how many of these slots have a task.
    slots: int
    busy: int


class Tally(NamedTuple):
    """How often each thing has happened, and the most that waited and ran since the last look."""

    started: int
    completed: int
    failed: int
    #: Skipped or interrupted.
    ended_otherwise: int
    #: How many tasks waited for a proplet, and how many ran, when that were the most.
    waiting: int
    running: int


class Placed(NamedTuple):
    """A task that is placed on a proplet."""

    spec: Spec
    state: TaskState
    attempt: int
    #: When this attempt was placed, ns.
    at: int


class Present:
    """Shows the state of the cluster to those who look, when no turn is under way.

    During a turn the state is ahead of the store, and so of what may be shown.
    """

    def __init__(self, state: ClusterState) -> None:
        self._state = state
        #: True while a turn is being taken.
        self.is_changing = False
        self._failure: StoreUnusable | None = None
        self._looks: list[tuple[Callable[[], Any], asyncio.Future[Any]]] = []
        #: Of those, the ones that wait however long that takes.
        self._patient: set[asyncio.Future[Any]] = set()
        #: Since the last tally, between two turns.
        self._most_waiting = 0
        self._most_running = 0

    def turn_begins(self) -> None:
        self.is_changing = True

    def turn_ended(self) -> None:
        """Let those look who have waited for this."""
        self.is_changing = False
        self._note_most()
        looks, self._looks = self._looks, []
        self._patient.clear()
        for look, seen in looks:
            if seen.done():  # who waited went away
                continue
            try:
                seen.set_result(look())
            except Exception as error:  # it is a matter of who looks, and not of the engine
                seen.set_exception(error)

    def turn_failed(self, error: BaseException) -> None:
        """Refuse those who look: what is in memory will not come into the store."""
        if isinstance(error, LeadershipLost):
            self._failure = LeadershipLost("this manager does not lead any more; ask again")
        else:
            self._failure = StoreUnusable("the manager is stopping because its store failed")
        for _, seen in self._looks:
            if not seen.done():
                seen.set_exception(self._failure)

    def let_go(self, error: LeadershipLost) -> None:
        """Refuse those who look for now and are not patient: the turn under way stands still."""
        for _, seen in self._looks:
            if not seen.done() and seen not in self._patient:
                seen.set_exception(error)
        self._looks = [one for one in self._looks if not one[1].done()]

    async def counts(self, *, is_patient: bool = False) -> Counted:
        """Count all; raise ``StoreUnusable`` if the store has failed.

        Who is not patient gets ``LeadershipLost`` while nothing can be written.
        """
        return await self._look(self._counts, is_patient=is_patient)

    async def tally(self) -> Tally:
        """Give the counts over time, to one keeper; raise ``StoreUnusable`` if the store has failed."""
        return await self._look(self._tally, is_patient=True)

    async def placed_on(self, proplets: Sequence[Proplet], limit: int) -> list[list[Placed]]:
        """Give up to ``limit`` tasks that are placed on each of these proplets, in the order of placement.

        Raises:
            StoreUnusable: The store has failed.
            LeadershipLost: Nothing can be written for now.

        """
        return await self._look(lambda: [self._placed_on(proplet, limit) for proplet in proplets])

    async def _look(self, look: Callable[[], T], *, is_patient: bool = False) -> T:
        if self._failure is not None:
            raise self._failure
        if not self.is_changing:
            return look()
        seen: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._looks.append((look, seen))
        if is_patient:
            self._patient.add(seen)
        return await seen

    def _counts(self) -> Counted:
        proplets = self._state.proplets.values()
        alive = [proplet for proplet in proplets if proplet.is_alive]
        pending, scheduled, running = self._state.tally[:COMPLETED]
        return Counted(
            event_id=self._state.last_event_id,
            pending=pending,
            scheduled=scheduled,
            running=running,
            proplets=len(proplets),
            alive=len(alive),
            cordoned=sum(proplet.is_cordoned for proplet in proplets),
            slots=sum(proplet.slots for proplet in alive),
            busy=sum(min(len(proplet.placed), proplet.slots) for proplet in alive),
        )

    def _note_most(self) -> None:
        waiting, running = self._state.tally[SCHEDULED], self._state.tally[RUNNING]
        self._most_waiting = max(self._most_waiting, waiting)
        self._most_running = max(self._most_running, running)

    def _tally(self) -> Tally:
        self._note_most()
        most_waiting, most_running = self._most_waiting, self._most_running
        tally = self._state.tally
        self._most_waiting, self._most_running = tally[SCHEDULED], tally[RUNNING]
        return Tally(
            started=self._state.starts,
            completed=tally[COMPLETED],
            failed=tally[FAILED],
            ended_otherwise=tally[SKIPPED] + tally[INTERRUPTED],
            waiting=most_waiting,
            running=most_running,
        )

    def _placed_on(self, proplet: Proplet, limit: int) -> list[Placed]:
        tasks = [self._state.tasks[task_id] for task_id in islice(proplet.placed, limit)]
        return [
            Placed(task.spec, task.state, task.attempt_on(proplet.id), task.placed_on(proplet.id))
            for task in tasks
        ]
