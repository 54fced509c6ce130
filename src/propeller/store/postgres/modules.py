"""Modules in PostgreSQL: read in pieces or whole, and deleted when no task uses them."""

from collections.abc import Iterable

from propeller.store import limits
from propeller.store.postgres import texts
from propeller.store.postgres.access import Db

#: PostgreSQL counts bytes with 32 bits.
_INT_MAX = 2**31 - 1
#: Those of some tasks, and of tasks in workflows that they run, with maybe other texts.
_NAMED = """
SELECT json_of(spec) -> 'module' ->> 'digest' FROM tasks WHERE seq > $1 AND seq <= $2
UNION
SELECT inside #>> '{}' FROM tasks CROSS JOIN LATERAL
  jsonb_path_query(json_of(spec)::jsonb -> 'workflow', '$.**.digest') inside
WHERE seq > $1 AND seq <= $2 AND strpos(spec, '"workflow":') > 0
"""


async def read_module_part(db: Db, digest: str, start: int, size_bytes: int) -> tuple[int, bytes] | None:
    """Read the size of a module and a piece of it; None if there is no such module."""
    sql = (
        "SELECT octet_length(bytes), substring(bytes FROM 1 + LEAST($2, octet_length(bytes)) FOR $3) "
        "FROM modules WHERE digest = $1"
    )
    row = await db.fetchrow(sql, digest, min(start, _INT_MAX), min(size_bytes, _INT_MAX))
    return None if row is None else (row[0], row[1])


async def read_modules(db: Db, digests: Iterable[str]) -> dict[str, bytes]:
    found = await db.fetch("SELECT digest, bytes FROM modules WHERE digest = ANY ($1)", texts.array(digests))
    return {row[0]: row[1] for row in found}


class ModuleSearch:
    """Looks for the modules that no task uses, from the newest task on, until each is found to be used."""

    def __init__(self) -> None:
        #: The modules that no task has used so far; None before the first piece.
        self.unused: set[str] | None = None
        self._high = 0

    async def piece(self, db: Db) -> bool:
        """Look at some tasks; say whether more have to be looked at."""
        if self.unused is None:
            self._high = await db.fetchval("SELECT COALESCE(MAX(seq), 0) FROM tasks")
            self.unused = {row[0] for row in await db.fetch("SELECT digest FROM modules")}
        low = max(self._high - limits.MODULES_LOOKED_AT, 0)
        self.unused.difference_update([row[0] for row in await db.fetch(_NAMED, low, self._high)])
        self._high = low
        return bool(low and self.unused)


async def forget_module(db: Db, digest: str) -> None:
    await db.execute("DELETE FROM modules WHERE digest = $1", digest)
