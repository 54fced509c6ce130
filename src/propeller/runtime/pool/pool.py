"""The pool: a queue of runs and the runner processes that take from it.

Rules:
  * Runs begin in the order of submission, as far as runners are free.
  * A runner is handed several runs at once while runs are quick. When one turns out to be long, those
    behind it are taken back and given to others; none of them had begun.
  * A run is executed again only if its process died before the result was sent and it was not the run
    executing when the process died. The latter fails: it may be what killed the process. Where the process
    was killed from outside, or died with the fork server, it is lost instead, and its owner decides.
  * Where the pool itself kills a runner, to stop one run, the other runs in it lose nothing but time.
  * A resident run, which may go on for ever, has a process for itself alone, beside those of the pool.
  * Nothing ticks in an idle pool.

Everything happens in the event loop's thread; ``on_ended`` gets each run's end there, once.
"""

import asyncio
import logging
import socket
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path

from propeller.backoff import Backoff
from propeller.core.failures import ErrorKind, Failure
from propeller.runtime.guest_run import SERVER_GRACE_S, Compiling, Ended, GuestRun, Limits, Piece, Up
from propeller.runtime.pool.forkserver_client import ForkserverClient
from propeller.runtime.pool.protocol import Report
from propeller.runtime.pool.queued_run import QueuedRun
from propeller.runtime.pool.runner_handle import RunnerHandle
from propeller.runtime.system.death import Death

_LIMITS = Limits()
_TICK_S = 0.005
_STUCK_S = 0.02
#: With more runs than this in one runner, however quick, another process is worth its start.
_DEEP = 16
_STOP_S_MAX = 0.1
_FAILED_STARTS_MAX = 5
_BACKOFF = Backoff(0.1, 2.0)
#: More residents than this are refused.
_RESIDENTS_MAX = 256

_log = logging.getLogger(__name__)


