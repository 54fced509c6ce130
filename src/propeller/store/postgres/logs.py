"""Logs of guests in PostgreSQL: written in batches; bounded for each stream, in attempts and in all.

A batch or a page costs work for its own pieces only: pieces are indexed by offset and by arrival, and sums
are kept. A batch is worked out from what is there of its streams, and then written at once.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from propeller.store import limits
from propeller.store.last_lines import LastLines
from propeller.store.port import LogFilter, LogPiece, LogTail, Page, StoredPiece
from propeller.store.postgres import texts
from propeller.store.postgres.access import Db

#: The tasks of a batch: their present attempts, those of deleted tasks of the same ids, and their streams.
_OWNERS = (
    "SELECT t.id, t.seq, r.attempt, COALESCE(p.attempt, 0), "
    "s.id, s.attempt, s.proplet_id, s.stream, s.bytes, s.is_full "
    "FROM tasks t JOIN runs r ON r.seq = t.seq LEFT JOIN past_attempts p ON p.id = t.id "
    "LEFT JOIN log_streams s ON s.owner = t.seq WHERE t.id = ANY ($1)"
)
_THERE = (
    "SELECT p.log_stream, p.start FROM unnest($1::bigint[], $2::bigint[]) w (log_stream, start) "
    "JOIN log_pieces p ON p.log_stream = w.log_stream AND p.start = w.start"
)
_INSERT_STREAMS = (
    "INSERT INTO log_streams (owner, attempt, proplet_id, stream, bytes, is_full) "
    "SELECT owner, attempt, proplet_id, stream, bytes, is_full "
    "FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::int[]) "
    "WITH ORDINALITY s (owner, attempt, proplet_id, stream, bytes, is_full, place) ORDER BY place "
    "RETURNING id, owner, attempt, proplet_id, stream"
)
_UPDATE_STREAMS = (
    "UPDATE log_streams s SET bytes = w.bytes, is_full = w.is_full "
    "FROM unnest($1::bigint[], $2::bigint[], $3::int[]) w (id, bytes, is_full) WHERE s.id = w.id"
)
_INSERT_PIECES = (
    "INSERT INTO log_pieces (log_stream, start, written_at, text, is_cut) "
    "SELECT log_stream, start, written_at, text, is_cut "
    "FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::int[]) "
    "WITH ORDINALITY p (log_stream, start, written_at, text, is_cut, place) ORDER BY place"
)
_STREAMS_OF = (
    "SELECT * FROM log_streams WHERE owner = (SELECT seq FROM tasks WHERE id = $1) "
    "AND ($2 = '' OR stream = $2) AND attempt BETWEEN $3 AND $4"
)
_DELETE_OLDEST = """
DELETE FROM log_streams WHERE id <= (
  SELECT MAX(id) FROM (
    SELECT id, SUM(size) OVER (ORDER BY id) - size AS before
    FROM (SELECT id, bytes + 256 AS size FROM log_streams ORDER BY id LIMIT $1) oldest
  ) each WHERE before < $2
) RETURNING bytes + 256
"""
#: How many streams are looked at at once to make room, and pieces to find the last lines.
_STREAMS_AT_ONCE = 100
_PIECES_AT_ONCE = 50


class _Key(NamedTuple):
    owner: int
    attempt: int
    proplet_id: str
    stream: str


class _Stream(msgspec.Struct, eq=False):
    key: _Key
    #: 0 for one that is not in the database yet.
    id: int = 0
    bytes: int = 0
    is_full: bool = False
    is_changed: bool = False


class _Owner(NamedTuple):
    seq: int
    attempt: int
    #: Attempts up to this one were those of a deleted task of the same id.
    past: int


class _Batch:
    """What a batch makes of the streams that are there."""

    def __init__(self, streams: Iterable[_Stream], executions: Iterable[tuple[int, int]]) -> None:
        """Take the streams of its tasks, and the present attempts of their executions by ``seq``."""
        self.streams = {stream.key: stream for stream in streams}
        self._executions = set(executions)
        self.gone: list[_Stream] = []
        self.pieces: list[tuple[_Stream, LogPiece]] = []
        #: Which offsets are there already, by stream.
        self.there: set[tuple[_Key, int]] = set()

    def add(self, key: _Key, piece: LogPiece) -> None:
        stream = self.streams.get(key) or self._begin(key)
        if stream is None or stream.is_full or (key, piece.offset) in self.there:
            return
        self.there.add((key, piece.offset))
        data = piece.text.encode(errors="replace")
        room = limits.LOG_STREAM_BYTES_KEPT - stream.bytes
        size = max(len(data), limits.LOG_PIECE_BYTES_MIN)
        is_full = size > room
        text = data[: max(room, 0)].decode(errors="ignore") if is_full else data.decode()
        self.pieces.append((stream, piece._replace(text=text, is_cut=piece.is_cut or is_full)))
        stream.bytes += min(size, room)
        stream.is_full, stream.is_changed = is_full, True

    def _begin(self, key: _Key) -> _Stream | None:
        """Begin a stream; None if later attempts have replaced its attempt."""
        kept = {other.attempt for other in self.streams if other.owner == key.owner}
        old = sorted({*kept, key.attempt}, reverse=True)[limits.LOG_ATTEMPTS_KEPT :]
        # In a broadcast, each proplet has its own attempt, and one that was never lost goes on with an old
        # one.
        too_old = {attempt for attempt in old if (key.owner, attempt) not in self._executions}
        if key.attempt in too_old:
            return None
        for other in [one for one in self.streams if one.owner == key.owner and one.attempt in too_old]:
            self.gone.append(self.streams.pop(other))
        stream = self.streams[key] = _Stream(key)
        return stream


async def write_logs(db: Db, pieces: Iterable[LogPiece]) -> None:
    """Write pieces, in the caller's transaction; drop those of unknown owners and those beyond the bounds."""
    pieces = list(pieces)
    owners, streams = await _look(db, {piece.task_id for piece in pieces})
    wanted: list[tuple[_Key, LogPiece]] = []
    for piece in pieces:
        owner = owners.get(piece.task_id)
        if owner is None:
            continue
        attempt = piece.attempt or owner.attempt
        if owner.past < attempt <= owner.attempt:
            wanted.append((_Key(owner.seq, attempt, piece.proplet_id, piece.stream), piece))
    if wanted:
        batch = _Batch(streams, await _executions(db, streams, wanted))
        await _look_for(db, batch, wanted)
        for key, piece in wanted:
            batch.add(key, piece)
        await _write(db, batch)
    await _make_room(db)


