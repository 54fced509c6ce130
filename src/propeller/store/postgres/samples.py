"""Samples of tasks and proplets in PostgreSQL: written in batches; bounded for each owner, in age and in all.

A batch costs work for its own samples only. An owner's samples are numbered, so those beyond its bound have
the lowest numbers. Those that are too old are the first of the table.
"""

from collections.abc import Iterable, Sequence

import asyncpg

from propeller.store import limits
from propeller.store.port import Page, Sample, SampleOf
from propeller.store.postgres import texts
from propeller.store.postgres.access import Db

_TABLES = {SampleOf.TASK: "task_samples", SampleOf.PROPLET: "proplet_samples"}
#: The owners with the numbers by which samples name them.
_OWNERS = {
    SampleOf.TASK: "(SELECT id, seq AS owner FROM tasks)",
    SampleOf.PROPLET: "(SELECT id, id AS owner FROM proplets)",
}
#: Of more samples of one owner than are kept, the last are written.
_WRITE = """
WITH written AS (
  INSERT INTO {table} (owner, number, written_at, sample)
  SELECT owner, number, $3, sample FROM (
    SELECT o.owner, s.sample, s.place, COUNT(*) OVER (PARTITION BY o.owner) AS size,
      row_number() OVER (PARTITION BY o.owner ORDER BY s.place) AS nth,
      row_number() OVER (PARTITION BY o.owner ORDER BY s.place) + COALESCE(
        (SELECT number FROM {table} WHERE owner = o.owner ORDER BY number DESC LIMIT 1), 0) AS number
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY s (owner_id, sample, place)
    JOIN {owners} o ON o.id = s.owner_id
  ) numbered WHERE nth > size - $4 ORDER BY place
  RETURNING owner, number
), gone AS (
  DELETE FROM {table} old USING (SELECT owner, MAX(number) AS last FROM written GROUP BY owner) w
  WHERE old.owner = w.owner AND old.number <= w.last - $4
)
SELECT COUNT(*) FROM written
"""
#: The oldest of all up to the first that is young, where the first is old.
_EXPIRE = """
DELETE FROM {table} WHERE id <= GREATEST(
  (SELECT MAX(id) FROM {table}) - $1,
  CASE WHEN (SELECT written_at FROM {table} ORDER BY id LIMIT 1) <= $2 THEN (
    SELECT MAX(id) FROM (
      SELECT id, bool_and(written_at <= $2) OVER (ORDER BY id) AS is_old
      FROM (SELECT id, written_at FROM {table} ORDER BY id LIMIT $3) oldest
    ) looked_at WHERE is_old
  ) END
)
"""


async def write_samples(db: Db, samples: Iterable[Sample], now: int) -> None:
    """Write samples, in the caller's transaction; those without an owner are dropped."""
    by_kind: dict[SampleOf, list[Sample]] = {}
    for sample in samples:
        by_kind.setdefault(sample.of, []).append(sample)
    for of, some in by_kind.items():
        written = await db.fetchval(
            _WRITE.format(table=_TABLES[of], owners=_OWNERS[of]),
            texts.array(sample.owner_id for sample in some),
            texts.array(sample.text for sample in some),
            now,
            limits.SAMPLES_OF_ONE,
        )
        if written:
            await db.execute(
                _EXPIRE.format(table=_TABLES[of]),
                limits.SAMPLES_OF_ALL,
                now - limits.SAMPLES_KEPT_NS,
                limits.SAMPLES_EXPIRED_MAX,
            )


async def read_samples(db: Db, of: SampleOf, owner_id: str, offset: int, limit: int) -> Page[str]:
    """Read a page of the samples of one owner, the newest first."""
    mine = f"FROM {_TABLES[of]} WHERE owner = (SELECT owner FROM {_OWNERS[of]} o WHERE id = $1)"
    sql = (
        f"SELECT total.size, p.sample FROM (SELECT COUNT(*) AS size {mine}) total "
        f"LEFT JOIN (SELECT number, sample {mine} ORDER BY number DESC LIMIT $2 OFFSET $3) p ON TRUE "
        "ORDER BY p.number DESC"
    )
    return page_of_texts(await db.fetch(sql, owner_id, limit, offset))


def page_of_texts(found: Sequence[asyncpg.Record]) -> Page[str]:
    """Make a page of rows, each with the length of the whole list and a text: None where there is no text."""
    return Page(found[0][0], [text for _, text in found if text is not None])
