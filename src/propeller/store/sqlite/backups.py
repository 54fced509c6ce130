"""Checks a store, backs it up, and restores a backup; a store may be checked and backed up while in use."""

import contextlib
import hashlib
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from propeller import private
from propeller.errors import Conflict, Invalid, NotFound, StoreUnusable
from propeller.store.sqlite import soundness
from propeller.store.sqlite.mark import MarkFile, mark_path
from propeller.store.sqlite.opening import (
    FILE_NAME,
    NO_JOURNAL,
    StoreInUse,
    damage_of,
    damage_of_content,
    explained,
    lock_directory,
    migrate,
    read_only,
    way_out,
)

_DRAFTS = ".restore-"
#: What a backup has behind its last page, where SQLite does not look: this, and the SHA-256 of all before.
_SEAL = b"\npropeller backup, sha256 "
_SEAL_BYTES = len(_SEAL) + 64


class Held(msgspec.Struct, frozen=True):
    """The contents of a database, counted."""

    path: str
    tasks: int
    groups: int
    last_event_id: int
    bytes: int


class Checked(msgspec.Struct, frozen=True):
    """The findings of a check."""

    path: str
    #: What is wrong with the store; ``""`` for nothing.
    damage: str
    #: True if a manager has the store open.
    is_in_use: bool
    held: Held | None = None


class Restored(msgspec.Struct, frozen=True):
    held: Held
    #: The directory with the files of the earlier store; ``""`` if there were none.
    before: str


def check(directory: Path) -> Checked:
    """Check everything in a store, and change nothing. A manager may have the store open."""
    database = database_in(directory)
    with _held(directory) as is_in_use:
        if not is_in_use:
            damage = damage_of(database)
        else:
            with contextlib.closing(read_only(database)) as db:
                damage = damage_of_content(db)
        held = None if damage or soundness.is_empty(database) else held_by(database)
    return Checked(str(database), damage, is_in_use=is_in_use, held=held)


def back_up(directory: Path, target: Path) -> Held:
    """Copy a store into one file, as it is at one moment; a manager may have the store open.

    Raises:
        NotFound: There is no store.
        Conflict: The file is there already.
        StoreUnusable: The store is damaged, or the file can't be written; then no part of the file is left.

    """
    database = database_in(directory)
    if os.path.lexists(target):
        raise Conflict(f"{target} is there already; name a new file")
    draft = target.with_name(f".{target.name}.draft")
    with _held(directory) as is_in_use, explained(target), contextlib.ExitStack() as stack:
        if not is_in_use and (damage := damage_of(database)):
            raise StoreUnusable(f"{database} {damage}. {way_out(database)}")
        private.make_file(draft)
        stack.callback(draft.unlink, missing_ok=True)
        with (
            contextlib.closing(read_only(database)) as db,
            contextlib.closing(sqlite3.connect(draft, isolation_level=None)) as copy,
        ):
            copy.execute(NO_JOURNAL)
            db.backup(copy)
            copy.execute(NO_JOURNAL)  # in place of the log that the store has
        if damage := damage_of_copy(draft):
            raise StoreUnusable(f"{database} {damage}. {way_out(database)}")
        seal(draft)
        sync(draft)
        draft.rename(target)
        sync(target.parent)
    return held_by(target)


def restore(directory: Path, source: Path) -> Restored:
    """Replace a store by a copy; the files of the old store are set aside, and the source stays as it is.

    The source may be the damaged database itself: then the store goes on with all that SQLite can read of it.

    Raises:
        NotFound: There is no such file.
        Invalid: The file is no store, or is damaged itself.
        StoreInUse: A manager has the store open.

    """
    if not source.is_file():
        raise NotFound(f"{source}: there is no such file; name a backup that propeller db backup made")
    database = directory / FILE_NAME
    with (
        contextlib.closing(lock_directory(directory)),
        explained(database),
        working_directory(directory) as work,
    ):
        copy = work / FILE_NAME
        for end in ("", "-wal"):
            if (part := source.with_name(source.name + end)).is_file():
                shutil.copyfile(part, f"{copy}{end}")
        refuse_unless_sound(copy, source)
        before = put_in_place(copy, database)
    return Restored(held_by(database), str(before or ""))


