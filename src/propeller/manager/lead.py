"""The lead among managers that share a database: asked for, kept and given back, as ``leadership`` wishes."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Protocol

from propeller.errors import LeadershipLost
from propeller.manager.leadership import Leadership, Times, Wish
from propeller.store.lead import Held

_log = logging.getLogger(__name__)

#: It goes on while the machine sleeps, as a lease does.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
#: How long the lead may take to be given back; else its lease ends.
_RELEASE_S_MAX = 1.0


def awake_or_not() -> int:
    """Give the ticks of a monotonic clock that goes on while the machine sleeps, ns."""
    return time.clock_gettime_ns(_CLOCK)


class Lease(Protocol):
    """The lead, as the database keeps it; whatever these raise, the lead may have changed."""

    async def take(self, holder: str, address: str) -> Held | None:
        """Take the lead if its lease is over; None if it is not."""

    async def renew(self, held: Held) -> bool:
        """Begin the lease anew; say whether it is that of this token and this holder still."""

    async def release(self, held: Held) -> None:
        """End the lease, and let the others know."""


class SharedLead:
    """Keeps asking for the lead, and keeps it once it is there."""

    def __init__(
        self,
        lease: Lease,
        times: Times,
        *,
        holder: str,
        address: str,
        clock: Callable[[], int] = awake_or_not,
    ) -> None:
        """Prepare it; ``start`` begins to ask.

        Args:
            lease: The database's side.
            times: Of the lease; the database has the same.
            holder: The id of this process.
            address: The URL at which other managers reach it.
            clock: Gives ticks, ns.

        """
        self._lease = lease
        self._times = times
        self._holder = holder
        self._address = address
        self._clock = clock
        self._leadership = Leadership(times)
        #: The lead as it was taken last, whether it is lost since or not.
        self._taken: Held | None = None
        self._changed = asyncio.Event()
        self._nudged = asyncio.Event()
        self._asking: asyncio.Task[None] | None = None
        self._running: asyncio.Task[None] | None = None
        self._is_answered = True

    async def start(self) -> None:
        if self._running is None:
            self._running = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Give the lead back, if it is here, so that another takes it at once."""
        if self._running is None:
            return
        held = self.held
        self._leadership.leaves()
        self._running.cancel()
        await asyncio.wait({self._running})
        if held is not None:
            try:
                async with asyncio.timeout(_RELEASE_S_MAX):
                    await self._lease.release(held)
            except Exception as error:
                _log.warning("the lead is not given back, and ends with its lease: %s", error)

    @property
    def running(self) -> "asyncio.Task[None]":
        """The work, from ``start`` on; it ends with a defect only."""
        assert self._running is not None
        return self._running

    @property
    def held(self) -> Held | None:
        """The lead that this manager has, as far as it knows."""
        return self._taken if self._leadership.token is not None else None

    def may_act(self, held: Held) -> bool:
        return self.held is held and self._leadership.may_act(self._clock())

    async def taken(self) -> "Term":
        """Wait until this manager leads."""
        while (held := self.held) is None:
            await self.changed()
        return Term(self, held)

    async def changed(self) -> None:
        """Wait for the next answer of the database."""
        await self._changed.wait()

    async def changed_or_over(self) -> None:
        """Wait for the next answer of the database, or until this manager may not act any more."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._leadership.acts_for_s(self._clock())):
                await self._changed.wait()

    # -- news ------------------------------------------------------------------------------------------------

    def freed(self) -> None:
        """Take in that a leader gave the lead back."""
        self._leadership.freed(self._clock())
        self._nudged.set()

    def lost(self, held: Held) -> None:
        """Take in that a write was refused, since another has the lead."""
        if self.held is held:
            self._leadership.lost(self._clock())
            self._drop_request()

    async def give_way(self, held: Held, rest_s: float) -> None:
        """Give the lead back, and leave it to the others for a time."""
        if self.held is held:
            self._leadership.gives_way(self._clock(), rest_s)
            self._drop_request()
            with contextlib.suppress(Exception):  # then its lease ends
                async with asyncio.timeout(_RELEASE_S_MAX):
                    await self._lease.release(held)

    def _drop_request(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
        self._tell()
        self._nudged.set()

    # -- asking ----------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self._nudged.clear()
            wish = self._leadership.wish(self._clock())
            if wish is not None:
                await self._ask(wish)
                self._tell()
                continue
            due_in_s = self._leadership.due_in_s(self._clock())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(due_in_s):
                    await self._nudged.wait()

    async def _ask(self, wish: Wish) -> None:
        """Ask the database, and note what it says, unless a write said more meanwhile."""
        asking = self._asking = asyncio.create_task(self._take() if wish is Wish.TAKE else self._renew())
        try:
            await asyncio.wait({asking}, timeout=self._times.lease)
        finally:
            self._asking = None
            asking.cancel()
        if asking.done() and asking.cancelled():
            return
        error = asking.exception() if asking.done() else TimeoutError("no answer")
        if error is not None:
            self._leadership.unanswered(self._clock())
            if self._is_answered:
                _log.warning("the database does not say who leads: %s", error or type(error).__name__)
        elif not self._is_answered:
            _log.warning("the database says again who leads")
        self._is_answered = error is None

    async def _take(self) -> None:
        held = await self._lease.take(self._holder, self._address)
        if held is not None:
            self._taken = held
            self._leadership.granted(held.token)
        else:
            self._leadership.not_free(self._clock())

    async def _renew(self) -> None:
        held = self.held
        assert held is not None
        if await self._lease.renew(held):
            self._leadership.granted(held.token)
        else:
            self._leadership.lost(self._clock())

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class Term:
    """The time in which this manager leads, from one take-over on.

    Another one has another ``held``, also where a database that has lost a take-over gives its token again.
    """

    def __init__(self, lead: SharedLead, held: Held) -> None:
        self._lead = lead
        self.held = held

    @property
    def may_act(self) -> bool:
        """True while this manager leads, and nobody else can."""
        return self._lead.may_act(self.held)

    async def acting(self) -> None:
        """Wait until this manager may act; raise ``LeadershipLost`` if it does not lead any more."""
        while not self.may_act:
            if self.is_over:
                raise LeadershipLost("another manager of the same database has the lead")
            await self._lead.changed()

    async def silent(self) -> None:
        """Wait until this manager may not act, for now or any more."""
        while self.may_act:
            await self._lead.changed_or_over()

    @property
    def is_over(self) -> bool:
        """True once the lead is lost, or given away."""
        return self._lead.held is not self.held

    async def over(self) -> None:
        """Wait until the lead is lost, or given away."""
        while not self.is_over:
            await self._lead.changed()

    def refused(self) -> None:
        """Take in that the store has refused a write, since another has the lead."""
        self._lead.lost(self.held)

    async def give_way(self, rest_s: float) -> None:
        """Give the lead back, and leave it to the others for a time."""
        await self._lead.give_way(self.held, rest_s)
