"""``/events``: every change of state as server-sent events, in order and without gaps."""

from collections.abc import Callable, Iterable, Iterator

from starlette.types import ASGIApp

from propeller.access.roles import Action
from propeller.api import queries
from propeller.api.belonging import is_seen, namespaces_of
from propeller.api.context import Context, HttpRequest, context_of
from propeller.api.endpoints import EventText, get
from propeller.api.sse import EventStream, Write, event_text
from propeller.core.effects import Transition
from propeller.manager.batches import Batch, Only
from propeller.manager.watches import Watch
from propeller.store.port import Gone, Record, RecordKind
from propeller.wire.http.events import GoneView
from propeller.wire.http.schema import encode

#: Bytes that are sent at once while a follower catches up.
_PIECE_BYTES = 64 * 1024
#: For how long changes are gathered after some were sent.
_GATHER_S = 0.1
#: Of how many events the changes are sent at once, about 64 KiB; the next come without a pause then.
_ROWS_MAX = 1000

#: Id of the task, state, attempt, id of the proplet, time in ms, and whether it is up.
_Row = tuple[str, int, int, str, int, int]


@get(
    "/events",
    action=Action.READ,
    gives=EventText,
    query=[
        queries.AFTER,
        queries.LAST_EVENT_ID,
        queries.OF_TASK,
        queries.OF_WORKFLOW,
        queries.OF_JOB,
        queries.NAMESPACE,
        queries.BRIEF,
    ],
    anywhere=True,
)
async def follow_events(request: HttpRequest) -> ASGIApp:
    """Follow the changes of tasks' states, from now on or from an earlier event on."""
    context = context_of(request)
    after = queries.last_event_id(request)
    if after is None:
        after = queries.whole(request, queries.AFTER)
    only = (
        queries.text(request, queries.OF_TASK),
        queries.text(request, queries.OF_WORKFLOW),
        queries.text(request, queries.OF_JOB),
    )
    theirs = namespaces_of(request)
    kinds: tuple[RecordKind, ...] = ("task", "workflow", "job")
    records = [Record(kind, its_id) for kind, its_id in zip(kinds, only, strict=True) if its_id]
    seen = [record for record in records if await is_seen(request, record)]
    hidden = [record for record in records if record not in seen]
    following = _Following(context, after, only, namespaces=theirs, records=seen, hidden=hidden)
    is_brief = queries.flag(request, queries.BRIEF)
    return EventStream(following.send_changes if is_brief else following.send_events)


class _Following:
    """One follower of events; it ends with the feed."""

    def __init__(
        self,
        context: Context,
        after: int | None,
        only: Only,
        *,
        namespaces: tuple[str, ...] | None,
        records: list[Record],
        hidden: list[Record],
    ) -> None:
        """Begin behind an event, or with the next.

        Args:
            context: That of the request.
            after: The event; None for what comes next.
            only: What the events are to be about.
            namespaces: Those whose events may be sent; None for all.
            records: What is told to be gone when it is.
            hidden: What is there, and is told not to be, because who asks may not see it.

        """
        self._feed = context.feed
        self._texts = context.event_texts
        # Set here and not at the first wait, so that no event is lost between headers and events.
        self._after = self._feed.last_id if after is None else after
        self._only = only
        self._namespaces = namespaces
        self._records = records
        self._hidden = hidden

    async def send_events(self, write: Write) -> None:
        """Send each event as soon as it is there; send events that are there together in one piece."""
        await self._say_hidden(write)
        async with self._feed.watching(self._records) as watch:
            async for batch in self._feed.follow_in_batches(self._after, watch, only=self._only):
                for piece in self._made(batch, "pieces", self._pieces) if batch else _of_quiet(watch):
                    await write(piece)

    async def send_changes(self, write: Write) -> None:
        """Send what has changed in brief, and what changes within a while after that together."""
        await self._say_hidden(write)
        async with self._feed.watching(self._records) as watch:
            async for batch in self._feed.follow_in_batches(
                self._after, watch, only=self._only, page=_ROWS_MAX, rest_s=_GATHER_S
            ):
                for piece in self._made(batch, "changes", _changes) if batch else _of_quiet(watch):
                    await write(piece)

    async def _say_hidden(self, write: Write) -> None:
        for record in self._hidden:
            await write(_gone_text(Gone(record)))

    def _made(self, batch: Batch, name: str, make: Callable[[Batch], list[bytes]]) -> list[bytes]:
        """Make pieces of those events that may be sent; once for all who follow the same namespaces."""
        theirs = self._namespaces
        if theirs is None:
            return batch.made(name, make)
        return batch.made(f"{name} {' '.join(theirs)}", lambda all_: _of_namespaces(all_, theirs, make))

    def _pieces(self, batch: Batch) -> list[bytes]:
        return list(_pieces(self._texts.of(*event) for event in batch))


def _of_namespaces(
    batch: Batch, namespaces: tuple[str, ...], make: Callable[[Batch], list[bytes]]
) -> list[bytes]:
    found = Batch([event for event in batch if event[1].namespace in namespaces], last=batch.last)
    return make(found) if found else []


def _of_quiet(watch: Watch) -> list[bytes]:
    """Give what is sent where there are no events: which records are not there."""
    return [_gone_text(gone) for gone in watch.take()]


def _gone_text(gone: Gone) -> bytes:
    ids = {f"{record.kind}_id": record.id for record in (gone.record, gone.within) if record is not None}
    return event_text(None, "gone", encode(GoneView(**ids)))


def _changes(batch: Batch) -> list[bytes]:
    return [event_text(batch.last, "changes", encode([_row(transition) for _, transition in batch]))]


def _row(it: Transition) -> _Row:
    return it.task_id, it.state, it.attempt, it.proplet_id, it.at // 1_000_000, int(it.is_up)


def _pieces(texts: Iterable[bytes]) -> Iterator[bytes]:
    """Join texts to the pieces that are sent at once."""
    ready: list[bytes] = []
    size = 0
    for text in texts:
        ready.append(text)
        size += len(text)
        if size >= _PIECE_BYTES:
            yield b"".join(ready)
            ready, size = [], 0
    if ready:
        yield b"".join(ready)


ENDPOINTS = [follow_events]
