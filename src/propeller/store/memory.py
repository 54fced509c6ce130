"""A store for trials and tests: SQLite in a directory in memory, which goes with the program.

Nothing waits for a disk. What the store held is gone when the program ends, in whatever way.
"""

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any

from propeller.errors import StoreUnusable
from propeller.store import limits
from propeller.store.sqlite.store import SqliteStore

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  directories in it are made for one user alone
#: Less room than this, as in many containers, is left to others, and the temporary directory is used.
_ROOM_BYTES_MIN = 256 * 2**20
_PREFIX = "propeller-memory-"


class MemoryDirectory:
    """A directory for this process alone: in memory, or, where there is no room, the temporary one."""

    def __init__(self) -> None:
        """Make it, and delete those of programs that were killed; raise ``StoreUnusable``."""
        try:
            base = _base()
            _sweep(base)
            draft = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}", dir=base))
            self._owner = _locked(draft / "owner")
            # Only now others may find it: it is locked.
            self.path = draft.rename(draft.with_name(draft.name[1:]))
        except OSError as error:
            raise StoreUnusable(
                f"the store in memory has no place to be: {error.strerror}; make room in {_SHARED_MEMORY} or "
                f"{tempfile.gettempdir()}, or choose --storage-type sqlite"
            ) from error

    def close(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        self._owner.close()


class MemoryStore(SqliteStore):
    """The store in memory; ``port.Store`` describes the methods."""

    def __init__(self, *, history_bytes: int = limits.HISTORY_BYTES_KEPT) -> None:
        """Make an empty store; raise ``StoreUnusable`` if there is no room for it."""
        self._place = MemoryDirectory()
        try:
            super().__init__(self._place.path, durability="none", history_bytes=history_bytes)
        except BaseException:
            self._place.close()
            raise

    @property
    def directory(self) -> Path:
        """Where its files are, and what else is to go with it may be."""
        return self._place.path

    async def close(self) -> None:
        await super().close()
        self._place.close()


def _base() -> Path:
    with contextlib.suppress(OSError):
        if os.access(_SHARED_MEMORY, os.W_OK | os.X_OK) and _free(_SHARED_MEMORY) >= _ROOM_BYTES_MIN:
            return _SHARED_MEMORY
    return Path(tempfile.gettempdir())


def _free(path: Path) -> int:
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def _locked(path: Path) -> Any:
    """Open a file, and lock it for as long as it is open; raise ``BlockingIOError`` if somebody else has."""
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise
    return file


def _sweep(base: Path) -> None:
    """Delete directories of this user whose programs have ended without doing so."""
    for found in base.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            status = found.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
                continue
            with _locked(found / "owner"):
                shutil.rmtree(found, ignore_errors=True)
