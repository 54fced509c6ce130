"""Turns of those who follow events: while there is work, all of them take a small share of the time together.

What one follower costs is little, and a thousand of them cost as much as the work itself. So they go on one
after the other, a few at once, and when they have used up their share, they pause. Meanwhile more happens,
and each gets all of that at once, which costs less. Nobody misses anything: each has its place in the log.

Who has seen all that concerns it is idle, and is not looked at until something else concerns it.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

#: The share of the time that followers take while there is work, and what they may take at once, s.
_SHARE = 0.05
_AT_ONCE_S = 0.01
#: How many go on at once.
_AT_ONCE = 10
#: The most that counts, s, of what comes of a step after it had to wait: for the store, or for its client.
_STEP_S_MAX = 0.001
#: The longest pause, s.
_PAUSE_S_MAX = 0.25
#: Those whose rest ends within so long of each other are woken together, s.
_SLOT_S = 0.01


class Interest:
    """What some followers are interested in."""

    def __init__(self, last_id: int) -> None:
        """Begin with the last event that is there: whether those before it concern them is not known."""
        #: The last event that may concern them.
        self.last_id = last_id
        #: How many share it.
        self.followers = 0
        #: Those who have seen all of it.
        self.idle: OrderedDict[Turn, None] = OrderedDict()


class Turn:
    """One follower: how far it is, and what it waits for."""

    def __init__(self, interest: Interest, position: int) -> None:
        self.interest = interest
        #: The last event that it has seen, or that does not concern it.
        self.position = position
        #: True if it is to go on whatever has happened.
        self.is_called = False
        #: Set between two steps.
        self.waiting: asyncio.Future[None] | None = None
        #: Where it stands between two steps.
        self.among: OrderedDict[Turn, None] | None = None
        #: Since when a step goes on whose begin has been counted, s by the performance counter; 0 for none.
        self.counted_until = 0.0

    @property
    def is_due(self) -> bool:
        return self.is_called or self.position < self.interest.last_id

    def go_on(self) -> None:
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(None)


class Allowance:
    """What all followers may take of the time, as it comes and goes; all times in s."""

    def __init__(self, share: float = _SHARE, at_once_s: float = _AT_ONCE_S) -> None:
        self._share = share
        self._at_once_s = at_once_s
        self._left_s = at_once_s
        self._looked_at = 0.0

    def spend(self, seconds: float) -> None:
        self._left_s -= seconds

    def pause_s(self, now: float) -> float:
        """Say how long it takes until there is something left; 0 if there is."""
        earned_s = (now - self._looked_at) * self._share
        self._left_s = min(self._left_s + earned_s, self._at_once_s)
        self._looked_at = now
        return max(-self._left_s / self._share, 0.0)


class Rounds:
    """Who waits for news, and whose turn is next."""

    def __init__(self, is_busy: Callable[[], bool]) -> None:
        """Begin with nobody; ``is_busy`` says whether there is other work."""
        self._is_busy = is_busy
        self._allowance = Allowance()
        self._due: OrderedDict[Turn, None] = OrderedDict()
        #: Those who rest, by the slot in which they are woken.
        self._resting: dict[int, OrderedDict[Turn, None]] = {}
        self._going: asyncio.Task[None] | None = None
        self._waiting: set[Turn] = set()
        self._marked_at = 0.0
        self._closed = asyncio.Event()

    async def next(self, turn: Turn, rest_s: float = 0.0) -> None:
        """End a step; wait for the next turn, for a rest and for news first if there is nothing more."""
        if turn.counted_until:
            self._allowance.spend(min(time.perf_counter() - turn.counted_until, _STEP_S_MAX))
            turn.counted_until = 0.0
        if self._closed.is_set():
            return
        turn.waiting = asyncio.get_running_loop().create_future()
        self._waiting.add(turn)
        _put(turn, self._slot(rest_s) if rest_s else self._place(turn))
        self._go()
        try:
            await turn.waiting
        finally:
            self._waiting.discard(turn)
            turn.waiting = None
            if turn.among is not None:
                turn.among.pop(turn, None)
                turn.among = None
        turn.is_called = False

    def news(self, first_id: int, last_id: int, concerned: Iterable[Interest]) -> None:
        """Let all go on, each in its turn, whom events concern that have come."""
        for interest in concerned:
            interest.last_id = last_id
            for turn in interest.idle:
                turn.position = max(turn.position, first_id - 1)
                turn.among = self._due
            self._due.update(interest.idle)
            interest.idle.clear()
        self._go()

    def call(self, turn: Turn) -> None:
        """Let a follower go on though no event concerns it."""
        turn.is_called = True
        if turn.among is turn.interest.idle:
            _put(turn, self._due)
            self._go()

    def close(self) -> None:
        """Let all go on at once, for the last time."""
        self._closed.set()
        for turn in list(self._waiting):
            turn.go_on()

    async def closes_within(self, seconds: float) -> bool:
        """Wait for the end; False if it does not come so soon."""
        try:
            async with asyncio.timeout(seconds):
                await self._closed.wait()
        except TimeoutError:
            return False
        return True

    def _place(self, turn: Turn) -> "OrderedDict[Turn, None]":
        return self._due if turn.is_due else turn.interest.idle

    def _slot(self, rest_s: float) -> "OrderedDict[Turn, None]":
        """Give the place of those whose rest ends with one of so long that begins now."""
        loop = asyncio.get_running_loop()
        slot = math.ceil((loop.time() + rest_s) / _SLOT_S)
        if slot not in self._resting:
            self._resting[slot] = OrderedDict()
            loop.call_at(slot * _SLOT_S, self._rested, slot)
        return self._resting[slot]

    def _rested(self, slot: int) -> None:
        for turn in self._resting.pop(slot):
            turn.among = None
            _put(turn, self._place(turn))
        self._go()

    def _go(self) -> None:
        if self._due and self._going is None:
            self._going = asyncio.create_task(self._go_round())

    async def _go_round(self) -> None:
        loop = asyncio.get_running_loop()
        while self._due:
            # The loop runs what is ready in order: the mark, their steps up to where they wait, and the rest
            # of this. So what they take is measured with all that belongs to it, and without what others do.
            loop.call_soon(self._mark)
            going = [self._due.popitem(last=False)[0] for _ in range(min(_AT_ONCE, len(self._due)))]
            for turn in going:
                turn.go_on()
            await asyncio.sleep(0)
            now = time.perf_counter()
            self._allowance.spend(now - self._marked_at)
            for turn in going:
                if turn.waiting is None:
                    turn.counted_until = now
            pause_s = self._allowance.pause_s(now)
            if pause_s and self._is_busy() and not self._closed.is_set():
                await self.closes_within(min(pause_s, _PAUSE_S_MAX))
        self._going = None

    def _mark(self) -> None:
        self._marked_at = time.perf_counter()


def _put(turn: Turn, place: "OrderedDict[Turn, None]") -> None:
    if turn.among is not None:
        turn.among.pop(turn, None)
    place[turn] = None
    turn.among = place
