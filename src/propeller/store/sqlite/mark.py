"""The mark: a line of text in ``propeller.db-mark`` that says how much the store has committed.

A database alone can't know what it has lost: if its log is missing, emptied or an older one, it is a sound
database that holds less. The mark counts the commits, and says how long the log was then. It is written in
place after each commit, before anybody hears of the commit; that costs microseconds. The end of the program
does not lose it. After a power cut it may be older than the database, but never newer.
"""

import contextlib
import os
import zlib
from pathlib import Path
from typing import Literal

import msgspec

from propeller.store.sqlite.wal import LiveLog

#: ``none`` is for a store that nobody opens again.
Durability = Literal["full", "normal", "none"]

#: One sector, so that it is written as a whole.
_BYTES = 512
_encode = msgspec.json.Encoder().encode


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """The progress of a store."""

    #: The newest event.
    last_event_id: int = 0
    #: Commits that made no event.
    quiet_commits: int = 0
    #: The log with the last commit, and how many of its frames were on the disk.
    log: str = ""
    frames: int = 0
    durability: Durability = "full"
    #: The start of the machine; another one means that there may have been a power cut.
    boot: str = ""
    #: Checksum of the whole database if the program has ended in order; it holds until the next start.
    checksum: int | None = None
    #: SQLite's own count of changes then: a change by SQLite's own program raises it, damage does not.
    changes: int = 0

    @property
    def is_empty(self) -> bool:
        return not (self.last_event_id or self.quiet_commits)

    @property
    def is_certain(self) -> bool:
        """True if all commits must be there; a power cut may take those that did not wait for the disk."""
        return self.durability == "full" or self.boot == boot()


def boot() -> str:
    """Name this start of the machine; ``""`` if it is unknown."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""


def mark_path(database: Path) -> Path:
    return database.with_name(f"{database.name}-mark")


def read_mark(database: Path) -> Mark | None:
    """Read the mark of a database; None if there is none, or it can't be read."""
    try:
        line = mark_path(database).read_bytes().rstrip()
        if zlib.crc32(line[9:]) == int(line[:8], 16):
            return msgspec.json.decode(line[9:], type=Mark)
    except (OSError, ValueError):  # a power cut may have left a file without content
        pass
    return None


def checksum_of(path: Path) -> int:
    """Compute the checksum of a file.

    No connection of this process may have the file open: closing it here would end the connection's locks.
    """
    found = 0
    with path.open("rb") as file:
        while piece := file.read(2**20):
            found = zlib.crc32(piece, found)
    return found


class MarkFile:
    """The mark of a store that is open, written by the thread that writes the store."""

    def __init__(
        self, database: Path, *, last_event_id: int, quiet_commits: int, durability: Durability
    ) -> None:
        """Create the mark for what is in the database now."""
        self._database = database
        #: False as long as the database has to be looked at: then its end does not count as one in order.
        self.is_trusted = True
        self._mark = Mark(
            last_event_id=last_event_id, quiet_commits=quiet_commits, durability=durability, boot=boot()
        )
        self._descriptor = os.open(mark_path(database), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._write()
        os.fsync(self._descriptor)
        _sync_directory(database.parent)

    def committed(self, last_event_id: int, log: LiveLog) -> None:
        """Note a commit; ``last_event_id`` is 0 if the commit made no event."""
        mark = self._mark
        self._mark = msgspec.structs.replace(
            mark,
            last_event_id=last_event_id or mark.last_event_id,
            quiet_commits=mark.quiet_commits + (not last_event_id),
            log=log.salts.hex(),
            frames=log.frames,
        )
        self._write()

    def began_anew(self) -> None:
        """Note that the whole log was copied into the database."""
        self._mark = msgspec.structs.replace(self._mark, log="", frames=0)
        self._write()
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Note the checksum of the database, which no program has open any more."""
        if self.is_trusted and not self._database.with_name(f"{self._database.name}-wal").exists():
            self._mark = msgspec.structs.replace(
                self._mark,
                log="",
                frames=0,
                checksum=checksum_of(self._database),
                changes=change_count(self._database) or 0,
            )
            self._write()
            os.fsync(self._descriptor)
        os.close(self._descriptor)

    def abandon(self) -> None:
        os.close(self._descriptor)

    def _write(self) -> None:
        text = _encode(self._mark)
        line = f"{zlib.crc32(text):08x} ".encode() + text
        os.pwrite(self._descriptor, line.ljust(_BYTES - 1) + b"\n", 0)


def change_count(database: Path) -> int | None:
    """Read SQLite's count of changes from the header; None if the header is damaged."""
    with database.open("rb") as file:
        header = file.read(100)
    return int.from_bytes(header[24:28]) if header[24:28] == header[92:96] else None


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
