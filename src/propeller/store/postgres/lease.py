"""Who leads among the managers of one database: a lease in the row that fences every write.

A manager leads while its lease holds, by the clock of the database; each commit renews it too. A take-over
waits for the commit under way, and from then on no write of the earlier leader finds its row. The row names
the holder too: a replica that took the place of the database may lack take-overs, and gives a token again.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from propeller.store.lead import Held, Leader
from propeller.store.postgres.access import Db
from propeller.store.postgres.commits import DELETIONS, EVENTS
from propeller.store.postgres.link import Link, Outage
from propeller.store.postgres.settings import PostgresSettings
from propeller.store.postgres.tokens import TOKENS

T = TypeVar("T")

#: The channel that tells when somebody takes the lead, or gives it up.
LEADER = "propeller_leader"
_CHANNELS = (LEADER, EVENTS, DELETIONS, TOKENS)

#: Told of each notice: its channel, and its text; ``""`` after some may have been missed.
Told = Callable[[str, str], None]


class Lease:
    """The lease of one database, over a connection of its own.

    Where the database does not answer within the time of a lease, all methods raise ``Unavailable``. What was
    asked may have been done all the same.
    """

    def __init__(
        self, settings: PostgresSettings, told: Told | None = None, outage: Outage | None = None
    ) -> None:
        """Prepare it; ``told`` hears all notices of the database from ``start`` on.

        A store of the same program may share the ``outage``, so that it is said once, and known to both.
        """
        self._lease_s = settings.lease_s
        self._told = told or (lambda _channel, _text: None)
        self._link = Link(settings, outage or Outage(settings), on_connect=self._listen)
        self._is_lost = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None

    async def start(self) -> None:
        if self._listening is None:
            self._listening = asyncio.create_task(self._keep_listening())

    async def take(self, holder: str, address: str) -> Held | None:
        """Take the lead if nobody has it; None if somebody has. A holder that asks again gets a new token."""
        row = await self._run(
            lambda db: db.fetchrow(
                "UPDATE leader SET token = token + 1, holder = $1, address = $2, "
                "expires_at = clock_timestamp() + $3 * interval '1 second' "
                "WHERE expires_at < clock_timestamp() OR holder = $1 "
                f"RETURNING token, commits, pg_notify('{LEADER}', token::text)",
                holder,
                address,
                self._lease_s,
            )
        )
        return None if row is None else Held(row[0], row[1], holder)

    async def renew(self, held: Held) -> bool:
        """Let the lease hold from now on; False if it was lost to another manager."""
        sql = (
            "UPDATE leader SET expires_at = clock_timestamp() + $3 * interval '1 second' "
            "WHERE token = $1 AND holder = $2 RETURNING token"
        )
        return (
            await self._run(lambda db: db.fetchval(sql, held.token, held.holder, self._lease_s)) is not None
        )

    async def release(self, held: Held) -> None:
        """Give up the lead, unless it was lost: another manager may take it at once."""
        sql = (
            "UPDATE leader SET expires_at = '-infinity', holder = '' WHERE token = $1 AND holder = $2 "
            f"RETURNING pg_notify('{LEADER}', '')"
        )
        await self._run(lambda db: db.fetchval(sql, held.token, held.holder))

    async def leader(self) -> Leader | None:
        """Say who leads; None if nobody does, and anybody may take the lead."""
        sql = "SELECT token, holder, address FROM leader WHERE expires_at >= clock_timestamp()"
        row = await self._run(lambda db: db.fetchrow(sql))
        return None if row is None else Leader(*row)

    async def tell(self, text: str) -> None:
        """Tell all managers of the database, by a notice on the channel ``LEADER``."""
        await self._run(lambda db: db.fetchval(f"SELECT pg_notify('{LEADER}', $1)", text))

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listening
        await self._link.close()

    async def _run(self, work: Callable[[Db], Awaitable[T]]) -> T:
        return await self._link.run(work, self._lease_s)

    async def _listen(self, db: Db) -> None:
        for channel in _CHANNELS:
            await db.add_listener(channel, self._hear)
        db.add_termination_listener(lambda _: self._is_lost.set())
        for channel in _CHANNELS:
            self._told(channel, "")

    def _hear(self, _db: object, _pid: int, channel: str, text: object) -> None:
        self._told(channel, str(text))

    async def _keep_listening(self) -> None:
        async def nothing(_: Db) -> None:
            pass

        while True:
            self._is_lost.clear()
            await self._link.run(nothing)
            await self._is_lost.wait()
