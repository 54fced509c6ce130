"""Invocations in PostgreSQL: written in batches as they begin and end; the newest of each task are kept."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from propeller.store import limits
from propeller.store.port import Invocation, Page
from propeller.store.postgres import texts
from propeller.store.postgres.access import Db
from propeller.store.postgres.samples import page_of_texts

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode

_CLOSE = (
    "UPDATE invocations i SET invocation = c.text, is_open = 0 "
    "FROM unnest($1::text[], $2::text[]) c (id, text) WHERE i.id = c.id AND i.is_open = 1 RETURNING i.id"
)
_INSERT = (
    "INSERT INTO invocations (owner, id, invocation, is_open) SELECT t.seq, i.id, i.text, i.is_open "
    "FROM unnest($1::text[], $2::text[], $3::text[], $4::int[]) "
    "WITH ORDINALITY i (task_id, id, text, is_open, place) "
    "JOIN tasks t ON t.id = i.task_id ORDER BY i.place RETURNING owner"
)
_DELETE = (
    "DELETE FROM invocations i USING unnest($1::bigint[]) o (owner) WHERE i.owner = o.owner AND i.number <= ("
    "SELECT number FROM invocations WHERE owner = o.owner ORDER BY number DESC LIMIT 1 OFFSET $2)"
)


class _Entry(NamedTuple):
    """An invocation of a batch, with its outcome if that is in the batch too."""

    one: Invocation
    #: True if it ends what is under way already, if anything is.
    ends_earlier: bool = False


async def write_invocations(db: Db, invocations: Iterable[Invocation]) -> None:
    """Write invocations, in the caller's transaction; those of unknown tasks are dropped."""
    entries, ends = _merged(invocations)
    known: set[str] = set()
    if ends:
        columns = [texts.array(ends), texts.array(ends.values())]
        known = {row[0] for row in await db.fetch(_CLOSE, *columns)}
    wanted = [entry.one for entry in entries if not (entry.ends_earlier and entry.one.id in known)]
    if not wanted:
        return
    owners = await db.fetch(
        _INSERT,
        texts.array(one.task_id for one in wanted),
        texts.array(one.id for one in wanted),
        texts.array(one.text for one in wanted),
        [int(one.is_open) for one in wanted],
    )
    if owners:
        await db.execute(_DELETE, list({row[0] for row in owners}), limits.INVOCATIONS_OF_ONE)


def _merged(invocations: Iterable[Invocation]) -> tuple[list[_Entry], dict[str, str]]:
    """Put the outcomes of those that begin and end in one batch in the place of their begin.

    Returns:
        What is left, and the first outcome of each id, which what was under way before gets too.

    """
    entries: list[_Entry] = []
    under_way: dict[str, list[int]] = {}
    ends: dict[str, str] = {}
    for one in invocations:
        if one.is_open:
            under_way.setdefault(one.id, []).append(len(entries))
            entries.append(_Entry(one))
            continue
        begun = under_way.pop(one.id, [])
        for place in begun:
            entries[place] = _Entry(one)
        if not begun:
            entries.append(_Entry(one, ends_earlier=one.id not in ends))
        ends.setdefault(one.id, one.text)
    return entries, ends


async def close_invocations(db: Db, error: str) -> None:
    """End all invocations that are under way with this error, in the caller's transaction."""
    found = await db.fetch("SELECT number, invocation FROM invocations WHERE is_open = 1")
    written = [(number, _encode(_decode(text) | {"error": error}).decode()) for number, text in found]
    await db.executemany("UPDATE invocations SET invocation = $2, is_open = 0 WHERE number = $1", written)


async def read_invocations(db: Db, task_id: str, offset: int, limit: int) -> Page[str]:
    """Read a page of the invocations of a task, the newest first."""
    mine = "FROM invocations WHERE owner = (SELECT seq FROM tasks WHERE id = $1)"
    sql = (
        f"SELECT total.size, p.invocation FROM (SELECT COUNT(*) AS size {mine}) total "
        f"LEFT JOIN (SELECT number, invocation {mine} ORDER BY number DESC LIMIT $2 OFFSET $3) p ON TRUE "
        "ORDER BY p.number DESC"
    )
    return page_of_texts(await db.fetch(sql, task_id, limit, offset))
