"""Modules in PostgreSQL: read in pieces or whole, and deleted when no task uses them."""

from collections.abc import Iterable

from propeller.store.postgres import texts
from propeller.store.postgres.access import Db

#: PostgreSQL counts bytes with 32 bits.
_INT_MAX = 2**31 - 1
#: Those of tasks, and those of tasks in workflows that tasks run, with maybe other texts.
_UNUSED = """
SELECT digest FROM modules WHERE digest NOT IN (
  SELECT json_of(spec) -> 'module' ->> 'digest' FROM tasks WHERE strpos(spec, '"module":') > 0
    AND json_of(spec) -> 'module' ->> 'digest' IS NOT NULL
  UNION ALL
  SELECT inside #>> '{}' FROM tasks CROSS JOIN LATERAL
    jsonb_path_query(json_of(spec)::jsonb -> 'workflow', '$.**.digest') inside
    WHERE strpos(spec, '"workflow":{') > 0 AND inside #>> '{}' IS NOT NULL
)
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


async def unused_modules(db: Db) -> list[str]:
    """Find the modules that no task uses; this reads every task."""
    return [row[0] for row in await db.fetch(_UNUSED)]


async def forget_module(db: Db, digest: str) -> None:
    await db.execute("DELETE FROM modules WHERE digest = $1", digest)
