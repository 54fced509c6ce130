"""What several managers do when their leader does not hear the broker: one that reaches it leads instead.

The deaf one asks by a notice of the database whether another reaches the broker. Where none does, as when the
broker is away, it goes on to lead: its API works, and its store.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from propeller.errors import StoreUnusable, Unavailable
from propeller.manager.lead import Term
from propeller.mqtt.address import parse_address
from propeller.store.postgres.lease import Lease

_log = logging.getLogger(__name__)

#: How long a leader is deaf before it asks, and from one question to the next.
DEAF_S = 5.0
_ASK_EVERY_S = 2.0
_LOOK_EVERY_S = 0.5
_CONNECT_S = 2.0
#: For how long one that gave way does not take the lead if another can, and does not say that it could.
_REST_S = 5.0
_SILENCE_S = 60.0


class Deafness:
    """The questions and the answers of one manager."""

    def __init__(self, lease: Lease, broker: str) -> None:
        """Prepare it; ``broker`` is the address of the broker."""
        self._lease = lease
        self._broker = parse_address(broker)
        self._others_hear = asyncio.Event()
        self._asks = 0
        self._gave_way_at = float("-inf")
        self._answering: asyncio.Task[None] | None = None

    async def give_way(self, term: Term, is_deaf: Callable[[], bool]) -> None:
        """Give the lead away once this manager is deaf and another is not."""
        self._asks = term.held.token
        self._others_hear.clear()
        deaf_since = time.monotonic()
        while True:
            if not (is_deaf() and term.may_act):
                deaf_since = time.monotonic()
            if time.monotonic() - deaf_since < DEAF_S:
                await asyncio.sleep(_LOOK_EVERY_S)
                continue
            await self._say(f"deaf {term.held.token}")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ASK_EVERY_S):
                    await self._others_hear.wait()
            if self._others_hear.is_set() and is_deaf():
                _log.warning("this manager does not hear the broker, and another does: that one is to lead")
                self._gave_way_at = time.monotonic()
                await term.give_way(_REST_S)
                return
            self._others_hear.clear()

    def told(self, text: str, *, leads: bool) -> None:
        """Take in a notice among managers."""
        word, _, token = text.partition(" ")
        if word == "hears" and token == str(self._asks):
            self._others_hear.set()
        elif word == "deaf" and not leads and time.monotonic() - self._gave_way_at > _SILENCE_S:
            self._answering = asyncio.create_task(self._answer(token))

    async def _answer(self, token: str) -> None:
        try:
            async with asyncio.timeout(_CONNECT_S):
                _, writer = await asyncio.open_connection(self._broker.host, self._broker.port)
        except OSError:
            return
        writer.close()
        await self._say(f"hears {token}")

    async def _say(self, text: str) -> None:
        with contextlib.suppress(StoreUnusable, Unavailable):
            await self._lease.tell(text)
