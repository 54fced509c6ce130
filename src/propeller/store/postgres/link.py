"""Connections that come back: what needs one waits until there is one again.

No loss of a connection is an error of the work. The reason is logged once, and then each minute.

No time is too long for a statement: a migration, a large commit or a search may take what it takes, unless
its caller gives a limit. What takes long is looked after instead. Where the machine of the server is gone,
the system notices (``connecting``). Where a server stands still, and another has taken its place at its
address, the connection is dropped, and the work goes on with the other.
"""

import asyncio
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

from propeller.backoff import Backoff
from propeller.errors import StoreUnusable, Unavailable
from propeller.store.postgres.access import Db
from propeller.store.postgres.connecting import (
    BY_KEYS,
    CONNECT_S,
    Session,
    connect,
    is_passing,
    is_replaced,
    meet,
    reason,
    unusable,
)
from propeller.store.postgres.settings import PostgresSettings

T = TypeVar("T")

_log = logging.getLogger(__name__)
_BACKOFF = Backoff(first_s=0.05, longest_s=1.0)
_SAY_EVERY_S = 60.0
#: How long a program in good order may take to end a connection.
_CLOSE_S = 1.0
#: How often it is looked after work that takes long.
_LOOK_EVERY_S = 3.0
_ERRORS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class Outage:
    """Says what keeps the database from answering: at once, and then each minute, whoever waits for it."""

    def __init__(self, settings: PostgresSettings) -> None:
        self._settings = settings
        self._began = 0.0
        self._said_at = 0.0
        self._said = ""
        #: Why those that wait have no answer, the one that waits longest first.
        self._reasons: dict[object, str] = {}

    @property
    def reason(self) -> str:
        """Why the database does not answer; ``""`` while nobody waits for it."""
        return next(iter(self._reasons.values()), "")

    def goes_on(self, waiter: object, error: BaseException) -> None:
        """Note that somebody waits for the database, after this error."""
        now = time.monotonic()
        if not self._reasons:
            self._began, self._said = now, ""
        self._reasons[waiter] = reason(error)
        if self.reason != self._said or now - self._said_at >= _SAY_EVERY_S:
            self._said, self._said_at = self.reason, now
            _log.warning(
                "PostgreSQL (%s) can't be used: %s; waiting for it (since %.0f s)",
                self._settings.place,
                self.reason,
                now - self._began,
            )

    def is_over(self, waiter: object, *, has_answer: bool) -> None:
        """Note that somebody waits no more, because there is an answer or because that took too long."""
        if self._reasons.pop(waiter, "") and not self._reasons and has_answer:
            seconds = time.monotonic() - self._began
            _log.warning("PostgreSQL (%s) is back after %.1f s", self._settings.place, seconds)


