"""The default store: one SQLite database in the data directory.

One thread writes, with one transaction for each commit. Two threads read for the API, and one for the engine.
Each has a connection of its own. In WAL mode reads and writes don't wait for each other; ``upkeep`` bounds
the log.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from propeller import private
from propeller.core.effects import Changes, Transition
from propeller.core.idempotency import Key
from propeller.core.model import Execution, Group, GroupKind, Task
from propeller.store import limits
from propeller.store.port import (
    Cursor,
    Ended,
    EventFilter,
    EventPage,
    Found,
    Graph,
    GroupFilter,
    GroupPage,
    Invocation,
    KeptAnswer,
    KeptKey,
    Loaded,
    LogFilter,
    LogPiece,
    LogTail,
    PaceStep,
    Page,
    Record,
    Records,
    Sample,
    SampleOf,
    StoredPiece,
    TaskFilter,
)
from propeller.store.sqlite import expiry, lists, queries
from propeller.store.sqlite.events import PIECE_BYTES, Search, read_events
from propeller.store.sqlite.graphs import read_graph
from propeller.store.sqlite.history import History
from propeller.store.sqlite.idempotency import Keys, find_keys, read_key
from propeller.store.sqlite.invocations import close_invocations, read_invocations, write_invocations
from propeller.store.sqlite.logs import last_log_attempt, read_logs, tail_of_logs, write_logs
from propeller.store.sqlite.looking import Look, refuse_if_damaged
from propeller.store.sqlite.mark import Durability, MarkFile
from propeller.store.sqlite.opening import (
    FILE_NAME,
    closed_on_error,
    explained,
    lock_directory,
    migrate,
    refuse_damage,
)
from propeller.store.sqlite.overview import write_pace
from propeller.store.sqlite.proplet_keys import SqlitePropletKeys
from propeller.store.sqlite.records import write_groups, write_modules, write_proplets, write_tasks
from propeller.store.sqlite.samples import read_samples, write_samples
from propeller.store.sqlite.search import prepare
from propeller.store.sqlite.secrets import Secrets
from propeller.store.sqlite.soundness import progress
from propeller.store.sqlite.tokens import SqliteTokens
from propeller.store.sqlite.upkeep import LogUpkeep
from propeller.store.sqlite.whole import Whole

T = TypeVar("T")

_PRUNE_EVERY = 500
_SYNCHRONOUS = {"full": "FULL", "normal": "NORMAL", "none": "OFF"}
_READERS = 2
_ONE_MORE_QUIET_COMMIT = "UPDATE quiet_commits SET number = number + 1"
#: The cache of each connection. The system also keeps pages of the file in memory while it has room.
_CACHE_KIB = 16_000


class SqliteStore(Whole, SqliteTokens, SqlitePropletKeys, Secrets):
    """The store in SQLite; ``port.Store`` describes the methods.

    With ``durability="full"`` a commit survives a power cut. With ``"normal"`` it survives the end of the
    program; a power cut may take the last commits, but never damages the data. With ``"none"`` nothing waits
    for the disk.
    """

    #: It answers, or fails for good.
    outage = ""

    def __init__(
        self,
        directory: Path,
        *,
        durability: Durability = "full",
        history_bytes: int = limits.HISTORY_BYTES_KEPT,
    ) -> None:
        """Open or create the store in a directory; raise ``StoreUnusable``, with a way out, if that fails.

        The log of changes of state is kept up to ``history_bytes``.
        """
        super().__init__()
        self._path = directory / FILE_NAME
        self._synchronous = _SYNCHRONOUS[durability]
        self._synchronous_beside = "OFF" if durability == "none" else "NORMAL"
        self._lock = lock_directory(directory)
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        try:
            with explained(self._path):
                is_doubtful = refuse_damage(self._path)
                private.database(self._path)
                self._writer = self._connect()
                with closed_on_error(self._writer):
                    self._prepare(durability, history_bytes)
        except BaseException:
            self._lock.close()
            raise
        #: A look at all of the database, where that was too much before the start.
        self.look = Look(self._path, self._mark) if is_doubtful else None
        self._commits = 0
        self._modules = expiry.UnusedModules(self._writer)
        self._thread = threading.Thread(target=self._write_loop, name="store-writer", daemon=True)
        self._thread.start()
        self._local = threading.local()
        self._reading: list[sqlite3.Connection] = []
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-reader")
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="store-loader")
        #: Held by what reads for long, so that a reader stays free for others.
        self._long_read = asyncio.Lock()

    def _prepare(self, durability: Durability, history_bytes: int) -> None:
        migrate(self._writer, self._path)
        # This waits for the disk, so that the mark counts no commit that a power cut could still take.
        self._writer.execute("PRAGMA wal_checkpoint(PASSIVE)")
        last_event_id, quiet_commits = progress(self._writer)
        self._mark = MarkFile(
            self._path, last_event_id=last_event_id, quiet_commits=quiet_commits, durability=durability
        )
        self._history = History(self._writer, history_bytes)
        self._keys = Keys(self._writer)
        self._upkeep = LogUpkeep(
            self._path,
            self._writer,
            connect=self._connect,
            in_writer=self._queue.put,
            on_begun_anew=self._mark.began_anew,
        )

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        with closed_on_error(connection):
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"PRAGMA synchronous={self._synchronous}")
            connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
            connection.execute("PRAGMA temp_store=MEMORY")
            prepare(connection)
        return connection

    # -- threads -------------------------------------------------------------------------------------------

    def _write_loop(self) -> None:
        while (job := self._queue.get()) is not None:
            job()

    async def commit(self, changes: Changes) -> None:
        await self._in_writer(lambda: self._commit(changes))

    async def write_samples(self, samples: Sequence[Sample], now: int) -> None:
        await self._beside(lambda db: write_samples(db, samples, now))

    async def write_pace(self, steps: Sequence[PaceStep], kept: int) -> None:
        await self._beside(lambda db: write_pace(db, steps, kept))

    async def write_logs(self, pieces: Sequence[LogPiece]) -> None:
        await self._beside(lambda db: write_logs(db, pieces))

    async def write_invocations(self, invocations: Sequence[Invocation]) -> None:
        await self._beside(lambda db: write_invocations(db, invocations))

    async def close_invocations(self, error: str) -> None:
        await self._beside(lambda db: close_invocations(db, error))

    async def write_answer(self, key: Key, answer: KeptAnswer) -> KeptAnswer | None:
        return await self._beside(lambda _: self._keys.write_answer(key, answer))

    async def find_ended(self, before: int) -> Ended:
        return await self._read(lambda db: expiry.find_ended(db, before))

    async def forget(self, ended: Ended, before: int) -> bool:
        def piece(db: sqlite3.Connection) -> bool:
            with self._modules.watching():
                is_left = expiry.forget(db, ended, before)
            self._prune_past_attempts()
            return is_left

        return await self._beside(piece)

    def _forget_going(self) -> None:
        with self._modules.watching():
            expiry.forget_going(self._writer)

    async def forget_unused_modules(self) -> None:
        if not self._modules.may_be_some:
            return
        await self._in_writer(self._modules.begin_to_look)
        try:
            search = expiry.ModuleSearch()
            while await self._read(search.piece):
                pass
            for digest in search.unused or ():
                await self._in_writer(partial(self._write_beside, partial(self._modules.forget, digest)))
        except BaseException:
            self._modules.may_be_some = True
            raise

    async def _in_writer(self, write: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def job() -> None:
            try:
                with explained(self._path):
                    refuse_if_damaged(self.look)
                    write()
            except BaseException as error:  # the caller must hear of any error
                loop.call_soon_threadsafe(_fail, done, error)
            else:
                loop.call_soon_threadsafe(_succeed, done)
                self._upkeep.committed()

        self._queue.put(job)
        await done

    async def _read(self, query: Callable[[sqlite3.Connection], T], *, for_work: bool = False) -> T:
        """Run a query; with ``for_work``, it does not wait for the queries of the API."""

        def job() -> T:
            with explained(self._path):
                refuse_if_damaged(self.look)
                connection = getattr(self._local, "connection", None)
                if connection is None:
                    connection = self._local.connection = self._connect()
                    self._reading.append(connection)
                with contextlib.nullcontext() if for_work else self._upkeep.turnstile.reading():
                    return query(connection)

        executor = self._loader if for_work else self._readers
        return await asyncio.get_running_loop().run_in_executor(executor, job)

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        if self.look is not None:
            self.look.stop()
        self._upkeep.stop()
        self._readers.shutdown(wait=True)  # while the writer still lets them pass
        self._loader.shutdown(wait=True)
        self._queue.put(None)
        self._thread.join()
        self._upkeep.close()
        for connection in self._reading:
            connection.close()
        self._writer.close()
        self._mark.close()
        self._lock.close()

    # -- writing -------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._writer.execute("COMMIT")
            self._upkeep.log.look()
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise

    def _write_durably(self, write: Callable[[], None]) -> None:
        with self._synchronized("OFF" if self._synchronous == "OFF" else "FULL"), self._transaction():
            write()
            self._writer.execute(_ONE_MORE_QUIET_COMMIT)
        self._mark.committed(0, self._upkeep.log)

    def _write_beside(self, write: Callable[[], None]) -> None:
        """Write without waiting for the disk; the next commit of the engine brings the data there too."""
        with self._synchronized(self._synchronous_beside), self._transaction():
            write()

    @contextlib.contextmanager
    def _synchronized(self, synchronous: str) -> Iterator[None]:
        """Let transactions of the block wait for the disk as SQLite's ``PRAGMA synchronous`` says."""
        self._writer.execute(f"PRAGMA synchronous={synchronous}")
        try:
            yield
        finally:
            self._writer.execute(f"PRAGMA synchronous={self._synchronous}")

    def _commit(self, changes: Changes) -> None:
        self._write(changes)
        self._commits += 1
        moves = len(changes.transitions)
        self._mark.committed(changes.first_event_id + moves - 1 if moves else 0, self._upkeep.log)

    def _write(self, changes: Changes) -> None:
        with self._transaction():
            write_tasks(self._writer, changes)
            write_modules(self._writer, changes)
            self._modules.note(changes)
            write_groups(self._writer, changes)
            write_proplets(self._writer, changes)
            if changes.remembered:
                self._keys.write(changes.remembered)
                self._keys.prune(changes.remembered[-1].at)
            self._history.write(changes)
            if not changes.transitions:
                self._writer.execute(_ONE_MORE_QUIET_COMMIT)
            if self._commits % _PRUNE_EVERY == _PRUNE_EVERY - 1:
                self._prune_past_attempts()
                self._keys.prune(time.time_ns())

    def _prune_past_attempts(self) -> None:
        """Delete the oldest of those beyond the bound, some at a time."""
        self._writer.execute(
            "DELETE FROM past_attempts "
            "WHERE rowid IN (SELECT rowid FROM past_attempts ORDER BY rowid LIMIT 500) "
            "AND rowid < (SELECT rowid FROM past_attempts ORDER BY rowid DESC LIMIT 1 OFFSET ?)",
            (limits.PAST_ATTEMPTS_KEPT,),
        )

    # -- reading -------------------------------------------------------------------------------------------

    async def load(self) -> Loaded:
        nothing_more = Ended([], [], is_full=False)
        while await self.forget(nothing_more, 0):  # finishes what an earlier manager has begun
            pass
        return await self._read(queries.load, for_work=True)

    async def find(
        self, task_ids: Sequence[str], group_ids: Sequence[str], keys: Sequence[str] = ()
    ) -> Found:
        def query(db: sqlite3.Connection) -> Found | None:
            if expiry.is_going(db, task_ids, group_ids):
                return None
            return Found(*queries.find(db, task_ids, group_ids), find_keys(db, keys))

        while (found := await self._read(query, for_work=True)) is None:
            await self._in_writer(lambda: self._write_beside(self._forget_going))
        return found

    async def key(self, key: str) -> KeptKey | None:
        return await self._read(lambda db: read_key(db, key))

    async def tasks_of(self, task_ids: Sequence[str]) -> list[Task]:
        def query(db: sqlite3.Connection) -> list[Task]:
            found = (
                queries.read_tasks(db, f"WHERE t.id IN ({marks})", values)
                for marks, values in queries.parts(task_ids)
            )
            return [task for part in found for task in part]

        return await self._read(query)

    async def missing(self, records: Sequence[Record]) -> set[Record]:
        return await self._read(lambda db: queries.missing(db, records), for_work=True)

    async def task(self, task_id: str) -> Task | None:
        found = await self._read(lambda db: queries.read_tasks(db, "WHERE t.id = ?", (task_id,)))
        return found[0] if found else None

    async def tasks(
        self, offset: int, limit: int, only: TaskFilter, *, newest_first: bool = False
    ) -> Page[Task]:
        return await self._read(
            lambda db: lists.read_task_page(db, offset, limit, only, newest_first=newest_first)
        )

    async def executions(self, task_id: str) -> list[Execution]:
        def query(db: sqlite3.Connection) -> list[Execution]:
            return queries.read_executions(db, "seq = (SELECT seq FROM tasks WHERE id = ?)", task_id)

        return await self._read(query)

    async def attempts(self, task_id: str) -> list[Execution]:
        return await self._read(lambda db: queries.read_attempts(db, task_id))

    async def group(self, kind: GroupKind, group_id: str, *, tasks_max: int) -> Records | None:
        return await self._read(lambda db: queries.read_group(db, kind, group_id, tasks_max))

    async def tasks_of_group(self, group: Group, after: int, limit: int) -> list[Task]:
        return await self._read(lambda db: queries.read_tasks_of_group(db, group, after, limit))

    async def groups(
        self,
        kind: GroupKind,
        offset: int,
        limit: int,
        only: GroupFilter,
        *,
        tasks_max: int,
        after: Cursor | None = None,
        earlier: int = 0,
    ) -> GroupPage:
        return await self._read(
            lambda db: queries.read_group_page(
                db, kind, offset, limit, only, tasks_max=tasks_max, after=after, earlier=earlier
            )
        )

    async def graph(self, kind: GroupKind, group_id: str) -> Graph | None:
        async with self._long_read:
            return await self._read(lambda db: read_graph(db, kind, group_id))

    async def module_part(self, digest: str, start: int, size_bytes: int) -> tuple[int, bytes] | None:
        def query(db: sqlite3.Connection) -> tuple[int, bytes] | None:
            found = db.execute("SELECT rowid FROM modules WHERE digest = ?", (digest,)).fetchone()
            if found is None:
                return None
            with db.blobopen("modules", "bytes", found[0], readonly=True) as blob:
                blob.seek(min(start, len(blob)))
                return len(blob), blob.read(size_bytes)

        return await self._read(query)

    async def modules(self, digests: Iterable[str]) -> dict[str, bytes]:
        wanted = list(digests)

        def query(db: sqlite3.Connection) -> dict[str, bytes]:
            sql = "SELECT digest, bytes FROM modules WHERE digest"
            return {
                row[0]: row[1]
                for part in queries.parts(wanted)
                for row in db.execute(f"{sql} IN ({part[0]})", part[1])
            }

        return await self._read(query)

    async def samples(self, of: SampleOf, owner_id: str, offset: int, limit: int) -> Page[str]:
        return await self._read(lambda db: read_samples(db, of, owner_id, offset, limit))

    async def invocations(self, task_id: str, offset: int, limit: int) -> Page[str]:
        return await self._read(lambda db: read_invocations(db, task_id, offset, limit))

    async def logs(self, only: LogFilter, after: int, limit: int) -> Page[StoredPiece]:
        return await self._read(lambda db: read_logs(db, only, after, limit))

    async def last_log_attempt(self, task_id: str, stream: str) -> int:
        return await self._read(lambda db: last_log_attempt(db, task_id, stream))

    async def tail_of_logs(self, only: LogFilter, lines: int) -> LogTail:
        return await self._read(lambda db: tail_of_logs(db, only, lines))

    async def events(self, after: int, limit: int) -> list[tuple[int, Transition]]:
        return await self._read(lambda db: read_events(db, after, limit))

    async def last_event_id(self) -> int:
        return await self._read(queries.last_event_id)

    async def events_of(self, only: EventFilter, after: int, limit: int) -> EventPage:
        search = Search(only, after, limit)
        until = time.perf_counter() + limits.SEARCH_S
        is_left = True
        while is_left and time.perf_counter() < until:
            count = max(PIECE_BYTES // self._history.event_bytes, 1)
            async with self._long_read:
                is_left = await self._read(lambda db: search.piece(db, count))  # noqa: B023
        return search.page()

    async def forget_events(self, before: int) -> bool:
        return await self._beside(lambda _: self._history.forget_before(before))


def _succeed(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _fail(future: asyncio.Future[None], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
