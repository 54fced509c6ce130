"""Opening a store: for one program alone, only if nothing is missing, and migrated to this version."""

import contextlib
import fcntl
import logging
import os
import sqlite3
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from propeller import private
from propeller.errors import StoreUnusable
from propeller.store import limits
from propeller.store.sqlite import soundness
from propeller.store.sqlite.mark import Mark, mark_path, read_mark

_log = logging.getLogger(__name__)

FILE_NAME = "propeller.db"
#: For a draft, which is thrown away if it fails: no file is left beside it where the disk is full.
NO_JOURNAL = "PRAGMA journal_mode=MEMORY"
#: SQLite's codes for a file that is damaged, or is no database.
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class StoreInUse(StoreUnusable):
    """Another program has opened the store."""


def lock_directory(directory: Path) -> Any:
    """Make the directory if need be, and lock it for this process; the lock ends with the process.

    Raises:
        StoreInUse: Another process has the lock.
        StoreUnusable: The directory can't be made or written.

    """
    try:
        private.make_directory(directory)
        private.make_file(directory / "lock")
        lock = (directory / "lock").open("a+")
    except OSError as error:
        raise StoreUnusable(
            f"data directory {directory} can't be used: {error.strerror}; "
            "choose another with --data-dir, or give this user the right to write there"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.seek(0)
        pid = lock.read().strip() or "unknown"
        lock.close()
        raise StoreInUse(
            f"data directory {directory} is in use by another manager (process {pid}); "
            "stop that one, or choose another directory with --data-dir"
        ) from error
    except OSError as error:
        lock.close()
        raise StoreUnusable(
            f"data directory {directory} can't be locked: {error.strerror}; its file system has no locks: "
            "choose one on this machine with --data-dir"
        ) from error
    try:
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
    except OSError as error:
        lock.close()
        raise StoreUnusable(f"data directory {directory} can't be written: {error.strerror}") from error
    return lock


def refuse_damage(database: Path) -> bool:
    """Raise ``StoreUnusable`` if something is missing or damaged; change nothing.

    Say whether all pages and records are still to be looked at (``looking``).
    """
    mark = read_mark(database)
    is_as_left = soundness.is_as_it_was_left(database, mark)
    problem = soundness.damage_of_files(database, mark, is_as_left=is_as_left)
    log = soundness.log_path(database)
    is_trusted = soundness.is_empty(database) or (is_as_left and soundness.is_empty(log))
    is_looked_at_later = False
    if not problem and not is_trusted:
        size = sum(path.stat().st_size for path in (database, log) if path.exists())
        is_looked_at_later = size > limits.LOOKED_AT_FIRST_BYTES and _is_migrated(database)
        when = "beside the work" if is_looked_at_later else "before the start"
        text = "%s was not closed in order: all of it (%.1f MiB) is looked at %s"
        _log.warning(text, database, size / 2**20, when)
        problem = _damage_inside(database, mark, is_whole=not is_looked_at_later)
    if problem:
        raise StoreUnusable(f"{database} {problem}. {way_out(database)}")
    return is_looked_at_later


def _is_migrated(database: Path) -> bool:
    with contextlib.suppress(sqlite3.Error), contextlib.closing(read_only(database)) as db:
        return is_of_this_version(db)
    return False


def is_of_this_version(db: sqlite3.Connection) -> bool:
    return bool(db.execute("PRAGMA user_version").fetchone()[0] == len(_steps()))


def damage_of_content(db: sqlite3.Connection) -> str:
    """Look at every page of a database and, if it is of this version, at every record; say what is wrong.

    Records of another version have other columns.
    """
    return soundness.damage_inside(db, with_records=is_of_this_version(db))


def way_out(database: Path) -> str:
    if soundness.is_empty(database):
        anew = f"to begin with an empty store delete {mark_path(database)} and what else there is of it"
    else:
        anew = f"to go on with what can be read of it: propeller db restore {database}"
    return (
        "Nothing was changed. Put back the file that is missing, or a backup in its place: "
        f"propeller db restore FILE; {anew}"
    )


def damage_of(database: Path) -> str:
    """Look at all of a store that no program has open; say what is wrong with it, ``""`` if nothing is."""
    mark = read_mark(database)
    is_as_left = soundness.is_as_it_was_left(database, mark)
    problem = soundness.damage_of_files(database, mark, is_as_left=is_as_left)
    if problem or soundness.is_empty(database):
        return problem
    return _damage_inside(database, mark, is_whole=True)


def _damage_inside(database: Path, mark: Mark | None, *, is_whole: bool) -> str:
    """Compare what is in a database with its mark; look at all of it if ``is_whole``."""
    try:
        with contextlib.closing(read_only(database)) as db:
            problem = damage_of_content(db) if is_whole else ""
            return problem or soundness.lack(db, mark)
    except sqlite3.Error as error:
        return f"can't be read: {error}"


def read_only(database: Path) -> sqlite3.Connection:
    """Connect without writing anything; not even the log is copied into the database at the end."""
    return sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True, isolation_level=None)


def migrate(db: sqlite3.Connection, store: Path | None = None) -> None:
    """Migrate the schema to this program's version, each step in a transaction; say so of a ``store``."""
    steps = _steps()
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > len(steps):
        raise StoreUnusable(
            f"the data was written by a newer version of Propeller (schema {version}, this one knows "
            f"{len(steps)}); use that version, or another --data-dir"
        )
    if store is not None and 0 < version < len(steps):
        text = "%s is of an earlier version: its tables are brought from schema %d to %d (%.1f MiB)"
        _log.warning(text, store, version, len(steps), store.stat().st_size / 2**20)
    for number, step in enumerate(steps[version:], start=version + 1):
        db.executescript(f"BEGIN;\n{step.read_text()}\nPRAGMA user_version={number};\nCOMMIT;")


def _steps() -> list[Any]:
    folder = resources.files("propeller.store.sqlite") / "migrations"
    return sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda e: e.name)


@contextlib.contextmanager
def closed_on_error(db: sqlite3.Connection) -> Iterator[None]:
    """Close a connection if the block fails, and so end its transaction."""
    try:
        yield
    except BaseException:
        db.close()
        raise


class explained:  # noqa: N801  used as a phrase: with explained(path)
    """Turn errors of a database into ``StoreUnusable`` with the file and a way out."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF not in _DAMAGE:
            raise StoreUnusable(
                f"{self._path} can't be read or written: {error}; check the disk's free space and the "
                "directory's permissions. What was answered before is in it"
            ) from error
        if isinstance(error, soundness.UNREADABLE):
            raise StoreUnusable(
                f"{self._path} is damaged: {error}. Stop the manager, look with propeller db check, and put "
                "a backup in its place: propeller db restore FILE"
            ) from error
        if isinstance(error, OSError):
            raise StoreUnusable(f"{self._path} can't be used: {error.strerror}") from error