class Link:
    """One connection, for one operation after another, and the next one when it is lost."""

    def __init__(
        self,
        settings: PostgresSettings,
        outage: Outage,
        *,
        on_connect: Callable[[Db], Awaitable[None]] | None = None,
    ) -> None:
        """Prepare it; ``on_connect`` is called with each new connection before anything else."""
        self._on_connect = on_connect
        self._settings = settings
        self._outage = outage
        self._db: Db | None = None
        self._session: Session | None = None
        self._turn = asyncio.Lock()
        self._is_closed = False

    async def run(self, work: Callable[[Db], Awaitable[T]], seconds: float | None = None) -> T:
        """Do work on the connection, again and again until the database has answered.

        It goes on to its end also if the caller is cancelled. After ``seconds`` it is given up, if it can be.

        Raises:
            Unavailable: The database has not answered in time.
            StoreUnusable: It answered with an error that no waiting cures.

        """
        task = asyncio.ensure_future(self._run(work))
        task.add_done_callback(_forget)  # if the caller is cancelled
        if seconds is None:
            return await asyncio.shield(task)
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if not done:
            why = self._outage.reason or f"it has not answered for {seconds:g} s"
            self._drop()
            task.cancel()
            raise Unavailable(f"the database can't be used now: {why}; ask again later")
        return task.result()

    async def open(self, work: Callable[[Db], Awaitable[T]], seconds: float) -> T:
        """Do the first work on the connection; within this time the database may be starting up.

        Raises:
            StoreUnusable: The database can't be reached or used; with a way out.

        """
        until = time.monotonic() + seconds
        return await self._run(work, until)

    async def _run(self, work: Callable[[Db], Awaitable[T]], until: float = math.inf) -> T:
        waiter, has_answer = object(), False
        async with self._turn:
            try:
                found = await self._again_and_again(waiter, work, until)
                has_answer = True
            finally:
                self._outage.is_over(waiter, has_answer=has_answer)
            return found

    async def _again_and_again(self, waiter: object, work: Callable[[Db], Awaitable[T]], until: float) -> T:
        failures = 0
        while True:
            try:
                return await self._looked_after(waiter, work, await self._connection())
            except _ERRORS as error:
                passes = is_passing(error, self._db) and time.monotonic() < until
                self._drop()
                if not passes:
                    raise unusable(self._settings, error) from error
                if self._is_closed:
                    raise StoreUnusable("the store has been closed") from error
                self._outage.goes_on(waiter, error)
            except BaseException:
                self._drop_if_busy()
                raise
            await asyncio.sleep(_BACKOFF.delay_s(failures) * random.uniform(0.5, 1))  # noqa: S311
            failures += 1

    async def _connection(self) -> Db:
        if self._is_closed:
            raise StoreUnusable("the store has been closed")
        if self._db is None or self._db.is_closed() or self._session is None:
            self._drop()
            db = self._db = await connect(self._settings, BY_KEYS)
            async with asyncio.timeout(CONNECT_S):
                session = await meet(db)
                if self._on_connect is not None:
                    await self._on_connect(db)
            self._session = session
        return self._db

    async def _looked_after(self, waiter: object, work: Callable[[Db], Awaitable[T]], db: Db) -> T:
        """Do work; while it takes long, see whether the server is there still."""
        looking: asyncio.Task[None] | None = None

        def look() -> None:
            nonlocal looking
            looking = asyncio.create_task(self._look(waiter, db))

        timer = asyncio.get_running_loop().call_later(_LOOK_EVERY_S, look)
        try:
            return await work(db)
        finally:
            timer.cancel()
            if looking is not None:
                looking.cancel()

    async def _look(self, waiter: object, db: Db) -> None:
        """Break a connection off once another server has the place of the one that it leads to."""
        session = self._session
        assert session is not None
        while True:
            try:
                if await is_replaced(self._settings, session):
                    _log.warning("PostgreSQL (%s) is another server now", self._settings.place)
                    db.terminate()
                    return
            except (*_ERRORS, StoreUnusable) as error:
                self._outage.goes_on(waiter, error)
            else:
                self._outage.is_over(waiter, has_answer=True)
            await asyncio.sleep(_LOOK_EVERY_S)

    def _drop(self) -> None:
        if self._db is not None:
            self._db.terminate()
            self._db = self._session = None

    def _drop_if_busy(self) -> None:
        """Leave no transaction open behind work that has failed."""
        if self._db is not None and (self._db.is_closed() or self._db.is_in_transaction()):
            self._drop()

    async def close(self) -> None:
        """Finish what is under way, if the database answers soon, and end the connection."""
        self._is_closed = True
        if self._outage.reason:
            self._drop()
        try:
            async with asyncio.timeout(_CLOSE_S), self._turn:
                if self._db is not None:
                    await self._db.close()
        except _ERRORS:
            self._drop()


class Links:
    """Several connections; each operation takes one that is free."""

    def __init__(self, settings: PostgresSettings, outage: Outage, count: int) -> None:
        self._all = [Link(settings, outage) for _ in range(count)]
        self._outage = outage
        self._free: asyncio.LifoQueue[Link] = asyncio.LifoQueue()
        for link in self._all:
            self._free.put_nowait(link)

    async def run(self, work: Callable[[Db], Awaitable[T]], seconds: float) -> T:
        """Do work on a free connection; ``Link.run`` says how. The time to wait for one counts."""
        until = time.monotonic() + seconds
        try:
            async with asyncio.timeout(seconds):
                link = await self._free.get()
        except TimeoutError:
            why = self._outage.reason or "too many requests wait for it"
            raise Unavailable(f"the database can't be used now: {why}; ask again later") from None
        task = asyncio.ensure_future(link.run(work, max(until - time.monotonic(), 0)))
        task.add_done_callback(_forget)
        task.add_done_callback(lambda _: self._free.put_nowait(link))
        return await asyncio.shield(task)

    async def close(self) -> None:
        for link in self._all:
            await link.close()


def _forget(task: "asyncio.Task[T]") -> None:
    """Take note of how a task ended that nobody waits for."""
    if not task.cancelled():
        task.exception()
