"""Keeping the write-ahead log small, beside the writer's work.

SQLite appends to its log until all of it is in the database and nobody reads from it; only then it begins
at the front again. With a writer that does not rest and readers that take turns, that moment never comes:

1. Once the log has reached its bound, a thread of its own copies it into the database, which holds up nobody.
   A writer that is faster than the disk waits for it once the log is four times as large.
2. New reads wait until those under way are over. The writer goes on.
3. Between two commits the writer copies the little that came meanwhile, and the log begins at the front.

The file is written over from there: that needs no new blocks of the disk, and so is faster than to append.
"""

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from propeller.store.wal import LiveLog

_log = logging.getLogger(__name__)

#: A log that is larger is moved into the database.
LOG_BYTES = 8 * 2**20
#: Where somebody from outside reads, the log can't begin anew: that is tried again when it is larger by this.
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
    """Let a connection not wait for locks that others hold."""
    usual = db.execute("PRAGMA busy_timeout").fetchone()[0]
    db.execute("PRAGMA busy_timeout=0")
    try:
        yield db
    finally:
        db.execute(f"PRAGMA busy_timeout={usual}")


class LogUpkeep:
    """Bounds the log of one database; ``committed`` and what it hands to the writer run in its thread."""

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
        # Beyond that the file is cut when it begins at the front: it may have taken in one large commit.
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
        """Begin nothing more; the writer must still be at work, and the readers."""
        self._copier.shutdown(wait=True)

    def close(self) -> None:
        """Give back what it holds; the writer has ended."""
        self.log.close()

    def committed(self) -> None:
        """Look whether the log has reached its bound."""
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
        """Copy what came since, and let the next commit write over the log from its front."""
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
