"""Forwards requests to the manager that leads, and hands its answers back, both as they come.

What is sent a second time is only what changes nothing, what certainly was not begun, and what has an
idempotency key, so that it is carried out once. Of anything else the client is told that its outcome is not
known.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from enum import Enum
from typing import Self
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from propeller.access.principal import Principal
from propeller.api.answers import LEAD, error_body
from propeller.api.context import PRINCIPAL
from propeller.api.peer_trust import OwnCertificate, Trust
from propeller.api.peers import Broken, Connections, Head, Headers, Unreachable
from propeller.api.queries import IDEMPOTENCY_KEY
from propeller.backoff import Backoff
from propeller.manager.leaders import Leaders
from propeller.manager.patience import PATIENCE_S
from propeller.store.lead import Leader

#: Says which manager has forwarded a request; one that has it is not forwarded again.
FORWARDED_BY = b"propeller-forwarded-by"
#: The answer of a manager that does not lead to a request that was forwarded to it (RFC 9110, 15.5.20).
_MISDIRECTED = 421
_ELSEWHERE = 307

#: How many requests wait at most.
_WAITING_MAX = 1000
#: How long an earlier leader may take for its last answers, when another leads already.
_LAST_ANSWER_S = 0.25
#: From one attempt to reach the same leader to the next.
_AGAIN = Backoff(first_s=0.05, longest_s=0.5)
#: Up to this size a body is kept until its request is answered, so that it can be sent again.
_KEPT_BYTES_MAX = 1024 * 1024

#: Headers of one connection (RFC 9110, 7.6.1); those that the servers write anew; and those that tell of the
#: page that a request comes from, which the gate before this manager has looked at.
_NOT_FORWARDED = frozenset(
    b"connection keep-alive proxy-connection te trailer transfer-encoding upgrade expect host "
    b"origin sec-fetch-site sec-fetch-mode sec-fetch-dest sec-fetch-user".split()
)
_NOT_HANDED_BACK = frozenset(
    b"connection keep-alive proxy-connection trailer transfer-encoding upgrade date server".split()
)
#: Headers that stay even where ``Connection`` names them: they say where a request ends, and whether it may
#: come twice.
_KEPT = frozenset((b"content-length", IDEMPOTENCY_KEY.name.lower().encode()))


class _Outcome(Enum):
    ANSWERED = "answered"
    #: Nothing was done.
    NOT_BEGUN = "not begun"
    UNKNOWN = "unknown"


class _ClientGone(Exception):
    """The client waits for no answer."""


class Forwarding:
    """An application that has the manager that leads answer; close it, or use it as a context manager."""

    def __init__(self, leaders: Leaders, *, instance_id: str, own: OwnCertificate | None = None) -> None:
        """Make it; nothing is connected yet.

        Args:
            leaders: Who leads.
            instance_id: Names this manager in what it forwards.
            own: What this manager shows to its clients, which others may show too.

        """
        self._leaders = leaders
        self._instance_id = instance_id.encode()
        self._waiting = 0
        #: Those whose answers are streams of events.
        self._streams: set[_Exchange] = set()
        self._connections = Connections(Trust(own))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def end_streams(self) -> None:
        """End all streams of events, so that the program can end."""
        for exchange in self._streams:
            exchange.end()

    def close(self) -> None:
        self._connections.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if any(name == FORWARDED_BY for name, _ in scope["headers"]):
            text = "this manager does not lead, and the request was forwarded to it; ask again soon"
            await _refused(text, _MISDIRECTED)(scope, receive, send)
            return
        leader, principal = self._leaders.now, scope.get(PRINCIPAL)
        if leader is not None and isinstance(principal, Principal) and principal.how == "certificate":
            await _ask_yourself(leader, scope)(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._instance_id)
        left = asyncio.create_task(exchange.client_left())
        try:
            response = await self._answered(exchange)
        except _ClientGone:
            return
        finally:
            left.cancel()
        if response is not None:
            await response(scope, receive, send)

    async def _answered(self, exchange: "_Exchange") -> Response | None:
        """Have a leader answer, this one or the next; give the answer where none does."""
        now = asyncio.get_running_loop().time
        give_up_at: float | None = None
        attempts = 0
        is_unknown = False
        while True:
            leader = self._leaders.now
            outcome = _Outcome.NOT_BEGUN
            if leader is not None:
                outcome = await self._ask(leader, exchange)
            if outcome is _Outcome.ANSWERED:
                return None
            is_unknown |= outcome is _Outcome.UNKNOWN
            give_up_at = give_up_at or now() + PATIENCE_S
            may_go_on = exchange.can_be_repeated and (not is_unknown or exchange.may_be_repeated)
            if not may_go_on or now() >= give_up_at or self._waiting >= _WAITING_MAX:
                return _gave_up(leader, exchange, is_unknown=is_unknown)
            self._waiting += 1
            try:
                async with exchange.limited() as limit:
                    pause_s = PATIENCE_S if leader is None else _AGAIN.delay_s(attempts)
                    limit.reschedule(min(now() + pause_s, give_up_at))
                    await self._leaders.changed_from(leader)
            finally:
                self._waiting -= 1
            attempts += 1

    async def _ask(self, leader: Leader, exchange: "_Exchange") -> _Outcome:
        """Send a request to a leader and hand its answer back, as long as it can be the leader."""

        def changed() -> None:
            now, other = loop.time(), self._leaders.now
            if limit.expired():
                return
            if other is None:
                limit.reschedule(now + PATIENCE_S)
            else:
                limit.reschedule(None if other == leader else now + _LAST_ANSWER_S)

        loop = asyncio.get_running_loop()
        outcome = _Outcome.UNKNOWN
        try:
            async with exchange.limited() as limit:
                with self._leaders.watching(changed):
                    outcome = await self._exchanged(leader, exchange)
        except Unreachable as error:
            exchange.trouble = f"can't be reached: {error}"
            return _Outcome.NOT_BEGUN
        except Broken:
            exchange.trouble = "went away before it answered"
        if outcome is _Outcome.UNKNOWN and exchange.has_begun_answer:
            await exchange.break_off()
            return _Outcome.ANSWERED
        return outcome

    async def _exchanged(self, leader: Leader, exchange: "_Exchange") -> _Outcome:
        connection = await self._connections.take(leader.address)
        try:
            head = await connection.ask(
                exchange.head_for(leader),
                exchange.body(),
                is_chunked=exchange.is_chunked,
                has_body=exchange.wants_body,
            )
            if head.status == _MISDIRECTED:
                exchange.trouble = "says that it does not lead"
                return _Outcome.NOT_BEGUN
            if exchange.may_be_repeated and exchange.can_be_repeated and _has_lost_lead(head):
                return _Outcome.UNKNOWN
            await exchange.begin_answer(head)
            if exchange.is_event_stream:
                self._streams.add(exchange)
            async for piece in connection.pieces():
                await exchange.go_on(piece)
            await exchange.end_answer()
        finally:
            self._streams.discard(exchange)
            self._connections.give_back(leader.address, connection)
        return _Outcome.ANSWERED


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, instance_id: bytes) -> None:
        self.ends = (scope, receive, send)
        self._scope = scope
        self._receive = receive
        self._send = send
        self._instance_id = instance_id
        self.has_begun_answer = False
        #: What was the matter with the leader that was asked last.
        self.trouble = "does not answer"
        self.is_event_stream = False
        #: What has come of the body, as long as that is little.
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        #: False once a part of the body is neither kept nor to come.
        self.can_be_repeated = True
        self._is_whole = asyncio.Event()
        names = {name for name, _ in scope["headers"]}
        self.is_chunked = b"transfer-encoding" in names
        if not self.is_chunked and b"content-length" not in names:
            self._is_whole.set()  # there is no body
        has_key = scope["method"] == "POST" and IDEMPOTENCY_KEY.name.lower().encode() in names
        self.wants_body = scope["method"] != "HEAD"
        self.is_change = scope["method"] not in ("GET", "HEAD")
        #: True if it does no harm that the request comes twice.
        self.may_be_repeated = has_key or not self.is_change
        self._limit: asyncio.Timeout | None = None
        self._has_left = False

    # -- the client ----------------------------------------------------------------------------------------

    async def client_left(self) -> None:
        """Wait until the client has left, and end what is limited then."""
        await self._is_whole.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._has_left = True
        self.end()

    def end(self) -> None:
        """End what is limited at present."""
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(0.0)

    @contextlib.asynccontextmanager
    async def limited(self) -> AsyncIterator[asyncio.Timeout]:
        """End the block when its time is over; raise ``_ClientGone`` if the client has left."""
        if self._has_left:
            raise _ClientGone
        try:
            async with asyncio.timeout(None) as self._limit:
                yield self._limit
        except TimeoutError:
            if self._has_left:
                raise _ClientGone from None
        finally:
            self._limit = None

    # -- the request ---------------------------------------------------------------------------------------

    def head_for(self, leader: Leader) -> bytes:
        """Write line and headers for a leader, whose address is a URL."""
        url = urlsplit(leader.address)
        path = self._scope["raw_path"].partition(b"?")[0]
        query = self._scope["query_string"]
        target = url.path.rstrip("/").encode() + path + (b"?" + query if query else b"")
        headers = _without(self._scope["headers"], _NOT_FORWARDED)
        headers += [(b"host", url.netloc.encode()), (FORWARDED_BY, self._instance_id)]
        if self.is_chunked:
            headers = [header for header in headers if header[0] != b"content-length"]
            headers.append((b"transfer-encoding", b"chunked"))
        lines = [b"%s %s HTTP/1.1" % (self._scope["method"].encode(), target)]
        lines += [b"%s: %s" % header for header in headers]
        return b"\r\n".join([*lines, b"", b""])

    async def body(self) -> AsyncIterator[bytes]:
        """Give the body; what has come of it comes again each time."""
        for chunk in self._kept:
            yield chunk
        while not self._is_whole.is_set():
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise _ClientGone
            chunk = message.get("body", b"")
            self._keep(chunk)
            if not message.get("more_body", False):
                self._is_whole.set()
            if chunk:
                yield chunk

    def _keep(self, chunk: bytes) -> None:
        self._kept_bytes += len(chunk)
        if self._kept_bytes <= _KEPT_BYTES_MAX:
            self._kept.append(chunk)
        else:
            self.can_be_repeated = False
            self._kept.clear()

    # -- the answer ----------------------------------------------------------------------------------------

    async def begin_answer(self, head: Head) -> None:
        handed_back = _without(head.headers, _NOT_HANDED_BACK)
        self.is_event_stream = any(
            name.lower() == b"content-type" and value.startswith(b"text/event-stream")
            for name, value in handed_back
        )
        self.has_begun_answer = True
        await self._send({"type": "http.response.start", "status": head.status, "headers": handed_back})

    async def go_on(self, chunk: bytes) -> None:
        await self._send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def end_answer(self) -> None:
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def break_off(self) -> None:
        """End an answer whose rest is lost.

        A stream of events ends as streams do. Of any other the server sees that it is not whole, and ends the
        connection, so that the client sees it too.
        """
        if self.is_event_stream:
            await self.end_answer()


def _without(headers: Iterable[tuple[bytes, bytes]], left_out: frozenset[bytes]) -> Headers:
    """Copy headers without those of one connection, also those that ``Connection`` names."""
    named = {
        name.strip().lower()
        for key, value in headers
        if key.lower() == b"connection"
        for name in value.split(b",")
    }
    gone = left_out | (named - _KEPT)
    return [(key, value) for key, value in headers if key.lower() not in gone]


def _has_lost_lead(head: Head) -> bool:
    return any(name.lower() == LEAD.encode() for name, _ in head.headers)


def _ask_yourself(leader: Leader, scope: Scope) -> Response:
    """Lead a client to the leader: nobody else can show its certificate there."""
    query = f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else ""
    place = f"{leader.address}{scope['raw_path'].decode('latin-1')}{query}"
    text = f"this manager does not lead, and can't show your certificate to the one that does; ask {place}"
    response = _refused(text, _ELSEWHERE)
    response.headers["location"] = place
    return response


def _gave_up(leader: Leader | None, exchange: _Exchange, *, is_unknown: bool) -> Response:
    if is_unknown and exchange.is_change:
        text = (
            "the manager that leads went away before it answered, so it is not known whether this was done; "
        )
        if exchange.may_be_repeated:
            return _refused(f"{text}send it again with the same Idempotency-Key, then it is done once", 502)
        return _refused(
            f"{text}look before you send it again; with an Idempotency-Key that does no harm", 502
        )
    why = f"{leader.address}, which leads, {exchange.trouble}" if leader else "none leads at present"
    return _refused(
        f"this request is for the manager that leads, and {why}; nothing was done, try again soon", 503
    )


def _refused(text: str, status: int) -> Response:
    headers = {"retry-after": "1"} if status == 503 else {}
    return Response(error_body(text), status, headers, media_type="application/json")
