"""A runner: a process that executes runs one after another.

The main thread executes guests; it has the large stack. A second thread reads the pool's messages, so that a
run can be stopped while it is executed, and has the watchdog look at it. Results leave in batches: when
nothing is left to do, when there are 64, or when the first has waited 2 ms. Runs whose results were not sent
when the process dies are executed again in another, except for the one that was being executed.

IMPORTANT: ``_lock`` guards the queue together with which run is current. An epoch is advanced only under it
and only for the current run, so that no stop ever hits the run after it.
"""

import contextlib
import gc
import os
import resource
import select
import socket
import threading
import time
from collections import deque
from pathlib import Path
from typing import NoReturn

from propeller.core.failures import ErrorKind, Failure
from propeller.errors import Invalid
from propeller.runtime import failures
from propeller.runtime.guest_run import Compiling, Ended, GuestRun, Limits, Piece, Up
from propeller.runtime.pool.protocol import (
    Frames,
    Hand,
    Ready,
    Report,
    Returned,
    RunnerStatus,
    Stop,
    framed,
    to_runner,
)
from propeller.runtime.runner.beginning import check_beginning
from propeller.runtime.runner.cache import Caches
from propeller.runtime.runner.guest import Halt, Workspace, check_stdin, execute
from propeller.runtime.runner.streams import Streams
from propeller.runtime.runner.watchdog import Watchdog
from propeller.runtime.system.death import Died

_BATCH = 64
_BATCH_NS = 2_000_000
#: Compiling such a module takes seconds, and somebody may wait for it.
_TOLD_BYTES = 4 * 1024 * 1024


def check_may_listen(run: GuestRun) -> None:
    """Raise ``Invalid`` where a run that serves HTTP may not listen."""
    if run.grants is None or not run.grants.listen:
        error = (
            "HTTP proxy is disabled. Enable it by setting http_enabled=true in configuration "
            "(PROPLET_HTTP_ENABLED), and grants.listen in the task if it has grants"
        )
        raise failures.CanNotBegin(Failure(error, ErrorKind.REFUSED))


