"""Copies stores between SQLite and PostgreSQL, and checks, backs up and restores one in PostgreSQL.

Whatever is written is read back and compared, and it is there whole or not at all.
"""

import contextlib
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec

from propeller import private
from propeller.errors import Conflict, NotFound, StoreUnusable
from propeller.store import transfer
from propeller.store.port import Identity
from propeller.store.postgres import soundness as of_postgres
from propeller.store.postgres import transfer as postgres
from propeller.store.postgres.access import Db
from propeller.store.postgres.settings import PostgresSettings
from propeller.store.sqlite import backups, soundness
from propeller.store.sqlite.backups import Checked, Held, Restored
from propeller.store.sqlite.opening import (
    FILE_NAME,
    damage_of,
    damage_of_content,
    explained,
    is_of_this_version,
    lock_directory,
    migrate,
    read_only,
    way_out,
)
from propeller.store.sqlite.transfer import SqliteRows, drafted

#: A data directory, or a database of PostgreSQL.
Place = Path | PostgresSettings

_IDENTITY = "manager.json"


class Copied(msgspec.Struct, frozen=True):
    source: str
    target: str
    #: How many rows each table has.
    rows: dict[str, int]


async def copy(source: Place, target: Place) -> Copied:
    """Copy a store that no manager has open into an empty place, with the identity of its manager.

    Raises:
        NotFound: The source holds no store.
        Conflict: A manager has one of both open, or the target holds something.
        StoreUnusable: One of both can't be used, or is damaged. The target is as it was.

    """
    async with _opened(source) as (rows, identity):
        if isinstance(target, Path):
            counts = await _fill_directory(rows, target, identity)
            return Copied(rows.place, str(target / FILE_NAME), counts)
        async with postgres.filled(target) as draft:
            if held := await draft.held():
                raise Conflict(
                    f"{draft.place} is not empty: there are rows in {', '.join(held)}; name an empty "
                    "database, or put a backup in its place: propeller db restore FILE --database URL"
                )
            counts = await transfer.move(rows, draft)
            await _take_identity(draft.db, identity)
        return Copied(rows.place, draft.place, counts)


@contextlib.asynccontextmanager
async def _opened(place: Place) -> AsyncIterator[tuple[transfer.Source, Identity | None]]:
    """Keep managers out of a sound store while it is read."""
    if isinstance(place, PostgresSettings):
        async with postgres.read(place):
            pass  # the lead is taken of a store alone
        async with postgres.led(place), postgres.read(place) as rows:
            await _refuse_damage(rows)
            found = await rows.db.fetchrow("SELECT id, epoch FROM identity")
            yield rows, Identity(*found) if found else None
        return
    database = backups.database_in(place)
    with contextlib.closing(lock_directory(place)), explained(database):
        if damage := damage_of(database):
            raise StoreUnusable(f"{database} {damage}. {way_out(database)}")
        with _of_this_version(database) as db:
            db.execute("BEGIN")
            yield SqliteRows(db, str(database)), _identity_in(place)


@contextlib.contextmanager
def _of_this_version(database: Path) -> Iterator[sqlite3.Connection]:
    """Connect to a store, for reading; of one of an earlier version a copy is read that has been migrated."""
    with contextlib.closing(read_only(database)) as db, contextlib.ExitStack() as stack:
        if is_of_this_version(db):
            yield db
            return
        work = stack.enter_context(tempfile.TemporaryDirectory(prefix="propeller-copy-"))
        migrated = sqlite3.connect(Path(work) / FILE_NAME, isolation_level=None)
        stack.enter_context(contextlib.closing(migrated))
        with explained(Path(work) / FILE_NAME):
            db.backup(migrated)
            migrate(migrated)
        if damage := damage_of_content(migrated):
            raise StoreUnusable(f"{database} {damage}. {way_out(database)}")
        yield migrated


async def _refuse_damage(rows: postgres.PostgresRows) -> None:
    if damage := await of_postgres.damage_inside(rows.db):
        raise StoreUnusable(
            f"{rows.place} {damage}. Nothing was changed; put a backup in its place: "
            "propeller db restore FILE --database URL"
        )


async def _fill_directory(
    rows: transfer.Source, directory: Path, identity: Identity | None
) -> dict[str, int]:
    database = directory / FILE_NAME
    with contextlib.closing(lock_directory(directory)), explained(database):
        if _is_taken(directory):
            raise Conflict(f"{directory} holds a store already; name an empty directory")
        with backups.working_directory(directory) as work:
            path = work / FILE_NAME
            counts = await _draft(rows, path)
            if identity is not None:
                _keep_identity(directory, identity)
            backups.put_in_place(path, database)
    return counts


def _is_taken(directory: Path) -> bool:
    return any(directory.glob(f"{FILE_NAME}*"))


