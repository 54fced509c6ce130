"""Answers the proplets' requests for modules.

A request on a topic of its proplet's own is answered to that proplet alone: with the pieces it wants, or with
one message without pieces that says why. Any other is answered to all, each time with all pieces, as proplets
that share a topic take the pieces of one another's answers. Where there is no module, nothing is said there:
a proplet that only knows the contract would take it for the number of pieces, and refuse the real ones.

Requests wait side by side, so that a slow registry holds up only those who want something from it. Pieces of
all answers go out in turn, one after the other has left.
"""

import asyncio
import base64
import logging
import re
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable

import msgspec
from msgspec import UNSET

from propeller.errors import ModuleUnavailable
from propeller.registry.cache import Blob
from propeller.registry.fetcher import Fetcher
from propeller.wire.fleet.codec import line_of
from propeller.wire.fleet.messages import speaker
from propeller.wire.fleet.modules import (
    CHUNK_BYTES,
    NO_PIECE_FITS,
    REGISTRY,
    ModuleChunk,
    ModuleRequest,
    no_module,
    piece_bytes,
)
from propeller.wire.fleet.signing import AROUND_LINES_BYTES

_log = logging.getLogger(__name__)

REQUEST_TOPIC = "registry/proplet"
#: The topics that the link of a proxy subscribes to.
REQUEST_TOPICS = (REQUEST_TOPIC, f"from/+/{REQUEST_TOPIC}")
ANSWER_TOPIC = "registry/server"

#: Answers under way with an open file; the others wait.
_OPEN_MAX = 32
_BEGUN_MAX = 4096
#: Between fetching and opening, other modules may have filled the cache.
_OPENINGS_MAX = 3
#: The manager has these, and answers for them.
_OF_MANAGER = re.compile(rf"sha256:[0-9a-f]{{64}}|{re.escape(REGISTRY)}/.*", re.DOTALL)

_decode = msgspec.json.Decoder(ModuleRequest).decode
_encode = msgspec.json.Encoder().encode


#: Gives the signed form of a line for a topic and for the start of a proplet.
Seal = Callable[[str, bytes, int], bytes]


class _Begun(msgspec.Struct):
    """The module that a proplet was told of last under a name."""

    digest: str
    #: It has asked what the module is, and nothing of it yet.
    is_announced: bool


