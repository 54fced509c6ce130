"""The tokens and sessions of a store, in memory, so that to know a request's sender takes no query.

What is changed here counts at once. What another manager of the database changed counts as soon as this one
is told. Streams of events end with the token that they were begun with.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator

from propeller.access.principal import LOCAL, Principal
from propeller.access.tokens import Kind, Token, Tokens
from propeller.errors import StoreUnusable, TooMany, Unavailable
from propeller.store.tokens import TokenStore

_log = logging.getLogger(__name__)

#: How long a request waits while the store is opened.
_OPEN_S = 2.0
#: How often it is looked for tokens that have expired while a stream is open.
LOOK_EVERY_S = 1.0
#: How often it is written when tokens were used last; a program that dies forgets as much.
_WRITE_EVERY_S = 60.0
#: How long sessions that are over are kept.
_KEPT_NS = 24 * 3600 * 10**9
_OURS = frozenset(Kind)
#: How many streams a principal may follow at once, and when one who has as many may try again, s.
STREAMS_MAX = 256
_AGAIN_S = 5


class Keyring:
    """Knows the bearers of tokens; ``start`` reads them, and before that it waits."""

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        #: The time of day, ns since 1970, by which tokens expire.
        self.now = clock
        self._store: TokenStore | None = None
        self._tokens = Tokens()
        self._reading = asyncio.Lock()
        self._is_open = asyncio.Event()
        self._has_changed = asyncio.Event()
        #: When each was used last, as far as that is not written yet.
        self._uses: dict[str, int] = {}
        #: Those that follow something, and what ends that.
        self._watched: dict[object, tuple[Principal, Callable[[], None]]] = {}
        #: How many that are, by how a principal is known and its name.
        self._streams: Counter[tuple[str, str]] = Counter()
        self._working: asyncio.Task[None] | None = None

    async def open(self, store: TokenStore) -> None:
        """Take the tokens of a store that is open, and keep up with it from now on."""
        self._store = store
        await self.reload()
        self._is_open.set()
        self._working = asyncio.create_task(self._work())

    async def close(self) -> None:
        """Write what is not written yet; called again, or before ``open``, it does nothing."""
        working, self._working = self._working, None
        if working is not None:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            await self._write_uses()

    def changed(self) -> None:
        """Note that another manager has made or revoked a token."""
        self._has_changed.set()

    async def bearer(self, text: str) -> Principal:
        """Say who shows the text of a token or a session.

        Raises:
            Unauthenticated: It is not good; the message says why.
            Unavailable: The store has not been opened yet.

        """
        if not self._is_open.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_OPEN_S):
                    await self._is_open.wait()
            if not self._is_open.is_set():
                raise Unavailable("this manager is starting: it has not read its tokens yet; ask again later")
        now = self.now()
        principal = self._tokens.bearer(text, now)
        self._uses[principal.key] = now
        return principal

    # -- changes -------------------------------------------------------------------------------------------

    async def add(self, token: Token) -> None:
        """Keep a new token or session, which is good from now on."""
        store = self._opened()
        await store.add_token(token)
        await self.reload()

    async def revoke(self, token_id: str) -> Token | None:
        """Revoke a token or a session, and end what follows with it; None if there is none."""
        token = await self._opened().revoke_token(token_id, self.now())
        await self.reload()
        return token

    async def all(self) -> list[Token]:
        """Read all from the store, with their last uses."""
        await self._write_uses()
        return await self._opened().tokens()

    async def reload(self) -> None:
        """Read all tokens anew, and end what follows with one that is no longer good."""
        async with self._reading:  # what is read earlier never takes the place of what is read later
            self._tokens = Tokens(await self._opened().tokens())
        self._look()

    def _opened(self) -> TokenStore:
        if self._store is None:
            raise Unavailable("this manager is starting: it has not opened its store yet; ask again later")
        return self._store

    # -- what goes on --------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def watching(self, principal: Principal, end: Callable[[], None]) -> Iterator[None]:
        """Call ``end`` as soon as a principal is no longer good, while the block is carried out.

        Raises:
            TooMany: The principal is in as many such blocks as it may. Where nobody is asked, all may.

        """
        watch, who = object(), (principal.how, principal.name)
        if principal != LOCAL and self._streams[who] >= STREAMS_MAX:
            text = f"{principal.name} follows {STREAMS_MAX} streams already; end some, and try again"
            raise TooMany(text, _AGAIN_S)
        self._watched[watch] = principal, end
        self._streams[who] += 1
        try:
            yield
        finally:
            del self._watched[watch]
            self._streams[who] -= 1
            if not self._streams[who]:
                del self._streams[who]

    def _look(self) -> None:
        now = self.now()
        for principal, end in list(self._watched.values()):
            is_ours = principal.how in _OURS
            if 0 < principal.expires_at <= now or (is_ours and self._tokens.problem(principal.key, now)):
                end()

    async def _work(self) -> None:
        written_at = forgot_at = 0.0
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._has_changed.wait()
            try:
                if self._has_changed.is_set():
                    self._has_changed.clear()
                    await self.reload()
                self._look()
                now = time.monotonic()
                if now - written_at >= _WRITE_EVERY_S:
                    written_at = now
                    await self._write_uses()
                if now - forgot_at >= 60 * _WRITE_EVERY_S:
                    forgot_at = now
                    await self._opened().forget_tokens(self.now() - _KEPT_NS)
            except (StoreUnusable, Unavailable) as error:
                self._has_changed.set()
                _log.warning("the tokens can't be read anew yet: %s", error)
                await asyncio.sleep(LOOK_EVERY_S)

    async def _write_uses(self) -> None:
        uses, self._uses = self._uses, {}
        if uses:
            await self._opened().note_uses(uses)
