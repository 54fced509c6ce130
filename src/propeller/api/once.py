"""Requests with an ``Idempotency-Key``: what such a request wants is done once, however often it comes.

Whether it is done is decided where it is committed (``core.idempotency``). The answer is kept beside the
engine, before it is sent. A request that comes again is answered with it, whatever has become of the tasks
since. Where there is no answer, because a crash came first or it was too large, it is made again.
"""

import asyncio
import copy
import hashlib
import logging
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive

from propeller.access.principal import LOCAL
from propeller.api import queries
from propeller.api.bodies import read_chunks
from propeller.api.context import CONTEXT, HttpRequest, Once, context_of, principal_of
from propeller.core.idempotency import Key
from propeller.errors import Invalid, StoreUnusable
from propeller.manager.patience import PATIENCE_S
from propeller.store.port import KeptAnswer

_log = logging.getLogger(__name__)

_NAME = queries.IDEMPOTENCY_KEY.name
_KEY = re.compile(queries.IDEMPOTENCY_KEY.schema["pattern"])

Handler = Callable[[HttpRequest], Awaitable[ASGIApp]]


def has_key(request: HttpRequest) -> bool:
    """Say whether a request has a key; other methods than POST do once what comes twice, and need none."""
    return request.method == "POST" and _NAME in request.headers


def refuse_key() -> None:
    """Refuse a key where a request that comes again is carried out again.

    Raises:
        Invalid: Always.

    """
    raise Invalid(f"{_NAME}: this request is carried out each time that it comes; leave the header out")


async def answered_once(request: HttpRequest, handler: Handler) -> ASGIApp:
    """Answer a request that has a key.

    Raises:
        Invalid: The key is none.
        KeyReused: The key stands for another request.

    """
    text = _text_of(request)
    fingerprint, receive = await _read(request)
    once = Once(Key(text, fingerprint))
    context = copy.copy(context_of(request))
    known = await context.store.key(text)
    if known is not None and known.remembered.is_known_at(time.time_ns()):
        known.remembered.check_is(once.key)
        if known.answer is not None:
            return _response(known.answer, is_again=True)
        once.was_done_before = True
    context.once = once
    response = await handler(HttpRequest({**request.scope, CONTEXT: context}, receive))
    assert isinstance(response, Response), "the answer is there as a whole"
    assert once.is_asked, "what a request with a key does is asked for with Context.ask"
    answer = KeptAnswer(response.status_code, response.headers.get("location"), bytes(response.body))
    try:
        # Of several answers that are made at once the first one counts.
        # The database may have gone away since the commit.
        async with asyncio.timeout(PATIENCE_S):
            answer = await context.store.write_answer(once.key, answer) or answer
    except (StoreUnusable, TimeoutError) as error:
        why = str(error) or f"that takes longer than {PATIENCE_S:g} s"
        _log.warning("an answer could not be kept, and is made again if it is asked for: %s", why)
    return _response(answer, is_again=once.was_done_before)


def _text_of(request: HttpRequest) -> str:
    values = request.headers.getlist(_NAME)
    if len(values) > 1:
        raise Invalid(f"{_NAME}: there are {len(values)} of them; send one")
    if not _KEY.fullmatch(values[0]):
        raise Invalid(f"{_NAME}: a key has 1 to 255 characters of printable ASCII; use a random UUID")
    return values[0]


async def _read(request: HttpRequest) -> tuple[bytes, Receive]:
    """Read the body; give the fingerprint of the request, and what hands the body on, piece by piece.

    Each piece is let go as it is handed on, so that a large body is in memory once.
    """
    digest = hashlib.sha256()
    for part in (request.method, request.scope["path"], request.scope["query_string"]):
        data = part if isinstance(part, bytes) else part.encode()
        digest.update(len(data).to_bytes(8) + data)
    principal = principal_of(request)
    if principal != LOCAL:  # another one's request of the same words is another request
        digest.update(f"{principal.how} {principal.name}".encode())
    chunks: deque[bytes] = deque()
    async for chunk in read_chunks(request):
        digest.update(chunk)
        chunks.append(chunk)

    async def receive() -> Message:
        if not chunks:
            return await request.receive()
        return {"type": "http.request", "body": chunks.popleft(), "more_body": bool(chunks)}

    return digest.digest(), receive


def _response(answer: KeptAnswer, *, is_again: bool) -> Response:
    headers = {} if answer.location is None else {"location": answer.location}
    if is_again:
        headers[queries.REPLAYED] = "true"
    media_type = "application/json" if answer.body else None
    return Response(answer.body, answer.status, headers, media_type=media_type)