class Proxy:
    """Takes in requests and publishes answers; topics are without the channel's prefix."""

    def __init__(
        self,
        fetcher: Fetcher,
        publish: Callable[[str, bytes], None],
        drained: Callable[[], Awaitable[None]],
        *,
        chunk_bytes: int = CHUNK_BYTES,
        room: Callable[[], int] = lambda: 2**40,
        seal: Seal | None = None,
        requests_max: int = 10_000,
    ) -> None:
        """Prepare to serve.

        Args:
            fetcher: Where modules come from; the caller closes it, after this.
            publish: Hands a topic and a payload to the link, without waiting.
            drained: Waits while the link has too much that is unsent.
            chunk_bytes: Size of a piece before base64, at most.
            room: Tells the size of the largest message that is likely to get through.
            seal: Signs an answer, given with its topic and the start of the proplet that asks; None where
                there is no key.
            requests_max: How many may wait for their answer; more are refused, and told so.

        """
        self._fetcher = fetcher
        self._publish = publish
        self._drained = drained
        self._chunk_bytes = chunk_bytes
        self._room = room
        self._seal = seal
        self._requests_max = requests_max
        #: How many requests were ``answered``, ``refused`` with a reason, ``left`` to the manager, or
        #: malformed, by what is wrong with them.
        self.counts: Counter[str] = Counter()
        self._serving: set[asyncio.Task[None]] = set()
        self._publishing = asyncio.Lock()
        self._open = asyncio.Semaphore(_OPEN_MAX)
        self._begun: OrderedDict[tuple[str, str], _Begun] = OrderedDict()

    def received(self, topic: str, payload: bytes) -> None:
        """Take in a message; what can't be read is counted, and logged when it is the first of its kind."""
        sender, topic = speaker(topic)
        if topic != REQUEST_TOPIC:
            self._malformed("unexpected topic", topic)
            return
        try:
            request = _decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self._malformed("unreadable", str(error))
            return
        # On the shared topic anybody may give any name.
        request.proplet_id = sender or UNSET
        if _OF_MANAGER.fullmatch(request.app_name):
            self.counts["left"] += 1
        elif len(self._serving) >= self._requests_max:
            self.counts["refused"] += 1
            if _is_private(request):
                why = f"{self._requests_max} requests wait already; ask again later"
                self._publish(*self._written(request, no_module(request.app_name, why)))
        else:
            task = asyncio.create_task(self._serve(request))
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)

    async def close(self) -> None:
        """Give up all answers under way."""
        serving = list(self._serving)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    # -- one request ---------------------------------------------------------------------------------------

    async def _serve(self, request: ModuleRequest) -> None:
        """Answer, or say why not; whatever happens to one request, the others go on."""
        why = await self._attempted(request)
        if why is None:
            self.counts["answered"] += 1
            return
        self.counts["refused"] += 1
        if not _is_private(request):
            return
        try:
            await self._send(request, no_module(request.app_name, why))
        except Exception:
            _log.exception("%s could not be told that there is no %s", _receiver(request), request.app_name)

    async def _attempted(self, request: ModuleRequest) -> str | None:
        """Answer, and return why that was not possible."""
        try:
            await self._answer(request)
        except ModuleUnavailable as error:
            _log.warning("no module %s for %s: %s", request.app_name, _receiver(request), error)
            return str(error)
        except Exception:
            _log.exception("the request of %s for %s failed", _receiver(request), request.app_name)
            return "the proxy failed; its log says how"
        return None

    async def _answer(self, request: ModuleRequest) -> None:
        if _is_private(request) and request.count == 0:
            found = await self._fetcher.resolve(request.app_name)
            self._remember(request, _Begun(found.digest, is_announced=True))
            total = _chunks(found.size, self._piece_bytes(request))
            await self._send_chunk(request, 0, total, b"", found.digest)
            return
        digest = self._digest_to_go_on_with(request)
        for _ in range(_OPENINGS_MAX):
            if digest is None:
                digest = (await self._fetcher.fetch(request.app_name)).digest
            async with self._open:
                blob = await self._fetcher.held(digest)
                if blob is not None:
                    with blob:
                        await self._send_pieces(request, blob)
                    return
            digest = None
        raise ModuleUnavailable(f"{request.app_name} was fetched, but the proxy's cache does not keep it")

    async def _send_pieces(self, request: ModuleRequest, blob: Blob) -> None:
        """Send the pieces that are wanted; where one is too large, all of them are cut anew."""
        size_bytes = self._piece_bytes(request)
        if not _is_private(request):
            while not await self._are_sent(request, blob, size_bytes, 0, _chunks(blob.size, size_bytes)):
                size_bytes = self._piece_bytes(request)
            return
        self._remember(request, _Begun(blob.digest, is_announced=False))
        total = _chunks(blob.size, size_bytes)
        first = _first(request)
        end = min(total, first + _count(request, total))
        if first >= total or not await self._are_sent(request, blob, size_bytes, first, end):
            # It counts in other pieces: told of those that there are, it asks anew.
            self._remember(request, _Begun(blob.digest, is_announced=True))
            total = _chunks(blob.size, self._piece_bytes(request))
            await self._send_chunk(request, 0, total, b"", blob.digest)

    async def _are_sent(
        self, request: ModuleRequest, blob: Blob, size_bytes: int, first: int, end: int
    ) -> bool:
        """Send pieces, one after the other; stop where one is too large, which the first would be."""
        total = _chunks(blob.size, size_bytes)
        for index in range(first, end):
            data = blob.piece(index * size_bytes, size_bytes)
            await self._send_chunk(request, index, total, data, blob.digest)
            if index == first:
                await self._drained()
            if self._piece_bytes(request) < size_bytes:
                return False
        return True

    def _piece_bytes(self, request: ModuleRequest) -> int:
        """Give the size of a piece; raise ``ModuleUnavailable`` where there is no room for any."""
        size_bytes = piece_bytes(self._room() - len(request.app_name) - AROUND_LINES_BYTES, self._chunk_bytes)
        if not size_bytes:
            raise ModuleUnavailable(NO_PIECE_FITS)
        return size_bytes

    def _digest_to_go_on_with(self, request: ModuleRequest) -> str | None:
        """Give the module that this request goes on with, or None if it begins anew.

        What a name means may change while a proplet collects pieces: all of them are of the module that it
        was told of at the beginning. A proplet that begins again gets what the name means then.
        """
        begun = self._begun.get(_key(request))
        if begun is None or not (begun.is_announced or _first(request) > 0):
            return None
        return begun.digest

    def _remember(self, request: ModuleRequest, begun: _Begun) -> None:
        self._begun[_key(request)] = begun
        self._begun.move_to_end(_key(request))
        if len(self._begun) > _BEGUN_MAX:
            self._begun.popitem(last=False)

    # -- the way out ---------------------------------------------------------------------------------------

    async def _send_chunk(
        self, request: ModuleRequest, index: int, total: int, data: bytes, digest: str
    ) -> None:
        chunk = ModuleChunk(
            app_name=request.app_name,
            chunk_idx=index,
            total_chunks=total,
            data=base64.b64encode(data).decode(),
            digest=digest,
        )
        await self._send(request, chunk)

    async def _send(self, request: ModuleRequest, chunk: ModuleChunk) -> None:
        # One at a time: all who wait for room would otherwise fill it at once.
        async with self._publishing:
            await self._drained()
            self._publish(*self._written(request, chunk))

    def _written(self, request: ModuleRequest, chunk: ModuleChunk) -> tuple[str, bytes]:
        """Give topic and payload of an answer, signed for a proplet that wants that."""
        topic, payload = _answer_topic(request), _encode(chunk)
        if self._seal is not None and _is_private(request) and isinstance(request.boot, int):
            payload = self._seal(topic, line_of(ANSWER_TOPIC, payload), request.boot)
        return topic, payload

    def _malformed(self, kind: str, detail: str) -> None:
        self.counts[kind] += 1
        if self.counts[kind] == 1:
            _log.warning("ignored a request (%s): %s; more of this kind are counted only", kind, detail)


def _chunks(whole_bytes: int, size_bytes: int) -> int:
    return -(-whole_bytes // size_bytes)


def _is_private(request: ModuleRequest) -> bool:
    """Say whether it came on a topic of its proplet's own, where the answer is heard by no other."""
    return isinstance(request.proplet_id, str)


def _answer_topic(request: ModuleRequest) -> str:
    return f"proplet/{request.proplet_id}/{ANSWER_TOPIC}" if _is_private(request) else ANSWER_TOPIC


def _receiver(request: ModuleRequest) -> str:
    return f"proplet {request.proplet_id}" if _is_private(request) else "all proplets"


def _key(request: ModuleRequest) -> tuple[str, str]:
    return (str(request.proplet_id), request.app_name)


def _first(request: ModuleRequest) -> int:
    return request.first if isinstance(request.first, int) else 0


def _count(request: ModuleRequest, usual: int) -> int:
    return request.count if isinstance(request.count, int) else usual