async def _draft(rows: transfer.Source, path: Path) -> dict[str, int]:
    """Write all rows into a new database, look at all of it, and wait until it is on the disk."""
    with drafted(path) as draft:
        counts = await transfer.move(rows, draft)
    if damage := backups.damage_of_copy(path):
        raise StoreUnusable(f"{rows.place}: a copy of it {damage}; look at the disk with {path.parent}")
    backups.sync(path)
    return counts


def _identity_in(directory: Path) -> Identity | None:
    with contextlib.suppress(FileNotFoundError):
        found = msgspec.json.decode((directory / _IDENTITY).read_bytes(), type=dict[str, str | int])
        return Identity(str(found["id"]), int(found["epoch"]))
    return None


def _keep_identity(directory: Path, identity: Identity) -> None:
    file = directory / _IDENTITY
    private.make_file(file)
    file.write_bytes(msgspec.json.encode(identity._asdict()))


async def _take_identity(db: Db, identity: Identity | None) -> None:
    if identity is not None:
        await db.execute("UPDATE identity SET id = $1, epoch = $2", identity.id, identity.epoch)


# -- PostgreSQL ----------------------------------------------------------------------------------------------


async def check(settings: PostgresSettings) -> Checked:
    """Check everything in a database, and change nothing. Managers may go on."""
    async with postgres.read(settings) as rows:
        damage = await of_postgres.damage_inside(rows.db)
        leads = "SELECT expires_at >= clock_timestamp() FROM leader"
        held = None if damage else await _held_by(rows.db, rows.place)
        return Checked(rows.place, damage, is_in_use=bool(await rows.db.fetchval(leads)), held=held)


async def back_up(settings: PostgresSettings, target: Path) -> Held:
    """Copy a database, as it is at one moment, into one file as ``backups.back_up`` writes it.

    Raises:
        Conflict: The file is there already.
        StoreUnusable: The database is damaged, or the file can't be written; no part of the file is left.

    """
    if os.path.lexists(target):  # noqa: ASYNC240  nothing else goes on meanwhile
        raise Conflict(f"{target} is there already; name a new file")
    with explained(target), contextlib.ExitStack() as stack:
        draft = target.with_name(f".{target.name}.draft")
        draft.unlink(missing_ok=True)  # of a backup that was cut off
        stack.callback(draft.unlink, missing_ok=True)
        async with postgres.read(settings) as rows:
            await _refuse_damage(rows)
            await _draft(rows, draft)
        backups.seal(draft)
        backups.sync(draft)
        draft.rename(target)
        backups.sync(target.parent)
    return backups.held_by(target)


async def restore(settings: PostgresSettings, source: Path) -> Restored:
    """Replace what a database holds by a backup; what was there is backed up beside the source before.

    Raises:
        NotFound: There is no such file.
        Invalid: The file is no store, or is damaged.
        Conflict: A manager leads.

    """
    if not source.is_file():  # noqa: ASYNC240  nothing else goes on meanwhile
        raise NotFound(f"{source}: there is no such file; name a backup that propeller db backup made")
    with tempfile.TemporaryDirectory(prefix="propeller-restore-") as work:
        copy_ = Path(work) / FILE_NAME
        with explained(copy_):
            shutil.copyfile(source, copy_)
            if (log := soundness.log_path(source)).is_file():
                shutil.copyfile(log, soundness.log_path(copy_))
            backups.refuse_unless_sound(copy_, source)
        with contextlib.closing(read_only(copy_)) as db:
            db.execute("BEGIN")
            async with postgres.filled(settings) as draft:
                before = await _set_aside(draft, source.parent)
                await draft.empty()
                await transfer.move(SqliteRows(db, str(source)), draft)
                held = await _held_by(draft.db, draft.place)
    return Restored(held, str(before or ""))


async def _set_aside(rows: postgres.PostgresDraft, directory: Path) -> Path | None:
    """Back up what a database holds, if it holds anything; what is damaged is kept as it is, for a look."""
    if not await rows.held():
        return None
    is_damaged = bool(await of_postgres.damage_inside(rows.db))
    name = time.strftime("before-restore-%Y-%m-%dT%H-%M-%S-")
    path = _new_file(directory, f"damaged-{name}" if is_damaged else name)
    with explained(path):
        try:
            with drafted(path, takes_anything=is_damaged) as draft:
                await transfer.move(rows, draft)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        backups.sync(path)
    return path


def _new_file(directory: Path, prefix: str) -> Path:
    with explained(directory):
        descriptor, name = tempfile.mkstemp(prefix=prefix, suffix=".db", dir=directory)
        os.close(descriptor)
    return Path(name)


async def _held_by(db: Db, place: str) -> Held:
    counts = await db.fetchrow(
        "SELECT (SELECT COUNT(*) FROM tasks), (SELECT COUNT(*) FROM groups), "
        "(SELECT COALESCE(MAX(last_id), 0) FROM events), pg_database_size(current_database())"
    )
    assert counts is not None
    return Held(place, *counts)
