"""How the parts of the store get at the database; ``PostgresStore`` is made of them."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import asyncpg

T = TypeVar("T")

if TYPE_CHECKING:
    #: A connection. Texts in arrays go through ``texts.array``; all other texts may have any characters.
    Db: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    Db = asyncpg.Connection


class Access(ABC):
    """What reads and writes the database, whatever becomes of the connection meanwhile."""

    @abstractmethod
    async def _read(
        self, query: Callable[[Db], Awaitable[T]], *, for_work: bool = False, seconds: float = 10.0
    ) -> T:
        """Run a query on a connection that only reads; where the connection is lost, on the next one.

        Several statements see the same commit within ``snapshot``. With ``for_work``, it does not wait for
        the queries of the API, and waits for the database however long that takes.

        Raises:
            Unavailable: The database has not answered within ``seconds``, and this is not ``for_work``.

        """

    @abstractmethod
    async def _beside(self, write: Callable[[Db], Awaitable[T]]) -> T:
        """Write in one transaction of the writer's connection, fenced; a power cut may take the last ones.

        Where the connection is lost, it is done once all the same: ``write`` may be called again, and what it
        did before is then undone.

        Raises:
            LeadershipLost: Another manager leads; nothing was written.

        """


def snapshot(db: Db) -> "asyncpg.transaction.Transaction":
    """Let all queries of the block see the same commit."""
    return db.transaction(isolation="repeatable_read", readonly=True)