async def _look(db: Db, task_ids: Iterable[str]) -> tuple[dict[str, _Owner], list[_Stream]]:
    owners: dict[str, _Owner] = {}
    streams: list[_Stream] = []
    for row in await db.fetch(_OWNERS, texts.array(task_ids)):
        task_id, seq, present, past, id_, attempt, proplet_id, stream, size, is_full = row
        owners[task_id] = _Owner(seq, present, past)
        if id_ is not None:
            streams.append(_Stream(_Key(seq, attempt, proplet_id, stream), id_, size, bool(is_full)))
    return owners, streams


async def _executions(
    db: Db, streams: Iterable[_Stream], wanted: Iterable[tuple[_Key, LogPiece]]
) -> list[tuple[int, int]]:
    """Read the present attempts of the executions of tasks of which a stream begins."""
    known = {stream.key for stream in streams}
    owners = list({key.owner for key, _ in wanted if key not in known})
    if not owners:
        return []
    sql = "SELECT DISTINCT seq, attempt FROM executions WHERE seq = ANY ($1)"
    return [(seq, attempt) for seq, attempt in await db.fetch(sql, owners)]


async def _look_for(db: Db, batch: _Batch, wanted: Sequence[tuple[_Key, LogPiece]]) -> None:
    """Find which of the pieces are there already."""
    known = [(batch.streams[key].id, piece.offset) for key, piece in wanted if key in batch.streams]
    if known:
        keys = {stream.id: key for key, stream in batch.streams.items()}
        found = await db.fetch(_THERE, [id_ for id_, _ in known], [offset for _, offset in known])
        batch.there = {(keys[id_], offset) for id_, offset in found}


