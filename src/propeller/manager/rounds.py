"""Turns of those who follow events: while there is work, all of them take a small share of the time together.

What one follower costs is little, and a thousand of them cost as much as the work itself. So they go on one
after the other, a few at once, and when they have used up their share, they pause. Meanwhile more happens,
and each gets all of that at once, which costs less. Nobody misses anything: each has its place in the log.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable

#: The share of the time that followers take while there is work, and what they may take at once, s.
_SHARE = 0.05
_AT_ONCE_S = 0.01
#: How many go on at once.
_AT_ONCE = 10
#: The most that counts of one step, s: one that takes longer waits for its client.
_STEP_S_MAX = 0.001
#: The longest pause, s.
_PAUSE_S_MAX = 0.25


class Turn:
    """The turn of one follower."""

    def __init__(self) -> None:
        #: When the step under way began, s by the performance counter; 0 for none.
        self.began = 0.0


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
        self._idle: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._due: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._going: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()

    async def next(self, turn: Turn, *, has_more: bool) -> None:
        """End a step; wait for the next turn, or first for news if there is nothing more."""
        self.over(turn)
        if self._closed.is_set():
            return
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._due if has_more else self._idle)[waiting] = None
        self._go()
        try:
            await waiting
        finally:
            self._due.pop(waiting, None)
            self._idle.pop(waiting, None)
        turn.began = time.perf_counter()

    def over(self, turn: Turn) -> None:
        """End a step, if one is under way: what follows is a pause of the follower's own."""
        if turn.began:
            self._allowance.spend(min(time.perf_counter() - turn.began, _STEP_S_MAX))
            turn.began = 0.0

    def news(self) -> None:
        """Let all go on who wait for news, each in its turn."""
        self._due.update(self._idle)
        self._idle.clear()
        self._go()

    def close(self) -> None:
        """Let all go on at once, for the last time."""
        self._closed.set()
        self.news()

    async def closes_within(self, seconds: float) -> bool:
        """Wait for the end; False if it does not come so soon."""
        try:
            async with asyncio.timeout(seconds):
                await self._closed.wait()
        except TimeoutError:
            return False
        return True

    def _go(self) -> None:
        if self._due and self._going is None:
            self._going = asyncio.create_task(self._go_round())

    async def _go_round(self) -> None:
        while self._due:
            for _ in range(min(_AT_ONCE, len(self._due))):
                waiting, _ = self._due.popitem(last=False)
                if not waiting.done():
                    waiting.set_result(None)
            # They go on in the loop's next turn, and by the one after that most have said what it took.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            pause_s = self._allowance.pause_s(time.perf_counter())
            if pause_s and self._is_busy() and not self._closed.is_set():
                await self.closes_within(min(pause_s, _PAUSE_S_MAX))
        self._going = None
