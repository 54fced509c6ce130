"""The outbox: reports that a proplet owes its manager, on disk, so that they outlive the program.

A thread of its own writes; reports that come in meanwhile go into the next transaction together. A report
that is dropped here too late is only sent once too often.
"""

import asyncio
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from propeller import private
from propeller.errors import StoreUnusable
from propeller.proplet.actions import Report
from propeller.wire.fleet.codec import from_line, to_line
from propeller.wire.fleet.from_proplet import HandBack, Results

_log = logging.getLogger(__name__)


class _Batch:
    def __init__(self) -> None:
        #: By task: the report to keep, or None to drop it.
        self.words: dict[str, Report | None] = {}
        self.then: list[Callable[[], None]] = []


class Outbox:
    """A file of reports, one a task, and the number of this start of the program.

    Two proplets can't share one: the second is refused.
    """

    def __init__(self, directory: Path) -> None:
        """Open or create it; raise ``StoreUnusable`` with the way out if that can't be."""
        self._path = directory / "outbox.db"
        try:
            private.make_directory(directory)
            private.database(self._path)
            self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=0)
            # Held until the program ends: no other may write here.
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            # SQLite moves its log into the database at 4 MiB by itself; large reports leave a larger file.
            self._db.execute("PRAGMA journal_size_limit=4194304")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS reports (task_id TEXT PRIMARY KEY, line BLOB NOT NULL) STRICT"
            )
            self._db.execute("CREATE TABLE IF NOT EXISTS boots (boot INTEGER NOT NULL) STRICT")
            #: Larger with each start of the program.
            self.boot = self._next_boot()
            #: Reports of the programs before that were not acknowledged.
            self.kept = self._read()
        except (OSError, sqlite3.OperationalError) as error:
            raise StoreUnusable(
                f"{self._path} can't be used: {error}; if another proplet uses this directory stop that one, "
                "or choose another with --data-dir"
            ) from error
        except sqlite3.Error as error:
            raise StoreUnusable(
                f"{self._path} is damaged: {error}; move it away, with the files whose names begin like its "
                "own: ends in it that the manager has not heard of are lost, and their tasks run again"
            ) from error
        self._news: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._batch = _Batch()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._write_loop, name="outbox", daemon=True)
        self._thread.start()

    def _next_boot(self) -> int:
        """Number this start: by the clock, but in any case above the last one."""
        last = self._db.execute("SELECT MAX(boot) FROM boots").fetchone()[0] or 0
        boot = max(last + 1, time.time_ns())
        self._db.execute("DELETE FROM boots")
        self._db.execute("INSERT INTO boots VALUES (?)", (boot,))
        return int(boot)

    def _read(self) -> list[Report]:
        """Read the reports of before; one that can't be read is dropped, and its task runs again."""
        found: list[Report] = []
        for task_id, line in self._db.execute("SELECT task_id, line FROM reports").fetchall():
            try:
                message = from_line(line)
            except ValueError as error:
                _log.error("%s: the end of task %s can't be read: %s; it is lost", self._path, task_id, error)
                self._db.execute("DELETE FROM reports WHERE task_id = ?", (task_id,))
                continue
            if isinstance(message, Results | HandBack):
                found.append(message)
        return found

    def keep(self, reports: Sequence[Report], then: Callable[[], None]) -> None:
        """Write reports; ``then`` is called from the loop when they are durable."""
        with self._lock:
            self._batch.words.update((report.task_id, report) for report in reports)
            self._batch.then.append(then)
        self._news.put(True)

    def forget(self, task_ids: Sequence[str]) -> None:
        """Drop the reports of these tasks, soon."""
        with self._lock:
            self._batch.words.update(dict.fromkeys(task_ids))
        self._news.put(True)

    def close(self) -> None:
        self._news.put(False)
        self._thread.join()
        self._db.close()

    def _write_loop(self) -> None:
        while self._news.get():
            with self._lock:
                batch, self._batch = self._batch, _Batch()
            if not batch.words:
                continue
            try:
                self._write(batch)
            except sqlite3.Error as error:
                # A report that can't be kept is still better sent than not; the next write tries it again.
                _log.error("%s can't be written: %s; reports may be lost with the program", self._path, error)
                with self._lock:
                    self._batch.words = batch.words | self._batch.words
            for then in batch.then:
                self._loop.call_soon_threadsafe(then)

    def _write(self, batch: _Batch) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            dropped = [(task_id,) for task_id, report in batch.words.items() if report is None]
            kept = [report for report in batch.words.values() if report is not None]
            self._db.executemany("DELETE FROM reports WHERE task_id = ?", dropped)
            self._db.executemany(
                "INSERT OR REPLACE INTO reports VALUES (?, ?)",
                [(report.task_id, to_line(report)[:-1]) for report in kept],
            )
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
