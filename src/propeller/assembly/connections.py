"""Connections of HTTP clients, with limits for slow ones and for those that send too much.

Uvicorn waits for a request for ever and takes in whatever comes. Here a client has to get on with it, and
what all of them may hold at once is bounded: when there are too many connections, the one that is silent for
longest goes, and when bodies take too much memory, the one that arrives most slowly.

Requests that bring new work pass the entrance (``api.entrance``): some wait for their turn with no more than
their body in memory, and some are refused before it is read.
"""

import asyncio
import functools
import resource
import sys
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.utils import is_ssl

from propeller.api.entrance import COMMANDS, INVOCATIONS, Entrance, Refusal, lane_of
from propeller.assembly.certificate import Certificate, tls_of
from propeller.assembly.heads import (
    SMALL_BODY_BYTES,
    comes_unasked,
    ends_soon,
    is_there,
    network,
    refusal_text,
)
from propeller.assembly.share import EACH_MAX, Share
from propeller.config.settings import HttpSettings

#: How much a body has to bring in each second, on average, to make up for its pauses.
BODY_BYTES_PER_S_MIN = 1024
#: Bytes of the bodies of all requests that are not answered yet.
BODIES_BYTES_MAX = 256 * 1024 * 1024
#: A body gets at least this long, s, before it has to give way to others.
_BODY_S_MIN = 5.0
#: The most that counts of the time between two looks, s.
_LOOK_S_MAX = 2.0
#: How long, s, and how many bytes more a refused client may go on sending until it reads the refusal.
_LINGER_S = 2.0
_LINGER_BYTES_MAX = 1024 * 1024
_CONNECTIONS_MAX = 8192
_HEADERS_MAX = 200
#: How many invocations are under way at once: they wait for guests and take no turn of the engine.
_INVOCATIONS_AT_ONCE = 1024
#: A refused request is told so after this time, s, when another one has been carried out: there are no more
#: refusals than work done then, however many clients come again at once.
_PAUSE_S = 1.0
#: And after this time in any case.
_PAUSE_S_MAX = 10.0
#: When one may come again that was refused because of what others do just now, s.
_RETRY_S = 1
#: For the store, proplets and the programs that they start.
_OTHER_FILES = 512


class Waiting(NamedTuple):
    """A request that waits at the entrance, or is to be told that it is refused."""

    connection: "Connection"
    cycle: RequestResponseCycle
    #: What is to answer it.
    app: Any
    client: str