@contextlib.contextmanager
def working_directory(directory: Path) -> Iterator[Path]:
    """Make a directory for a draft in one that is locked; those of programs that were killed are deleted."""
    for left in directory.glob(f"{_DRAFTS}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_DRAFTS, dir=directory) as work:
        yield Path(work)


def put_in_place(copy: Path, database: Path) -> Path | None:
    """Give a sound copy the place of a store; give the directory that has that one's files now, if any."""
    with contextlib.closing(read_only(copy)) as db:
        last_event_id, quiet_commits = soundness.progress(db)
    before = _set_aside(database)
    mark = MarkFile(database, last_event_id=last_event_id, quiet_commits=quiet_commits, durability="full")
    copy.rename(database)
    sync(database.parent)
    mark.close()
    return before


def refuse_unless_sound(copy: Path, source: Path) -> None:
    """Migrate a copy to this version, with its log in it; raise ``Invalid`` if it is no sound store."""
    if _is_seal_broken(copy):
        raise Invalid(f"{source} is not what was written; restore another backup. Nothing was changed")
    try:
        with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as db:
            if db.execute("SELECT COUNT(*) FROM sqlite_master WHERE name = 'runs'").fetchone()[0] == 0:
                raise Invalid(
                    f"{source} is no store of Propeller; name a backup that propeller db backup made"
                )
            migrate(db)
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            db.execute("PRAGMA journal_mode=DELETE")
        damage = damage_of_copy(copy)
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL:
            raise  # which is not the source's fault
        damage = f"can't be read: {error}"
    if damage:
        raise Invalid(f"{source} {damage}; restore another backup. Nothing was changed")
    private.mend(copy)
    sync(copy)


def seal(path: Path) -> None:
    """Write behind the end of a database what its bytes add up to: no page shows that it was changed."""
    digest = _digest_of(path)
    with path.open("ab") as file:
        file.write(_SEAL + digest.encode())


def _is_seal_broken(copy: Path) -> bool:
    """Compare a copy with its seal, if it has one, and take the seal off."""
    at = copy.stat().st_size - _SEAL_BYTES
    if at < 0:
        return False
    with copy.open("rb") as file:
        file.seek(at)
        found = file.read()
    if not found.startswith(_SEAL):
        return False
    os.truncate(copy, at)
    return _digest_of(copy).encode() != found.removeprefix(_SEAL)


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def damage_of_copy(path: Path) -> str:
    """Look at all of a database that no program has open, as ``damage_of_content`` does."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        return damage_of_content(db)


def _set_aside(database: Path) -> Path | None:
    """Move the files of a store into a directory of their own, and copy its mark there.

    The mark also stays where it is, so that no manager starts with an empty store before the copy is there.
    """
    mark = mark_path(database)
    parts = [path for path in (database, soundness.log_path(database)) if path.exists()]
    database.with_name(f"{database.name}-shm").unlink(missing_ok=True)
    if not parts and not mark.exists():
        return None
    prefix = time.strftime("before-restore-%Y-%m-%dT%H-%M-%S-")
    aside = Path(tempfile.mkdtemp(prefix=prefix, dir=database.parent))
    if mark.exists():
        shutil.copy(mark, aside)
    for part in parts:
        part.rename(aside / part.name)
    return aside


def database_in(directory: Path) -> Path:
    """Give the database in a directory; raise ``NotFound`` if there is none."""
    database = directory / FILE_NAME
    if not (database.exists() or mark_path(database).exists() or soundness.log_path(database).exists()):
        raise NotFound(f"{directory} holds no store; name its directory with --data-dir")
    return database


@contextlib.contextmanager
def _held(directory: Path) -> Iterator[bool]:
    """Keep managers from opening the store during the block; yields whether one has it open already."""
    try:
        lock = lock_directory(directory)
    except StoreInUse:
        yield True
        return
    with contextlib.closing(lock):
        yield False


def held_by(database: Path) -> Held:
    """Count what a database holds."""
    with contextlib.closing(read_only(database)) as db:
        tasks = db.execute("SELECT COUNT(*) FROM tasks").fetchone()[0]
        groups = db.execute("SELECT COUNT(*) FROM groups").fetchone()[0]
        last = soundness.progress(db)[0]
    return Held(str(database), tasks, groups, last, database.stat().st_size)


def sync(path: Path) -> None:
    """Wait until a file or directory is on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