async def _write(db: Db, batch: _Batch) -> None:
    gone = [stream.id for stream in batch.gone if stream.id]
    if gone:
        await db.execute("DELETE FROM log_streams WHERE id = ANY ($1)", gone)
    begun = [stream for stream in batch.streams.values() if not stream.id]
    grown = [stream for stream in batch.streams.values() if stream.id and stream.is_changed]
    if begun:
        columns = zip(*(stream.key for stream in begun), strict=True)
        owners, attempts, proplet_ids, names = map(list, columns)
        sizes = [stream.bytes for stream in begun], [int(stream.is_full) for stream in begun]
        values = owners, attempts, texts.array(proplet_ids), texts.array(names), *sizes
        for id_, *key in await db.fetch(_INSERT_STREAMS, *values):
            batch.streams[_Key(*key)].id = id_
    if grown:
        ids = [stream.id for stream in grown]
        sizes = [stream.bytes for stream in grown], [int(stream.is_full) for stream in grown]
        await db.execute(_UPDATE_STREAMS, ids, *sizes)
    left = {stream.id for stream in batch.streams.values()}
    written = [(stream.id, piece) for stream, piece in batch.pieces if stream.id in left]
    if written:
        await db.execute(
            _INSERT_PIECES,
            [id_ for id_, _ in written],
            [piece.offset for _, piece in written],
            [piece.at for _, piece in written],
            texts.array(piece.text for _, piece in written),
            [int(piece.is_cut) for _, piece in written],
        )


async def _make_room(db: Db) -> None:
    """Delete the streams that began first, until the rest is within the bound."""
    excess = await db.fetchval("SELECT bytes FROM log_total") - limits.LOG_BYTES_KEPT
    while excess > 0 and (gone := await db.fetch(_DELETE_OLDEST, _STREAMS_AT_ONCE, excess)):
        excess -= sum(size for (size,) in gone)


# -- reading -------------------------------------------------------------------------------------------------


async def last_log_attempt(db: Db, task_id: str, stream: str) -> int:
    """Find the last attempt that wrote to a stream, or to any; 0 if none did."""
    sql = (
        "SELECT MAX(attempt) FROM log_streams WHERE owner = (SELECT seq FROM tasks WHERE id = $1) "
        "AND ($2 = '' OR stream = $2)"
    )
    return await db.fetchval(sql, task_id, stream) or 0


async def read_logs(db: Db, only: LogFilter, after: int, limit: int) -> Page[StoredPiece]:
    """Read a page of the pieces after an id, in the order of arrival."""
    # Each stream gives as many as a page has: so an index leads to them.
    sql = (
        f"WITH s AS MATERIALIZED ({_STREAMS_OF}) "
        "SELECT total.size, p.* FROM ("
        "SELECT COUNT(*) AS size FROM log_pieces WHERE log_stream = ANY (ARRAY(SELECT id FROM s))) total "
        "LEFT JOIN (SELECT p.id, s.proplet_id, s.attempt, s.stream, p.start, p.text, p.is_cut, p.written_at "
        "FROM s CROSS JOIN LATERAL (SELECT * FROM log_pieces WHERE log_stream = s.id AND id > $5 "
        "ORDER BY id LIMIT $6) p ORDER BY p.id LIMIT $6) p ON TRUE ORDER BY p.id"
    )
    found = await db.fetch(sql, *_values(only), after, limit)
    return Page(
        found[0]["size"],
        [
            (row[1], LogPiece(only.task_id, row[2], row[3], row[4], row[5], row[6], bool(row[7]), row[8]))
            for row in found
            if row[1] is not None
        ],
    )


async def tail_of_logs(db: Db, only: LogFilter, lines: int) -> LogTail:
    """Find the begin of the last lines, in the caller's snapshot; an unfinished line counts."""
    sql = (
        f"SELECT p.id, p.text FROM ({_STREAMS_OF}) s CROSS JOIN LATERAL ("
        "SELECT id, text FROM log_pieces WHERE log_stream = s.id AND id < $5 ORDER BY id DESC LIMIT $6) p "
        "ORDER BY p.id DESC LIMIT $6"
    )
    search = LastLines(lines)
    before = 2**63 - 1
    while found := await db.fetch(sql, *_values(only), before, _PIECES_AT_ONCE):
        for number, text in found:
            if tail := search.take(number, text):
                return tail
        before = found[-1]["id"]
    return LogTail(0, 0)


def _values(only: LogFilter) -> tuple[str, str, int, int]:
    return only.task_id, only.stream, only.first_attempt, only.last_attempt