class Watch:
    """The state that the connections of one server share, and their limits."""

    def __init__(
        self,
        http: HttpSettings,
        *,
        connections_max: int | None = None,
        bodies_bytes_max: int = BODIES_BYTES_MAX,
        commands: Entrance[Waiting] | None = None,
    ) -> None:
        """Begin with no connections.

        Args:
            http: The limits of one connection.
            connections_max: How many may be open; None for what the system's limit of files leaves.
            bodies_bytes_max: How much may be held of bodies whose requests are not answered yet.
            commands: The entrance for requests that bring new work, where it is not the usual one.

        """
        self.http = http
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        free = soft if soft == resource.RLIM_INFINITY else max(soft - _OTHER_FILES, soft // 2)
        self.connections_max = connections_max or (
            _CONNECTIONS_MAX if free < 0 else min(free, _CONNECTIONS_MAX)
        )
        self.bodies_bytes_max = bodies_bytes_max
        #: What the server shows by HTTPS; None without.
        self.certificate: Certificate | None = None
        #: Connections whose client we wait for, the one that has been silent for longest first.
        self.waiting: OrderedDict[Connection, None] = OrderedDict()
        #: Connections whose client has yet to read so much that the answer waits.
        self.unread: set[Connection] = set()
        #: Connections whose body is arriving and is not small.
        self.arriving: set[Connection] = set()
        #: Bytes of bodies whose requests are not answered yet.
        self.held = 0
        self._looked_at = 0.0
        #: By lane.
        self.entrances: dict[str, Entrance[Waiting]] = {
            COMMANDS: commands or Entrance(COMMANDS),
            INVOCATIONS: Entrance(INVOCATIONS, at_once=_INVOCATIONS_AT_ONCE),
        }
        self.share = Share(http.trusted_proxies)
        #: Connections with a refused request that has yet to be told so, first ones first, and since when.
        self.turned_away: OrderedDict[Connection, float] = OrderedDict()

    def protocol(self) -> Callable[..., Any]:
        """The factory of connections for Uvicorn."""
        return functools.partial(Connection, self)

    def look(self, now: float) -> None:
        """Send those away that let us wait for too long; to be called about once a second."""
        # After a pause of our own, what clients sent meanwhile has yet to be read.
        passed_s = min(now - self._looked_at, _LOOK_S_MAX) if self._looked_at else 0.0
        self._looked_at = now
        for connection in list(self.waiting):
            connection.look(passed_s)
        for connection in list(self.unread):
            connection.look_at_answer(passed_s)
        for entrance in self.entrances.values():
            for one, refusal in entrance.overdue(now):
                one.connection.turn_away(one.cycle, refusal)

    def make_room(self, newcomer: "Connection") -> None:
        """Send one away if there are more than may be."""
        if len(newcomer.connections) <= self.connections_max:
            return
        if self.turned_away:
            next(iter(self.turned_away)).tell_refusal(is_last=True)
        else:
            one = next(iter(self.waiting))
            one.refuse(503, "there are too many connections; try again later", lingers=False)

    async def pass_through(self, lane: str, app: Any, *given: Any) -> None:
        """Answer a request that has passed the entrance; then the next one begins."""
        try:
            await app(*given)
        finally:
            now = asyncio.get_running_loop().time()
            following = self.entrances[lane].leave(now)
            if following is not None:
                following.connection.begins(following)
            if self.turned_away:
                connection, since = next(iter(self.turned_away.items()))
                if now - since >= _PAUSE_S:
                    connection.tell_refusal()

    def hold(self, holder: "Connection", count: int, now: float) -> None:
        """Take in a part of a body; if that is too much, send away the slowest of those not just begun."""
        self.held += count
        holder.held += count
        if holder.held > SMALL_BODY_BYTES:
            self.arriving.add(holder)
        if self.held > self.bodies_bytes_max:
            # Not often: each time one goes, with more than a small body.
            known = [one for one in self.arriving if now - one.body_since >= _BODY_S_MIN]
            one = min(known, key=lambda one: one.pace(now), default=holder)
            if one in self.arriving:
                one.refuse(503, "body: there are too many large requests at once; try again later")

    def let_go(self, holder: "Connection") -> None:
        """Forget a body whose request is answered, or whose client is gone."""
        self.held -= holder.held
        holder.held = 0
        self.arriving.discard(holder)


class _HeadTooLarge(Exception):
    """Ends the reading of a request; the parser makes an error of its own of it."""


class Connection(HttpToolsProtocol):
    """One connection, with an eye on how its client gets on."""

    def __init__(self, watch: Watch, **given: Any) -> None:
        super().__init__(**given)
        self._watch = watch
        #: Bytes of the body that is arriving, or whose request is not answered yet.
        self.held = 0
        self.body_since = 0.0
        self._is_in_head = self._is_in_body = False
        self._is_refused = False
        self._thrown_away = 0
        self._heads_begun = 0
        #: Bytes of the head that is arriving: those that the parser has found, and those that it was given.
        self._head_bytes = self._raw_head_bytes = 0
        #: How long we still wait for the headers, and for more of the body; None while none are under way.
        self._head_s_left: float | None = watch.http.head_s_max
        self._body_s_left = 0.0
        #: How much of the answer the client had yet to read at the last look, and how long we still wait.
        self._unread_bytes = 0
        self._answer_s_left = 0.0
        #: A request whose body we wait for, and the application that is to answer it.
        self._unbegun: tuple[RequestResponseCycle, Any] | None = None
        #: A request that waits at the entrance, and one that was refused there and has yet to be told so.
        self._queued: Waiting | None = None
        self._turned_away: tuple[RequestResponseCycle, Refusal] | None = None
        self._telling: asyncio.TimerHandle | None = None
        self._client: str | None = None
        #: The client among whose connections it counts; ``""`` if it does not.
        self._counted = ""
        #: What ASGI's TLS extension says of the connection; None without TLS.
        self._tls: dict[object, object] | None = None

    # -- what comes in -------------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        # As Uvicorn does, but for the addresses: it asks the system seven times for them, and we need one.
        self.connections.add(self)
        self.transport = transport
        self.flow = FlowControl(transport)
        self.scheme = "https" if is_ssl(transport) else "http"
        peer = transport.get_extra_info("peername")
        self.client = peer[:2] if isinstance(peer, tuple) else None
        if self.scheme == "https":
            self._tls = tls_of(transport.get_extra_info("ssl_object"), self._watch.certificate)
        counted = self._watch.share.take(self.client[0]) if self.client else ""
        if counted is None:
            self._is_refused = True
            text = f"there are {EACH_MAX} connections of this client already; close some, and try again"
            transport.write(refusal_text(429, text, _RETRY_S, closes=True))
            transport.close()
            return
        self._counted = counted
        self._watch.waiting[self] = None
        self._watch.make_room(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._watch.share.give_back(self._counted)
        if self._queued is not None:
            self._entrance_of(self._queued.cycle).gives_up(self._queued.client, self._queued)
            self._queued = None
        self._watch.turned_away.pop(self, None)
        if self._telling is not None:
            self._telling.cancel()
        self._watch.waiting.pop(self, None)
        self._watch.unread.discard(self)
        self._watch.let_go(self)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            self._thrown_away += len(data)
            if self._thrown_away > _LINGER_BYTES_MAX:
                self.transport.abort()
            return
        if self._head_s_left is None and not self._is_in_body:
            self._head_s_left = self._watch.http.head_s_max
        began = self._heads_begun
        if self in self._watch.waiting:
            self._watch.waiting.move_to_end(self)
        super().data_received(data)
        if self._is_in_head:
            # Where in this read it began is not known.
            self._raw_head_bytes = self._raw_head_bytes + len(data) if self._heads_begun == began else 0
            if self._raw_head_bytes > self._watch.http.head_bytes_max:
                self._refuse_head()

    def send_400_response(self, msg: str) -> None:
        if self._head_bytes > self._watch.http.head_bytes_max or len(self.headers or ()) > _HEADERS_MAX:
            self._refuse_head()
        else:
            super().send_400_response(msg)

    # -- what the parser finds -----------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._tls is not None:
            self.scope["extensions"] = {"tls": self._tls}
        self._is_in_head = True
        self._heads_begun += 1
        self._head_bytes = 0
        if self._head_s_left is None:
            self._head_s_left = self._watch.http.head_s_max
        self._watch.waiting.setdefault(self)

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._count_head(len(name) + len(value))

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self._head_s_left = None
        self._is_in_body = True
        super().on_headers_complete()
        self.body_since = self.loop.time()
        self._body_s_left = self._watch.http.body_silence_s_max

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Begin with a request, as soon as its body is there, or so much of it that there is no doubt.

        A request whose body does not come costs little that way.
        """
        if lane_of(cycle.scope["method"], cycle.scope["path"]):
            refusal = self._entrance_of(cycle).refusal(self._client_name, self.loop.time())
            if refusal is not None:
                self.turn_away(cycle, refusal)
                return
        if is_there(cycle) or not comes_unasked(cycle):
            self._enter(cycle, app)
        else:
            self._unbegun = (cycle, app)

    def _begin_unbegun(self) -> None:
        if self._unbegun is not None and is_there(self._unbegun[0]):
            (cycle, app), self._unbegun = self._unbegun, None
            self._enter(cycle, app)

    # -- the entrance --------------------------------------------------------------------------------------

    def _enter(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Begin with a request, or let it wait for its turn if it brings new work.

        One whose body is still on its way would have its turn for as long as its client likes; bodies that
        are so large are bounded by their bytes.
        """
        lane = "" if cycle.more_body else lane_of(cycle.scope["method"], cycle.scope["path"])
        if not lane:
            super()._start_asgi_task(cycle, app)
            return
        passing = functools.partial(self._watch.pass_through, lane, app)
        waiting = Waiting(self, cycle, passing, self._client_name)
        if self._watch.entrances[lane].enters(waiting.client, waiting, self.loop.time()):
            super()._start_asgi_task(cycle, passing)
        else:
            self._queued = waiting

    def begins(self, one: Waiting) -> None:
        """Begin with a request whose turn has come."""
        self._queued = None
        super()._start_asgi_task(one.cycle, one.app)

    def turn_away(self, cycle: RequestResponseCycle, refusal: Refusal) -> None:
        """Refuse a request, before its body is read if that is not small."""
        self._queued = None
        if not ends_soon(cycle):
            self.refuse(refusal.status, refusal.message, retry_s=refusal.retry_after_s)
            return
        self._turned_away = (cycle, refusal)
        self._watch.turned_away[self] = self.loop.time()
        self._telling = self.loop.call_later(_PAUSE_S_MAX, self.tell_refusal)

    def tell_refusal(self, *, is_last: bool = False) -> None:
        """Answer a request that was refused at the entrance; the connection stays unless this is its last."""
        if self._turned_away is None or self.transport.is_closing():
            return
        (cycle, refusal), self._turned_away = self._turned_away, None
        self._watch.turned_away.pop(self, None)
        if self._telling is not None:
            self._telling.cancel()
        if cycle.more_body:
            self.refuse(refusal.status, refusal.message, retry_s=refusal.retry_after_s)
            return
        closes = is_last or not cycle.keep_alive
        self.transport.write(
            refusal_text(refusal.status, refusal.message, refusal.retry_after_s, closes=closes)
        )
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if closes:
            self.transport.close()
        self.on_response_complete()

    def _entrance_of(self, cycle: RequestResponseCycle) -> Entrance[Waiting]:
        return self._watch.entrances[lane_of(cycle.scope["method"], cycle.scope["path"])]

    @property
    def _client_name(self) -> str:
        """Name the client: its address, or the network that is one client's with IPv6."""
        if self._client is None:
            self._client = network(self.client[0]) if self.client else ""
        return self._client

    def on_body(self, body: bytes) -> None:
        if self._unbegun is None:
            super().on_body(body)
        else:
            self.cycle.body += body  # Uvicorn would stop reading until the application takes it
        brought_s = len(body) / BODY_BYTES_PER_S_MIN
        self._body_s_left = min(self._body_s_left + brought_s, self._watch.http.body_silence_s_max)
        if not (self.cycle.response_complete or self._is_refused):
            self._watch.hold(self, len(body), self.loop.time())
        self._begin_unbegun()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._begin_unbegun()
        self._is_in_body = False
        self._watch.arriving.discard(self)
        if self.cycle.response_complete:
            # What came since the answer has stopped Uvicorn's clock, and nothing sets it again.
            self._head_s_left = self._watch.http.head_s_max
        else:
            self._watch.waiting.pop(self, None)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete:
            self._watch.let_go(self)
            if not self.transport.is_closing():
                self._watch.waiting.setdefault(self)

    def _count_head(self, count: int) -> None:
        self._head_bytes += count
        if self._head_bytes > self._watch.http.head_bytes_max or len(self.headers) > _HEADERS_MAX:
            raise _HeadTooLarge

    def pace(self, now: float) -> float:
        """Bytes of the body that have come in each second."""
        return self.held / max(now - self.body_since, 0.001)

    # -- clients that are too slow ---------------------------------------------------------------------------

    def look(self, passed_s: float) -> None:
        """Send the client away if it lets us wait for too long; between two requests Uvicorn sees to that."""
        if self._is_in_body:
            if not self.flow.read_paused:  # otherwise it waits for us
                self._body_s_left -= passed_s
            if self._body_s_left < 0:
                self.refuse(408, "body: the rest of it took too long; send it without pauses")
        elif self._head_s_left is not None:
            self._head_s_left -= passed_s
            if self._head_s_left < 0:
                self.refuse(408, "the headers of the request took too long; send them without pauses")

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch.unread.add(self)
        self._unread_bytes = sys.maxsize  # from the first look on, its time is counted

    def resume_writing(self) -> None:
        super().resume_writing()
        self._watch.unread.discard(self)

    def look_at_answer(self, passed_s: float) -> None:
        """End the connection if the client has read nothing of the answer for too long."""
        unread_bytes = self.transport.get_write_buffer_size()
        has_read = unread_bytes < self._unread_bytes
        self._unread_bytes = unread_bytes
        self._answer_s_left = (
            self._watch.http.answer_silence_s_max if has_read else self._answer_s_left - passed_s
        )
        if self._answer_s_left < 0:
            self.transport.abort()

    def _refuse_head(self) -> None:
        most = self._watch.http.head_bytes_max
        limits = f"the limit is {most} bytes, and {_HEADERS_MAX} of them"
        self.refuse(431, f"the headers of the request are too large; {limits}")

    def refuse(self, status: int, message: str, *, lingers: bool = True, retry_s: int = _RETRY_S) -> None:
        """Answer, where an answer is still waited for, and close.

        What is still on its way here is thrown away for a moment: a system that has to throw it away itself
        ends the connection at once, and the client does not get to read the answer.
        """
        if self._is_refused or self.transport.is_closing():
            return
        self._is_refused = True
        cycle = self.cycle
        is_idle = not (self._is_in_head or self._is_in_body)
        has_begun = self._is_in_body and cycle is not None and cycle.response_started
        if not is_idle and not has_begun:
            self.transport.write(refusal_text(status, message, retry_s, closes=True))
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        self._watch.waiting.pop(self, None)
        self._watch.let_go(self)
        if lingers and not is_idle and self.transport.can_write_eof():
            self.transport.write_eof()
            self.flow.resume_reading()
            self.loop.call_later(_LINGER_S, self.transport.close)
        else:
            self.transport.close()
