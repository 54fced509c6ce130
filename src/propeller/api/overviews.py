"""Overviews of all that a manager has: one computation for all followers, at most twice a second."""

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping

import msgspec

from propeller.api.sse import Write, event_text
from propeller.core.model import GroupKind
from propeller.core.states import COMPLETED, FAILED, INTERRUPTED, PENDING, RUNNING, TaskState
from propeller.manager.present import Counted
from propeller.manager.service import Manager
from propeller.wire.http.overview import GroupsCounted, OverviewView, PropletsCounted, TasksCounted
from propeller.wire.http.schema import encode
from propeller.wire.rfc3339 import format_time

#: Between two looks for followers.
LOOK_EVERY_S = 0.5


class Overviews:
    """Gives overviews; while somebody follows, it looks whether something has changed."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._followers = 0
        self._looking: asyncio.Task[None] | None = None
        self._text = b""
        #: Set when ``_text`` changes, or nothing more comes.
        self._news = asyncio.Event()

    async def view(self) -> OverviewView:
        """Count all; raise ``StoreUnusable`` if that can't be read."""
        return await self._view_of(await self._manager.present.counts())

    async def send_events(self, write: Write) -> None:
        """Send an overview now, and one after each change, until the manager stops."""
        sent = b""
        with self._following() as looking:
            while not looking.done():
                news = self._news
                if self._text != sent:
                    sent = self._text
                    await write(sent)
                    continue
                await news.wait()
            looking.result()

    @contextlib.contextmanager
    def _following(self) -> Iterator["asyncio.Task[None]"]:
        if self._looking is None or self._looking.done():
            self._text = b""
            self._looking = asyncio.create_task(self._look())
            self._looking.add_done_callback(lambda _: self._wake())
        self._followers += 1
        try:
            yield self._looking
        finally:
            self._followers -= 1
            if not self._followers:
                self._looking.cancel()
                self._looking = None

    async def _look(self) -> None:
        shown: OverviewView | None = None
        seen: tuple[int, Counted] | None = None
        is_over = False
        while not is_over:
            now = self._manager.writes, await self._manager.present.counts(is_patient=True)
            if now != seen:
                seen, view = now, await self._view_of(now[1])
                if shown is None or msgspec.structs.replace(shown, time=view.time) != view:
                    shown, self._text = view, event_text(None, "overview", encode(view))
                    self._wake()
            is_over = await self._manager.feed.closes_within(LOOK_EVERY_S)

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _view_of(self, counted: Counted) -> OverviewView:
        totals = await self._manager.store.totals()
        return OverviewView(
            event_id=counted.event_id,
            time=format_time(time.time_ns()),
            tasks=TasksCounted(
                total=totals.tasks,
                pending=counted.pending,
                scheduled=counted.scheduled,
                running=counted.running,
            ),
            workflows=_groups(totals.groups[GroupKind.WORKFLOW]),
            jobs=_groups(totals.groups[GroupKind.JOB]),
            proplets=PropletsCounted(
                total=counted.proplets,
                alive=counted.alive,
                cordoned=counted.cordoned,
                slots=counted.slots,
                busy=counted.busy,
            ),
        )


def _groups(counts: Mapping[TaskState, int]) -> GroupsCounted:
    return GroupsCounted(
        total=sum(counts.values()),
        pending=counts[PENDING],
        running=counts[RUNNING],
        completed=counts[COMPLETED],
        failed=counts[FAILED],
        interrupted=counts[INTERRUPTED],
    )
