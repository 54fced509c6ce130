"""Connections that come back: what needs one waits until there is one again.

No loss of a connection is an error of the work. The reason is logged once, and then each minute.
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
from propeller.store.postgres.connecting import BY_KEYS, connect, is_passing, reason, unusable
from propeller.store.postgres.settings import PostgresSettings

T = TypeVar("T")

_log = logging.getLogger(__name__)
_BACKOFF = Backoff(first_s=0.05, longest_s=1.0)
_SAY_EVERY_S = 60.0
#: How long a program in good order may take to end a connection.
_CLOSE_S = 1.0
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
            self._outage.is_over(self, has_answer=False)
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
        failures = 0
        async with self._turn:
            while True:
                try:
                    found = await work(await self._connection())
                except _ERRORS as error:
                    passes = is_passing(error, self._db) and time.monotonic() < until
                    self._drop()
                    if not passes:
                        self._outage.is_over(self, has_answer=False)
                        raise unusable(self._settings, error) from error
                    if self._is_closed:
                        raise StoreUnusable("the store has been closed") from error
                    self._outage.goes_on(self, error)
                except BaseException:
                    self._drop_if_busy()
                    raise
                else:
                    self._outage.is_over(self, has_answer=True)
                    return found
                await asyncio.sleep(_BACKOFF.delay_s(failures) * random.uniform(0.5, 1))  # noqa: S311
                failures += 1

    async def _connection(self) -> Db:
        if self._is_closed:
            raise StoreUnusable("the store has been closed")
        if self._db is None or self._db.is_closed():
            self._db = await connect(self._settings, BY_KEYS)
            if self._on_connect is not None:
                await self._on_connect(self._db)
        return self._db

    def _drop(self) -> None:
        if self._db is not None:
            self._db.terminate()
            self._db = None

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
