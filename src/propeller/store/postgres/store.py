"""The store in PostgreSQL, which several managers share: one of them leads, and writes.

One connection writes, one commit after another. Some read for the API, and one for the engine. None needs a
thread. ``lease`` says who leads; every write is fenced by it.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import asyncpg

from propeller.core.effects import Changes, Transition
from propeller.core.idempotency import Key
from propeller.core.model import Execution, Task
from propeller.errors import LeadershipLost, StoreUnusable
from propeller.store import limits
from propeller.store.lead import Held
from propeller.store.port import (
    Ended,
    EventFilter,
    EventPage,
    Found,
    Identity,
    KeptAnswer,
    KeptKey,
    Loaded,
    Record,
)
from propeller.store.postgres import commits, queries, texts
from propeller.store.postgres.access import Db
from propeller.store.postgres.events import Search, read_events
from propeller.store.postgres.expiry import prune_past_attempts
from propeller.store.postgres.history import History, forget_before
from propeller.store.postgres.idempotency import Answers, find_keys, read_key
from propeller.store.postgres.link import Link, Links, Outage
from propeller.store.postgres.proplet_keys import PostgresPropletKeys
from propeller.store.postgres.reads import Reads
from propeller.store.postgres.schema import migrate
from propeller.store.postgres.secrets import Secrets
from propeller.store.postgres.settings import PostgresSettings
from propeller.store.postgres.tokens import PostgresTokens
from propeller.store.postgres.writes import Writes

T = TypeVar("T")

_READERS = 3
_PRUNE_EVERY = 500


class _Lead:
    """What a leader knows of the database because nobody else writes it."""

    def __init__(self, held: Held, history_bytes: int) -> None:
        self.token = held.token
        self.holder = held.holder
        #: How many the engines have made, ever.
        self.commits = held.commits
        self.history = History(history_bytes)
        self.answers = Answers()


class PostgresStore(Reads, Writes, PostgresTokens, PostgresPropletKeys, Secrets):
    """The store in PostgreSQL; ``port.Store`` describes the methods.

    It writes from ``lead`` on. A commit is durable if the server's ``synchronous_commit`` is on, as usual.
    """

    def __init__(
        self,
        settings: PostgresSettings,
        *,
        history_bytes: int = limits.HISTORY_BYTES_KEPT,
        outage: Outage | None = None,
    ) -> None:
        """Prepare it; call ``open`` next. The log of changes of state is kept up to ``history_bytes``."""
        super().__init__()
        self._settings = settings
        self._history_bytes = history_bytes
        self._outage = outage or Outage(settings)
        self._writer = Link(settings, self._outage)
        self._loader = Link(settings, self._outage)
        self._readers = Links(settings, self._outage, _READERS)
        self._lead: _Lead | None = None

    async def open(self, seconds: float) -> None:
        """Connect, and bring the schema to this program's version.

        Raises:
            StoreUnusable: The database can't be used, or has not answered within this time; with a way out.

        """
        await self._writer.open(migrate, seconds)

    @property
    def outage(self) -> str:
        """Why the database does not answer; ``""`` while it does."""
        return self._outage.reason

    async def lead(self, held: Held) -> None:
        """Write from now on, as the holder of the lease."""
        lead = _Lead(held, self._history_bytes)
        await self._read(lead.history.load, for_work=True)
        self._begin_to_write()
        self._lead = lead

    def follow(self) -> None:
        """Write nothing from now on: another manager leads, or nobody."""
        self._lead = None

    async def close(self) -> None:
        await self._readers.close()
        await self._loader.close()
        await self._writer.close()

    # -- access --------------------------------------------------------------------------------------------

    async def _read(
        self, query: Callable[[Db], Awaitable[T]], *, for_work: bool = False, seconds: float = 10.0
    ) -> T:
        return await (self._loader.run(query) if for_work else self._readers.run(query, seconds))

    async def _beside(self, write: Callable[[Db], Awaitable[T]]) -> T:
        lead = self._leading
        before: list[tuple[int, T]] = []

        async def work(db: Db) -> T:
            if before and await _came_through(db, before[-1][0]):
                return before[-1][1]
            self._look_at_term(lead)
            async with db.transaction():
                number = await db.fetchval(
                    "SELECT set_config('synchronous_commit', 'off', true), txid_current() "
                    "FROM leader WHERE token = $1 AND holder = $2 FOR KEY SHARE",
                    lead.token,
                    lead.holder,
                    column=1,
                )
                if number is None:
                    raise _lost()
                found = await write(db)
                before.append((number, found))
            return found

        return await self._writer.run(work)

    async def _unfenced(self, write: Callable[[Db], Awaitable[T]]) -> T:
        async def work(db: Db) -> T:
            async with db.transaction():
                return await write(db)

        return await self._writer.run(work)

    @property
    def _leading(self) -> _Lead:
        if self._lead is None:
            raise _lost()
        return self._lead

    def _look_at_term(self, lead: _Lead) -> None:
        """Refuse what waited for the database until this manager began to lead anew, or to follow."""
        if self._lead is not lead:
            raise _lost()

    # -- the engine's writes -------------------------------------------------------------------------------

    async def commit(self, changes: Changes) -> None:
        lead = self._leading
        if lead.history.is_excessive:
            lead.history.deleted(await self._beside(lead.history.forget_excess))
        events = lead.history.rows_of(changes)
        fence = commits.Fence(lead.token, lead.holder, lead.commits, self._settings.lease_s)

        async def work(db: Db) -> None:
            self._look_at_term(lead)
            self._note(changes)
            if not await commits.write(db, fence, changes, events):
                await _look_why(db, fence)
            lead.commits = fence.commits + 1

        await self._writer.run(work)
        if lead.commits % _PRUNE_EVERY == 0:
            await self._beside(prune_past_attempts)

    async def begin_epoch(self) -> Identity:
        """Give the identity at the broker, which all managers of this database share, with a new epoch."""
        sql = "UPDATE identity SET epoch = GREATEST(epoch + 1, $1) RETURNING id, epoch"

        async def work(db: Db) -> Identity:
            await db.execute("SET LOCAL synchronous_commit = on")  # proplets hold on to the newest
            [(id_, epoch)] = await db.fetch(sql, time.time_ns())
            return Identity(id_, epoch)

        return await self._beside(work)

    async def has_been_at_a_broker(self) -> bool:
        """Say whether any manager of this database has ever had a broker."""
        return bool(await self._beside(lambda db: db.fetchval("SELECT epoch > 0 FROM identity")))

    async def write_answer(self, key: Key, answer: KeptAnswer) -> KeptAnswer | None:
        lead = self._leading
        return await self._beside(lambda db: lead.answers.write(db, key, answer))

    async def forget_events(self, before: int) -> bool:
        lead = self._leading
        is_left, size = await self._beside(lambda db: forget_before(db, before))
        lead.history.deleted(size)
        return is_left

    # -- the engine's reads --------------------------------------------------------------------------------

    async def load(self) -> Loaded:
        nothing_more = Ended([], [], is_full=False)
        while await self.forget(nothing_more, 0):  # finishes what an earlier manager has begun
            pass
        return await self._read(queries.load, for_work=True)

    async def find(
        self, task_ids: Sequence[str], group_ids: Sequence[str], keys: Sequence[str] = ()
    ) -> Found:
        async def query(db: Db) -> Found | None:
            if await self._is_going(db, task_ids, group_ids):
                return None
            return Found(*await queries.find(db, task_ids, group_ids), await find_keys(db, keys))

        while (found := await self._read(query, for_work=True)) is None:
            await self._beside(self._forget_going)
        return found

    async def missing(self, records: Sequence[Record]) -> set[Record]:
        return await self._read(lambda db: queries.missing(db, records), for_work=True)

    # -- reads by id ---------------------------------------------------------------------------------------

    async def key(self, key: str) -> KeptKey | None:
        return await self._read(lambda db: read_key(db, key))

    async def tasks_of(self, task_ids: Sequence[str]) -> list[Task]:
        ids = texts.array(task_ids)
        return await self._read(lambda db: queries.read_tasks(db, "WHERE t.id = ANY($1)", ids))

    async def task(self, task_id: str) -> Task | None:
        found = await self._read(lambda db: queries.read_tasks(db, "WHERE t.id = $1", task_id))
        return found[0] if found else None

    async def executions(self, task_id: str) -> list[Execution]:
        return await self._read(lambda db: queries.read_executions(db, task_id))

    async def attempts(self, task_id: str) -> list[Execution]:
        return await self._read(lambda db: queries.read_attempts(db, task_id))

    async def events(self, after: int, limit: int) -> list[tuple[int, Transition]]:
        return await self._read(lambda db: read_events(db, after, limit))

    async def last_event_id(self) -> int:
        return await self._read(queries.last_event_id)

    async def events_of(self, only: EventFilter, after: int, limit: int) -> EventPage:
        search = Search(only, after, limit)
        until = time.perf_counter() + limits.SEARCH_S
        while await self._read(search.piece) and time.perf_counter() < until:
            pass
        return search.page()


def _lost() -> LeadershipLost:
    return LeadershipLost("another manager of this database leads now; this one has written nothing more")


async def _look_why(db: Db, fence: commits.Fence) -> None:
    """Return if the commit came through although the connection was lost; else raise why it did not.

    Raises:
        LeadershipLost: Another manager leads, or this one has given the lead back.
        StoreUnusable: The database is not the one that there was: it has fewer commits.

    """
    token, made, holder = await db.fetchrow("SELECT token, commits, holder FROM leader") or (0, 0, "")
    if (token, holder) != (fence.token, fence.holder):
        raise _lost()
    if made != fence.commits + 1:
        raise StoreUnusable(
            f"PostgreSQL has {made} commits of Propeller, and {fence.commits} were made: an older copy of "
            "the database has taken its place, such as a standby that lagged behind; start the manager again "
            "to go on with what is there, or put the newer copy back"
        )


async def _came_through(db: Db, number: int) -> bool:
    """Say whether a transaction was committed whose connection was lost."""
    try:
        while (state := await db.fetchval("SELECT txid_status($1)", number)) == "in progress":
            await db.execute("SELECT pg_sleep(0.02)")  # until the server notices that the connection is lost
    except asyncpg.InvalidParameterValueError:
        return False  # an older copy has taken the place of the database
    return bool(state == "committed")
