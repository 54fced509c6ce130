"""Keeps the write-ahead log small, beside the writer's work.

SQLite appends to its log until all of it is in the database and no reader uses it; only then it begins at the
front again. With a busy writer and overlapping readers that moment never comes. So it is made:

1. When the log has reached its bound, a thread of its own copies it into the database, which delays nobody. A
   writer that is faster than the disk waits for the copy once the log is four times as large.
2. New reads wait until those under way are over. The writer goes on.
3. Between two commits the writer copies the few frames that came meanwhile, and the log begins at the front.

From there the file is overwritten. That needs no new blocks of the disk, and so is faster than appending.
"""

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from propeller.store.sqlite.wal import LiveLog

_log = logging.getLogger(__name__)

#: The bound: a larger log is copied into the database.
LOG_BYTES = 8 * 2**20
#: While another program reads, the log can't begin anew; this is tried again when it has grown by this much.
_MORE_BYTES = LOG_BYTES // 4


class Turnstile:
    """Lets reads pass, and holds new ones back while it is closed."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._inside = 0
        self._when_empty: Callable[[], None] | None = None

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        with self._change:
            self._change.wait_for(lambda: self._when_empty is None)
            self._inside += 1
        try:
            yield
        finally:
            with self._change:
                self._inside -= 1
                self._tell_if_empty()

    def close(self, when_empty: Callable[[], None]) -> None:
        """Hold new reads back; call once those under way are over."""
        with self._change:
            self._when_empty = when_empty
            self._tell_if_empty()

    def open(self) -> None:
        with self._change:
            self._when_empty = None
            self._change.notify_all()

    def _tell_if_empty(self) -> None:
        if self._when_empty is not None and not self._inside:
            self._when_empty()


@contextlib.contextmanager
def _impatient(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Keep a connection from waiting for the locks of others."""
    usual = db.execute("PRAGMA busy_timeout").fetchone()[0]
    db.execute("PRAGMA busy_timeout=0")
    try:
        yield db
    finally:
        db.execute(f"PRAGMA busy_timeout={usual}")


class LogUpkeep:
    """Bounds the log of one database; ``committed`` runs in the writer's thread."""

    def __init__(
        self,
        path: Path,
        writer: sqlite3.Connection,
        *,
        connect: Callable[[], sqlite3.Connection],
        in_writer: Callable[[Callable[[], None]], None],
        on_begun_anew: Callable[[], None],
    ) -> None:
        writer.execute("PRAGMA wal_autocheckpoint=0")
        # A file that is larger, after a large commit, is cut to this when the log begins at the front.
        writer.execute(f"PRAGMA journal_size_limit={LOG_BYTES}")
        self.turnstile = Turnstile()
        self._writer = writer
        self._connect = connect
        self._in_writer = in_writer
        self._on_begun_anew = on_begun_anew
        self.log = LiveLog(path)
        self._copier = ThreadPoolExecutor(1, thread_name_prefix="store-upkeep")
        self._copied: Future[None]
        self._is_at_it = False
        self._bound_bytes = LOG_BYTES

    def stop(self) -> None:
        """Begin no more copies; call it while the writer and the readers still run."""
        self._copier.shutdown(wait=True)

    def close(self) -> None:
        """Close the log; call it when the writer has ended."""
        self.log.close()

    def committed(self) -> None:
        """Begin to copy the log if it has reached its bound; to be called after each commit."""
        if self._is_at_it:
            if not self._copied.done() and self.log.used_bytes > 4 * LOG_BYTES:
                self._copied.result()
        elif self.log.used_bytes > self._bound_bytes:
            with contextlib.suppress(RuntimeError):  # it was stopped
                self._copied = self._copier.submit(self._copy)
                self._is_at_it = True

    def _copy(self) -> None:
        """Copy the log into the database beside the writer."""
        try:
            with contextlib.closing(self._connect()) as db:
                db.execute("PRAGMA wal_checkpoint(PASSIVE)")
        except sqlite3.Error as error:
            _log.warning("the write-ahead log can't be moved into the database yet: %s", error)
            self._in_writer(self._try_later)
        else:
            self.turnstile.close(when_empty=lambda: self._in_writer(self._begin_anew))

    def _begin_anew(self) -> None:
        """Copy the rest of the log, and let the next commit overwrite the log from its front."""
        is_huge = self.log.file_bytes > 2 * LOG_BYTES
        mode = "TRUNCATE" if is_huge else "RESTART"
        try:
            with _impatient(self._writer) as db:
                is_busy = db.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()[0]
            if not is_busy:
                self._on_begun_anew()
        except (sqlite3.Error, OSError) as error:
            _log.warning("the write-ahead log can't begin anew yet: %s", error)
            is_busy = True
        finally:
            self.turnstile.open()
        if is_busy:
            self._try_later()
        else:
            self._bound_bytes = LOG_BYTES
            self._is_at_it = False

    def _try_later(self) -> None:
        self._bound_bytes = self.log.used_bytes + _MORE_BYTES
        self._is_at_it = False
