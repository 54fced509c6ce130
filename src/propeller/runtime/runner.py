"""A runner: a process that executes runs one after another.

The main thread executes guests; it has the large stack. A second thread reads what the pool says, so that a
run can be stopped while it executes. Results leave in batches: when nothing is left to do, or 64 are there,
or the first has waited 2 ms. What was not sent when the process dies is run again elsewhere, which nobody
can tell: a guest has no means to leave anything behind but its result.

IMPORTANT: ``_lock`` guards the queue together with which run is current. An epoch is advanced only under it
and only for the current run, so that no stop ever hits the run after it.
"""

import contextlib
import gc
import os
import select
import signal
import socket
import threading
import time
from collections import deque
from pathlib import Path
from typing import NoReturn

from propeller.errors import Invalid
from propeller.runtime.cache import Cache, new_engine
from propeller.runtime.frames import Frames, Hand, Ready, Report, Returned, Stop, Words, framed, to_runner
from propeller.runtime.guest import Output, execute
from propeller.runtime.run import Ended, Limits, Run

_BATCH = 64
_BATCH_NS = 2_000_000
_STOPPED = "the task was stopped"


class Runner:
    def __init__(self, end: socket.socket, words: Words, directory: Path, limits: Limits) -> None:
        self._socket = end
        self._words = words
        self._limits = limits
        self._engine = new_engine(limits)
        self._cache = Cache(self._engine, directory)
        self._output = Output(limits.output_bytes)
        self._queue: deque[Run] = deque()
        self._lock = threading.Lock()
        self._filled = threading.Condition(self._lock)
        self._current: Run | None = None
        self._is_stopped = False
        self._ended: list[Ended] = []
        self._ended_since_ns = 0
        self._send_lock = threading.Lock()
        self._overflow, self._overflowed = socket.socketpair()

    def serve(self) -> NoReturn:
        self._overflow.settimeout(0)
        self._overflowed.settimeout(0)
        # A guest that writes on and on past the limit raises SIGXFSZ each time: the reader then ends it.
        signal.set_wakeup_fd(self._overflow.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGXFSZ, lambda *_: None)
        threading.Thread(target=self._listen, daemon=True).start()
        self._send(framed(Ready(os.getpid())))
        gc.freeze()
        number = 0
        while True:
            run = self._next()
            number += 1
            self._words.begin(run.key, number)
            ended = self._executed(run)
            with self._lock:
                self._current = None
                self._is_stopped = False
            self._keep(ended)
            self._words.end()

    def _next(self) -> Run:
        with self._lock:
            while not self._queue:
                self._flush()
                self._filled.wait()
            self._current = self._queue.popleft()
            return self._current

    def _executed(self, run: Run) -> Ended:
        try:
            program = self._cache.load(run.digest)
            return execute(
                self._engine, program, run, self._limits, self._output, is_stopped=lambda: self._is_stopped
            )
        except Invalid as invalid:
            error = str(invalid)
        except Exception as defect:
            error = f"the proplet could not run the task: {type(defect).__name__}: {defect}"
        return Ended(run.key, "", error, 0, 0, stopped=self._is_stopped)

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

    def _flush(self) -> None:
        with self._send_lock:
            if self._ended:
                ended, self._ended = self._ended, []
                self._send_held(framed(Report(ended)))

    def _send(self, data: bytes) -> None:
        with self._send_lock:
            self._send_held(data)

    def _send_held(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError:
            os._exit(0)  # nobody is left to report to

    # The thread that listens

    def _listen(self) -> NoReturn:
        frames = Frames()
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        poll.register(self._overflowed, select.POLLIN)
        try:
            while True:
                # While runs wait behind one that may be long, results must not wait with them.
                ready = poll.poll(2 if self._queue or self._ended else None)
                if not ready:
                    self._flush()
                for fd, _ in ready:
                    if fd == self._overflowed.fileno():
                        self._on_overflow()
                    else:
                        self._on_data(frames)
        finally:
            os._exit(1)

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
            if self._current is not None and self._current.key == key:
                # IMPORTANT: first the word, then the epoch; execute() asks for it after its deadline is set.
                self._is_stopped = True
                self._engine.increment_epoch()
                return
            waiting = [run for run in self._queue if run.key == key]
            for run in waiting:
                self._queue.remove(run)
        if waiting:
            self._keep(Ended(key, "", _STOPPED, 0, 0, stopped=True))
            self._flush()

    def _on_overflow(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._overflowed.recv(4096)
        with self._lock:
            if self._current is not None and self._output.is_over():
                self._engine.increment_epoch()


def main(end: socket.socket, words: Words, directory: Path, limits: Limits) -> NoReturn:
    """Be a runner until the socket closes."""
    Runner(end, words, directory, limits).serve()
