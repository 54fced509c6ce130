"""One runner process as the pool sees it: its runs, how many it may have, and whether it makes progress."""

import asyncio
import time
from typing import Protocol, cast

from propeller.runtime.guest_run import Ended
from propeller.runtime.pool.protocol import (
    Frames,
    Hand,
    Ready,
    Report,
    RunnerStatus,
    Stop,
    TakeBack,
    ToRunner,
    framed,
    to_pool,
)
from propeller.runtime.pool.queued_run import QueuedRun
from propeller.runtime.system.death import Death

_HANDED_MAX = 256
_QUICK_NS = 10_000_000
#: A runner is handed work for about this long at once.
_AHEAD_NS = 20_000_000


class RunnerListener(Protocol):
    """Gets the messages of a runner."""

    def on_ready(self, runner: "RunnerHandle") -> None: ...
    def on_report(self, runner: "RunnerHandle", report: Report) -> None: ...
    def on_returned(self, runner: "RunnerHandle", keys: list[int]) -> None: ...
    def on_disconnected(self, runner: "RunnerHandle") -> None: ...


class RunnerHandle(asyncio.Protocol):
    def __init__(
        self,
        listener: RunnerListener,
        place: int,
        status: RunnerStatus,
        now: float,
        *,
        resident: QueuedRun | None = None,
    ) -> None:
        self._listener = listener
        self._frames = Frames()
        self._transport: asyncio.Transport | None = None
        self.place = place
        #: The run that has this process to itself; None in a runner of the pool's size.
        self.resident = resident
        self.status = status
        #: Runs that were handed over and have not ended, in the order of execution.
        self.runs: dict[int, QueuedRun] = {}
        #: How many runs it may have at once; doubles while runs are quick.
        self.bound = 2
        self.is_ready = False
        #: Process id, once it is ready.
        self.pid = 0
        self.is_taking_back = False
        self.is_killed = False
        self.is_disconnected = False
        #: How it died, once that is known.
        self.death: Death | None = None
        self._number = 0
        self._number_since = now

    @property
    def room(self) -> int:
        """The number of runs that it may be handed now."""
        if not self.is_ready or self.is_taking_back or self.is_killed or self.is_disconnected or self.death:
            return 0
        if self.resident is not None:
            return 0
        return self.bound - len(self.runs)

    @property
    def is_idle(self) -> bool:
        return not self.runs and self.room > 0

    @property
    def is_connected(self) -> bool:
        return self._transport is not None

    def hand(self, runs: list[QueuedRun]) -> None:
        now_ns = time.time_ns()
        for queued in runs:
            queued.handed_ns = now_ns
            self.runs[queued.run.key] = queued
        self._send(Hand([queued.run for queued in runs]))

    def take_back(self) -> None:
        self.is_taking_back = True
        self.bound = 1
        self._send(TakeBack())

    def stop(self, key: int) -> None:
        self._send(Stop(key))

    def adapt(self, ended: list[Ended]) -> None:
        """Allow more runs at once while they are quick, and one where they are not: the others would wait."""
        durations = [e.finished_ns - e.started_ns for e in ended]
        if max(durations) > _QUICK_NS:
            self.bound = 1
        else:
            mean_ns = sum(durations) // len(durations) + 1
            self.bound = max(2, min(2 * self.bound, _HANDED_MAX, _AHEAD_NS // mean_ns))

    def stuck_s(self, now: float) -> float:
        """Seconds for which it has been seen to execute the same run; 0 when it executes none."""
        number = self.status.number
        if number != self._number:
            self._number = number
            self._number_since = now
        return now - self._number_since if number else 0.0

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _send(self, message: ToRunner) -> None:
        if self._transport is not None:
            self._transport.write(framed(message))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not to be asserted: uvloop's transports do not inherit from asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        for body in self._frames.feed(data):
            message = to_pool.decode(body)
            if isinstance(message, Report):
                self._listener.on_report(self, message)
            elif isinstance(message, Ready):
                self.is_ready = True
                self.pid = message.pid
                self._listener.on_ready(self)
            else:
                self.is_taking_back = False
                self._listener.on_returned(self, message.keys)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_disconnected = True
        self._listener.on_disconnected(self)
