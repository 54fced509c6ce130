"""The pace: what was done in each step of ten seconds in the last hour, and how much waited and ran at most.

The engine only counts. When a step is over, what has been counted since the one before is put down for it.
Steps are those of the machine's clock, which may be set: forward leaves a gap, and back drops the steps that
are yet to come by then. What was counted meanwhile is put down for the last step that is over.
"""

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

from propeller.errors import StoreUnusable
from propeller.manager.batch_writer import BatchWriter
from propeller.manager.present import Present, Tally
from propeller.store.port import PaceStep, Store

STEP_S = 10
#: An hour.
STEPS = 360
#: More than are shown, since a clock that is set makes steps that are not.
_KEPT = 2 * STEPS
_WAITING_MAX = 100
_NOTHING = Tally(started=0, completed=0, failed=0, ended_otherwise=0, waiting=0, running=0)


class LastHour(NamedTuple):
    """The last steps, the oldest first; None for one in which no manager ran."""

    #: When the last one ended, s since the Unix epoch.
    end_s: int
    steps: list[PaceStep | None]


class Pace:
    """The pace of one manager, kept in the store."""

    def __init__(self, store: Store, present: Present, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._present = present
        self._clock = clock
        #: The step that is under way.
        self._step = self._step_now()
        self._counted = _NOTHING
        #: By their numbers, in the order of the clock.
        self._kept: dict[int, PaceStep] = {}
        self._writing = BatchWriter(
            "steps of the pace", self._write, batch_max=_KEPT, waiting_max=_WAITING_MAX
        )

    async def load(self) -> None:
        """Take up what earlier managers have put down."""
        for step in await self._store.pace():
            self._keep(step)
        self._drop_after(self._step)

    async def run(self) -> None:
        """Put down each step when it is over, until this is cancelled or the store fails."""
        while True:
            await asyncio.sleep(STEP_S - self._clock() % STEP_S)
            try:
                await self.look()
            except StoreUnusable:
                return

    async def look(self) -> None:
        """Put down the step that was under way, if it is over; raise what ``Present.tally`` does."""
        now = self._step_now()
        if now != self._step:
            self._put_down(min(self._step, now - 1), await self._present.tally())
            self._step = now

    async def end(self) -> None:
        """Put down what was counted of the step under way, and write all."""
        self._put_down(min(self._step, self._step_now()), await self._present.tally())
        await self._writing.flush()

    def last_hour(self) -> LastHour:
        steps = [self._kept.get(number) for number in range(self._step - STEPS, self._step)]
        return LastHour(self._step * STEP_S, steps)

    def _step_now(self) -> int:
        return int(self._clock() // STEP_S)

    def _put_down(self, number: int, counted: Tally) -> None:
        before, self._counted = self._counted, counted
        step = PaceStep(
            number,
            started=counted.started - before.started,
            completed=counted.completed - before.completed,
            failed=counted.failed - before.failed,
            ended_otherwise=counted.ended_otherwise - before.ended_otherwise,
            waiting=counted.waiting,
            running=counted.running,
        )
        self._keep(step)
        self._writing.take(step)

    def _keep(self, step: PaceStep) -> None:
        """Take in a step, or more of one."""
        self._drop_after(step.step)
        known = self._kept.get(step.step)
        if known is not None:
            step = step._replace(
                started=known.started + step.started,
                completed=known.completed + step.completed,
                failed=known.failed + step.failed,
                ended_otherwise=known.ended_otherwise + step.ended_otherwise,
                waiting=max(known.waiting, step.waiting),
                running=max(known.running, step.running),
            )
        self._kept[step.step] = step
        if len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]

    def _drop_after(self, number: int) -> None:
        """Drop the steps that are yet to come by the clock as it is now."""
        while self._kept and (last := next(reversed(self._kept))) > number:
            del self._kept[last]

    async def _write(self, batch: list[PaceStep]) -> None:
        await self._store.write_pace(batch, _KEPT)