class Pool:
    """Runs guests in up to ``size`` processes, by the rules in the module's text.

    Args:
        directory: Holds ``modules/<digest>``; the pool keeps compiled code beside it.
        size: How many guests run at once, at most.
        limits: What each guest may use.
        on_ended: Gets the runs that ended, in batches, from the loop's thread; what it raises is logged.
        on_printed: Gets what guests print that is not their result, before their end.
        on_up: Gets the runs that serve, once they do.
        on_compiling: Gets the runs that wait until their module is compiled, where that takes long.

    """

    def __init__(
        self,
        directory: Path,
        *,
        size: int,
        limits: Limits = _LIMITS,
        on_ended: Callable[[list[Ended]], None],
        on_printed: Callable[[list[Piece]], None] = lambda _: None,
        on_up: Callable[[list[Up]], None] = lambda _: None,
        on_compiling: Callable[[list[Compiling]], None] = lambda _: None,
    ) -> None:
        assert size > 0
        self._size = size
        self._on_ended = on_ended
        self._on_printed = on_printed
        self._on_up = on_up
        self._on_compiling = on_compiling
        self._forkserver = ForkserverClient(
            directory, limits, places=size + _RESIDENTS_MAX, on_death=self._on_death
        )
        self._runners: dict[int, RunnerHandle] = {}
        #: Runners of resident runs, by place.
        self._residents: dict[int, RunnerHandle] = {}
        self._waiting: OrderedDict[int, QueuedRun] = OrderedDict()
        self._runner_of: dict[int, RunnerHandle] = {}
        self._stopping: set[int] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._ticking: asyncio.TimerHandle | None = None
        self._retrying: asyncio.TimerHandle | None = None
        self._failed_starts = 0
        self._is_up = asyncio.Event()
        self._is_started = self._is_stopped = False

    @property
    def waiting(self) -> int:
        """Runs in the pool's own queue."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """Runs that a runner has, executing or next in turn there."""
        return len(self._runner_of)

    def executing(self) -> dict[int, int]:
        """Give the process of each run that is executed at this moment, by key; it executes no other."""
        found = ((runner.status.key, runner) for runner in self._all_runners())
        return {key: runner.pid for key, runner in found if key is not None and key in runner.runs}

    def served(self) -> dict[int, tuple[int, int]]:
        """Count the HTTP requests that served runs have answered, and those of them that failed, by key."""
        found = ((runner.status.key, runner.status.counted) for runner in self._residents.values())
        return {key: counted for key, counted in found if key is not None and counted != (0, 0)}

    def processes(self) -> list[int]:
        """Ids of all processes that belong to the pool."""
        forkserver = self._forkserver.pid
        return [pid for pid in (forkserver, *(runner.pid for runner in self._all_runners())) if pid]

    def _all_runners(self) -> list[RunnerHandle]:
        return [*self._runners.values(), *self._residents.values()]

    async def start(self) -> None:
        """Start the first runner, and wait until it is up or it is clear that it can't be started."""
        if not self._is_started:
            self._is_started = True
            self._loop = asyncio.get_running_loop()
            self._spawn()
        await self._is_up.wait()

    async def stop(self) -> None:
        """Kill all runners and forget all runs; ``on_ended`` is not called any more."""
        self._is_stopped = True
        for timer in filter(None, (self._ticking, self._retrying)):
            timer.cancel()
        for opening in self._opening:
            opening.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for runner in self._all_runners():
            runner.close()
        await self._forkserver.close()
        self._runners.clear()
        self._residents.clear()
        self._waiting.clear()
        self._runner_of.clear()

    def submit(self, runs: list[GuestRun]) -> None:
        for run in runs:
            if run.key in self._waiting or run.key in self._runner_of:
                raise ValueError(f"key {run.key} belongs to a run that has not ended")
        now = self._loop.time()
        for run in runs:
            if run.is_resident:
                self._place_resident(QueuedRun(run, now))
            else:
                self._waiting[run.key] = QueuedRun(run, now)
        self._feed()

    def stop_run(self, key: int) -> None:
        """End a run, begun or not; ``on_ended`` tells when it is over. An unknown key means nothing.

        A guest is interrupted; if that does not end it soon, because it sleeps in a host call or is being
        compiled, its process is killed.
        """
        queued = self._waiting.pop(key, None)
        if queued is not None:
            self._loop.call_soon(self._tell, [queued.stopped()])
        elif key in self._runner_of and key not in self._stopping:
            runner = self._runner_of[key]
            self._stopping.add(key)
            if not runner.runs:  # a resident whose process is not up yet
                self._forkserver.kill(runner.place)
                return
            runner.stop(key)
            serves = runner.resident is not None and runner.resident.run.port
            self._loop.call_later(
                SERVER_GRACE_S if serves else _STOP_S_MAX, self._kill_if_executing, runner, key
            )

    def withdraw(self, older_than_s: float) -> list[int]:
        """Forget the runs that have waited longer than this in the pool's own queue; give their keys."""
        limit = self._loop.time() - older_than_s
        keys = [key for key, queued in self._waiting.items() if queued.since < limit]
        return [key for key in keys if self._waiting.pop(key)]

    # Handing over

    def _feed(self) -> None:
        while self._waiting:
            open_ = [runner for runner in self._runners.values() if runner.room > 0]
            if not open_:
                break
            runner = min(open_, key=lambda runner: len(runner.runs))
            share = -(-len(self._waiting) // len(open_))
            runs = [self._waiting.popitem(last=False)[1] for _ in range(min(runner.room, share))]
            for queued in runs:
                self._runner_of[queued.run.key] = runner
            runner.hand(runs)
        if self._waiting and not self._runners:
            self._spawn()
        self._watch()

    def _watch(self) -> None:
        """Tick only while time can change something: runs wait behind others, or for one more process."""
        may_spawn = self._waiting and self._may_spawn()
        if self._ticking is None and (may_spawn or any(len(one.runs) > 1 for one in self._runners.values())):
            self._ticking = self._loop.call_later(_TICK_S, self._tick)

    def _tick(self) -> None:
        self._ticking = None
        now = self._loop.time()
        runners = list(self._runners.values())
        has_idle = any(runner.is_idle for runner in runners)
        is_behind = bool(self._waiting)
        for runner in runners:
            stuck_s = runner.stuck_s(now)
            if len(runner.runs) > 1:
                is_behind |= stuck_s > _TICK_S or len(runner.runs) > _DEEP
                is_crowded = has_idle and not self._waiting and len(runner.runs) > 2 * runner.bound
                if (stuck_s > _STUCK_S or is_crowded) and not runner.is_taking_back:
                    runner.take_back()
        if is_behind and not has_idle and self._may_spawn():
            self._spawn()
        self._watch()

    def on_report(self, runner: RunnerHandle, report: Report) -> None:
        if report.pieces:
            self._on_printed([piece for piece in report.pieces if piece.key in runner.runs])
        if report.up:
            self._on_up([up for up in report.up if up.key in runner.runs])
        if report.compiling:
            self._on_compiling([one for one in report.compiling if one.key in runner.runs])
        ended = [one for one in report.ended if runner.runs.pop(one.key, None) is not None]
        for one in ended:
            del self._runner_of[one.key]
            self._stopping.discard(one.key)
        if ended:
            runner.adapt(ended)
            if runner.resident is not None:
                self._forkserver.kill(runner.place)
        self._feed()
        self._tell(ended)

    def on_returned(self, runner: RunnerHandle, keys: list[int]) -> None:
        self._tell(self._put_back(runner.runs.pop(key) for key in keys if key in runner.runs))
        self._feed()

    def _put_back(self, runs: Iterable[QueuedRun]) -> list[Ended]:
        """Queue runs that were not begun again, before all others; give the ends of those to be stopped."""
        stopped = []
        for queued in reversed(list(runs)):
            key = queued.run.key
            del self._runner_of[key]
            if key in self._stopping:
                self._stopping.remove(key)
                stopped.append(queued.stopped())
            else:
                self._waiting[key] = queued
                self._waiting.move_to_end(key, last=False)
        return stopped

    def _tell(self, ended: list[Ended]) -> None:
        if ended and not self._is_stopped:
            try:
                self._on_ended(ended)
            except Exception:
                _log.exception("the handler of ended runs failed")

    # Residents

    def _place_resident(self, queued: QueuedRun) -> None:
        """Start a process for a run that has it to itself."""
        key = queued.run.key
        places = range(self._size, self._size + _RESIDENTS_MAX)
        place = next((place for place in places if place not in self._residents), None)
        try:
            if place is None:
                raise OSError(0, f"this proplet runs {_RESIDENTS_MAX} of its kind already")
            end, status = self._forkserver.spawn(place)
        except OSError as error:
            is_lost = place is not None
            kind = ErrorKind.LOST if is_lost else ErrorKind.OTHER
            failure = Failure(f"no process to run it: {error.strerror or error}", kind)
            ended = Ended(key, "", failure, 0, 0, is_lost=is_lost)
            self._loop.call_soon(self._tell, [ended])
            return
        runner = self._residents[place] = RunnerHandle(
            self, place, status, self._loop.time(), resident=queued
        )
        self._runner_of[key] = runner
        self._open_soon(runner, end)

    def _remove_resident(self, runner: RunnerHandle) -> None:
        del self._residents[runner.place]
        queued = runner.resident
        assert queued is not None
        key = queued.run.key
        if self._runner_of.pop(key, None) is None:
            return  # its run has ended before it
        assert runner.death is not None
        is_stopped = key in self._stopping
        self._stopping.discard(key)
        self._tell([queued.stopped() if is_stopped else queued.killed(runner.death, stopped=False)])

    # Starts and deaths of runners

    def _may_spawn(self) -> bool:
        return (
            len(self._runners) < self._size
            and self._retrying is None
            and all(runner.is_ready for runner in self._runners.values())
        )

    def _spawn(self) -> None:
        if self._is_stopped or not self._may_spawn():
            return
        place = next(place for place in range(self._size) if place not in self._runners)
        try:
            end, status = self._forkserver.spawn(place)
        except OSError as error:
            self._on_failed_start(f"could not be started: {error.strerror or error}")
            return
        runner = self._runners[place] = RunnerHandle(self, place, status, self._loop.time())
        self._open_soon(runner, end)

    def _open_soon(self, runner: RunnerHandle, end: socket.socket) -> None:
        opening = self._loop.create_task(self._open(runner, end))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)
        # A task that is cancelled before its first step closes nothing itself.
        opening.add_done_callback(lambda _: None if runner.is_connected else end.close())

    async def _open(self, runner: RunnerHandle, end: socket.socket) -> None:
        try:
            await self._loop.create_unix_connection(lambda: runner, sock=end)
        except OSError:
            self.on_disconnected(runner)

    def on_ready(self, runner: RunnerHandle) -> None:
        if runner.resident is not None:
            runner.hand([runner.resident])
            return
        self._failed_starts = 0
        self._is_up.set()
        self._feed()

    def on_disconnected(self, runner: RunnerHandle) -> None:
        runner.is_disconnected = True
        if runner.death is None:
            self._forkserver.kill(runner.place)  # nothing can reach it any more
        else:
            self._remove(runner)

    def _on_death(self, place: int, death: Death) -> None:
        runner = self._runners[place] if place < self._size else self._residents[place]
        runner.death = death
        # Its last messages may still be in the socket; the end of the stream comes after them.
        if runner.is_disconnected:
            self._remove(runner)

    def _remove(self, runner: RunnerHandle) -> None:
        if self._is_stopped:
            return
        assert runner.death is not None
        if runner.resident is not None:
            self._remove_resident(runner)
            return
        del self._runners[runner.place]
        ended = []
        key = runner.status.key
        if key is not None and key in runner.runs and not runner.is_killed:
            ended = [runner.runs.pop(key).killed(runner.death, stopped=key in self._stopping)]
            del self._runner_of[key]
            self._stopping.discard(key)
        ended += self._put_back(runner.runs.values())
        if not runner.is_ready:
            self._on_failed_start(runner.death.how)
        elif not self._runners:
            self._spawn()
        self._feed()
        self._tell(ended)

    def _on_failed_start(self, how: str) -> None:
        """Try again, later each time; after several failures in a row runs are lost."""
        delay_s = _BACKOFF.delay_s(self._failed_starts)
        self._failed_starts += 1
        _log.error("a process for guests %s (%d in a row)", how, self._failed_starts)
        self._retrying = self._loop.call_later(delay_s, self._retry)
        if self._failed_starts >= _FAILED_STARTS_MAX and not self._runners:
            self._is_up.set()
            error = f"no process to run it: the last one {how}, {self._failed_starts} in a row"
            ended = [
                Ended(key, "", Failure(error, ErrorKind.LOST), 0, 0, is_lost=True) for key in self._waiting
            ]
            self._waiting.clear()
            self._tell(ended)

    def _retry(self) -> None:
        self._retrying = None
        if self._failed_starts < _FAILED_STARTS_MAX and not self._runners:
            self._spawn()
        self._feed()

    def _kill_if_executing(self, runner: RunnerHandle, key: int) -> None:
        """Kill the process of a guest that its interruption has not ended."""
        if self._is_stopped or key not in runner.runs or runner.death is not None:
            return
        if runner.status.key == key:
            runner.is_killed = True
            self._forkserver.kill(runner.place)
        else:
            self._loop.call_later(_STOP_S_MAX, self._kill_if_executing, runner, key)