class Runner:
    def __init__(
        self, end: socket.socket, status: RunnerStatus, directory: Path, place: int, limits: Limits
    ) -> None:
        self._socket = end
        self._status = status
        self._limits = limits
        self._caches = Caches(directory)
        self._streams = Streams(self._keep_pieces)
        self._workspace = Workspace(self._streams, directory / "runs" / str(place))
        self._queue: deque[GuestRun] = deque()
        self._lock = threading.Lock()
        self._filled = threading.Condition(self._lock)
        #: The run that is executed now.
        self._current: Watchdog | None = None
        self._ended: list[Ended] = []
        self._pieces: list[Piece] = []
        self._ended_since_ns = 0
        self._send_lock = threading.Lock()

    def serve(self) -> NoReturn:
        _bound_files(self._limits)
        self._data_bytes = _data_bytes()
        self._bound_memory(self._limits)
        threading.Thread(target=self._listen, daemon=True).start()
        self._send(framed(Ready(os.getpid())))
        gc.freeze()
        number = 0
        while True:
            watchdog = self._next()
            number += 1
            self._status.begin(watchdog.run.key, number)
            ended = self._executed(watchdog)
            with self._lock:
                self._current = None
            self._keep(ended)
            self._status.end()

    def _next(self) -> Watchdog:
        with self._lock:
            while not self._queue:
                self._flush()
                self._filled.wait()
            run = self._queue.popleft()
            self._current = Watchdog(run, run.limits or self._limits)
            return self._current

    def _executed(self, watchdog: Watchdog) -> Ended:
        run, limits, is_refused, is_lost = watchdog.run, watchdog.limits, False, False
        try:
            if run.limits is not None:
                self._bound_memory(limits)
            if run.port:  # before it is compiled in vain
                check_may_listen(run)
            cache = self._caches.of(stack_bytes=limits.stack_bytes, is_metered=limits.fuel > 0)
            program = cache.load(
                run.digest, on_compile=lambda size_bytes: self._begin_compiling(watchdog, size_bytes)
            )
            check_stdin(program, run)
            if run.is_preparation:
                program.choose(run.export)
                check_beginning(cache.engine, program, limits, run.grants)
                return Ended(run.key, "", None, 0, 0)
            was_told = watchdog.compiled_bytes >= _TOLD_BYTES
            with self._lock:
                watchdog.begin_running(cache.engine)
            if was_told:
                self._tell_compiling(run, 0)
            if run.port:
                from propeller.runtime.runner.serving import serve  # noqa: PLC0415  loaded where it is needed

                return serve(
                    cache,
                    program,
                    run,
                    limits,
                    self._workspace,
                    on_up=lambda where: self._tell_up(run, where),
                    on_stop=watchdog.on_interrupt,
                    on_traffic=self._status.count,
                )
            if run.is_resident:
                self._tell_up(run, "")
            return execute(
                cache,
                program,
                run,
                limits,
                self._workspace,
                halted=lambda: watchdog.halt,
                on_wait=watchdog.on_interrupt,
            )
        except Invalid as invalid:
            failure, is_refused = failures.of_refusal(invalid), True
        except Died as died:
            failure, is_lost = Failure(str(died), ErrorKind.LOST), died.is_from_outside
        except Exception as defect:
            failure = Failure(f"the proplet could not run the task: {type(defect).__name__}: {defect}")
        finally:
            if run.limits is not None:
                self._bound_memory(self._limits)
        is_stopped = watchdog.halt is Halt.STOP
        failure = failures.STOPPED if is_stopped else failure
        return Ended(run.key, "", failure, 0, 0, is_stopped, is_refused=is_refused, is_lost=is_lost)

    def _begin_compiling(self, watchdog: Watchdog, size_bytes: int) -> None:
        watchdog.begin_compiling(size_bytes)
        if size_bytes >= _TOLD_BYTES:
            self._tell_compiling(watchdog.run, size_bytes)

    def _tell_compiling(self, run: GuestRun, size_bytes: int) -> None:
        self._send(framed(Report([], compiling=[Compiling(run.key, size_bytes)])))

    def _tell_up(self, run: GuestRun, where: str) -> None:
        self._send(framed(Report([], [], [Up(run.key, where)])))

    def _bound_memory(self, limits: Limits) -> None:
        """Bound the memory of this process to what its guest may have, and some for the compiler."""
        most = self._data_bytes + limits.memory_bytes + limits.host_bytes
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if hard == resource.RLIM_INFINITY or most < hard:
            resource.setrlimit(resource.RLIMIT_DATA, (most, hard))

    # Results

    def _keep(self, *ended: Ended) -> None:
        """Keep results for the next batch, or send it when it is time."""
        now_ns = time.monotonic_ns()
        with self._send_lock:
            if not self._ended:
                self._ended_since_ns = now_ns
            self._ended += ended
            is_due = len(self._ended) >= _BATCH or now_ns - self._ended_since_ns >= _BATCH_NS
        if is_due:
            self._flush()

    def _keep_pieces(self, pieces: list[Piece]) -> None:
        with self._send_lock:
            self._pieces += pieces

    def _flush(self) -> None:
        with self._send_lock:
            if self._ended or self._pieces:
                message = Report(self._ended, self._pieces)
                self._ended, self._pieces = [], []
                self._send_held(framed(message))

    def _send(self, data: bytes) -> None:
        with self._send_lock:
            self._send_held(data)

    def _send_held(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError:
            os._exit(0)  # the pool is gone

    # The thread that listens and watches

    def _listen(self) -> NoReturn:
        frames = Frames()
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        watched: Watchdog | None = None
        try:
            while True:
                ready = poll.poll(self._poll_timeout_ms(watched))
                current = self._current
                if watched is not None and watched is not current:
                    for source in self._streams.sources:
                        poll.unregister(source)
                    watched = None
                if current is not None and watched is None and current.is_long:
                    watched = current
                    for source in self._streams.sources:
                        poll.register(source, select.POLLIN)
                if any(fd == self._socket.fileno() for fd, _ in ready):
                    self._on_data(frames)
                if watched is not None:
                    self._check_on(watched)
                self._flush()
        finally:
            os._exit(1)

    def _poll_timeout_ms(self, watched: Watchdog | None) -> float | None:
        """Give for how long there is nothing to do but listen; None for ever."""
        if self._queue or self._ended or self._pieces:
            return 2  # results must not wait with the runs that are behind a long one
        current = self._current
        if current is None:
            return None
        return current.next_due_ms() if current is watched else Watchdog.LONG_MS

    def _check_on(self, watchdog: Watchdog) -> None:
        is_over = self._streams.drain() if watchdog.is_running else False
        with self._lock:
            if self._current is not watchdog:
                return
            if is_over:
                watchdog.interrupt(Halt.OUTPUT)
            if watchdog.check() is not None:
                self._end_process(watchdog)

    def _end_process(self, watchdog: Watchdog) -> NoReturn:
        """End this process, because nothing else ends its guest; the other runs go to other processes."""
        with self._send_lock:
            ended = [*self._ended, watchdog.ended_with_process()]
            self._send_held(framed(Report(ended, self._pieces)))
            self._send_held(framed(Returned([run.key for run in self._queue])))
            os._exit(0)

    def _on_data(self, frames: Frames) -> None:
        data = self._socket.recv(1 << 18)
        if not data:
            os._exit(0)
        for body in frames.feed(data):
            message = to_runner.decode(body)
            if isinstance(message, Hand):
                with self._lock:
                    self._queue.extend(message.runs)
                    self._filled.notify()
            elif isinstance(message, Stop):
                self._on_stop(message.key)
            else:
                with self._lock:
                    keys = [run.key for run in self._queue]
                    self._queue.clear()
                self._flush()
                self._send(framed(Returned(keys)))

    def _on_stop(self, key: int) -> None:
        with self._lock:
            if self._current is not None and self._current.run.key == key:
                self._current.interrupt(Halt.STOP)
                return
            waiting = [run for run in self._queue if run.key == key]
            for run in waiting:
                self._queue.remove(run)
        if waiting:
            self._keep(Ended(key, "", failures.STOPPED, 0, 0, stopped=True))


def _bound_files(limits: Limits) -> None:
    """Bound the size of files that guests write; a guest that writes more gets an error from the system."""
    for kind, most in ((resource.RLIMIT_FSIZE, limits.file_bytes), (resource.RLIMIT_CORE, 0)):
        _, hard = resource.getrlimit(kind)
        if hard == resource.RLIM_INFINITY or most < hard:
            resource.setrlimit(kind, (most, hard))


def _data_bytes() -> int:
    """Measure the private memory of this process without a guest; 0 where the system does not say."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    return 0


def main(end: socket.socket, status: RunnerStatus, directory: Path, place: int, limits: Limits) -> NoReturn:
    """Be a runner until the socket closes."""
    Runner(end, status, directory, place, limits).serve()
