"""Deleting what ended long ago: found beside the engine, and deleted between its turns."""

import asyncio
import logging
import time
from collections.abc import Callable

from propeller.errors import StoreUnusable, Unavailable
from propeller.store.port import Ended, Store

_log = logging.getLogger(__name__)

#: Time between two looks, unless ended work is kept for less.
_LOOK_EVERY_S = 60.0
#: Between two pieces, so that others can use the disk.
_BREATH_S = 0.01


class Expiry:
    """Deletes piece by piece; the engine awaits ``piece`` between two of its turns."""

    def __init__(self, store: Store, keep_s: float, wake: Callable[[], None]) -> None:
        """Prepare it; ``run`` looks for work.

        Args:
            store: Where to delete.
            keep_s: How long ended work is kept.
            wake: Wakes the engine, which then calls ``piece``.

        """
        self._store = store
        self._keep_s = keep_s
        self._wake = wake
        self._before = 0
        self._ended = Ended([], [], is_full=False)
        self._is_empty = asyncio.Event()
        self._due_at = float("inf")

    @property
    def is_due(self) -> bool:
        return time.monotonic() >= self._due_at

    async def run(self) -> None:
        """Look for work and have it deleted, again and again, until this is cancelled."""
        while True:
            try:
                while await self._round():
                    pass
                await self._store.forget_unused_modules()
            except (StoreUnusable, Unavailable) as error:
                _log.warning("what ended long ago can't be forgotten yet: %s", error)
            await asyncio.sleep(min(_LOOK_EVERY_S, self._keep_s / 2))

    async def _round(self) -> bool:
        """Have one portion deleted; say whether there may be more."""
        self._before = time.time_ns() - int(self._keep_s * 1e9)
        self._ended = await self._store.find_ended(self._before)
        count = len(self._ended.groups) + len(self._ended.tasks)
        self._is_empty.clear()
        self._due_at = 0.0
        self._wake()
        await self._is_empty.wait()
        if count:
            _log.debug("%d workflows, jobs and tasks that ended long ago were forgotten", count)
        return self._ended.is_full

    async def piece(self) -> None:
        """Delete for some milliseconds."""
        if await self._store.forget(self._ended, self._before):
            self._due_at = time.monotonic() + _BREATH_S
            asyncio.get_running_loop().call_later(_BREATH_S, self._wake)
        else:
            self._due_at = float("inf")
            self._is_empty.set()


async def forget_events(store: Store, keep_s: float) -> None:
    """Have events that are older deleted from the log, again and again, until this is cancelled.

    The engine holds none of the log, so it need not wait.
    """
    while True:
        is_left = False
        try:
            is_left = await store.forget_events(time.time_ns() - int(keep_s * 1e9))
        except StoreUnusable as error:
            _log.warning("events that are too old can't be forgotten yet: %s", error)
        await asyncio.sleep(_BREATH_S if is_left else min(_LOOK_EVERY_S, keep_s / 2))
