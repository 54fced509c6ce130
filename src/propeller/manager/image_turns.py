"""Letting a foreign proplet fetch an image for one task at a time.

A foreign proplet has one place for the pieces of an image. The first of several tasks takes them; the others
would wait for pieces that nobody sends again, and fail. So the next start goes out once the first task seems
to run.
"""

import asyncio
from collections import deque
from collections.abc import Callable

import msgspec

from propeller.wire.fleet.from_manager import Start

#: Somewhat longer than a foreign proplet waits for the pieces of an image (``mqtt``, section 5).
_FETCH_S_MAX = 65.0


class _Turn(msgspec.Struct, kw_only=True):
    task_id: str
    timer: asyncio.TimerHandle
    waiting: deque[Start]


class ImageTurns:
    """Sends each start in its turn; a start without an image goes at once."""

    def __init__(self, send: Callable[[Start], None]) -> None:
        self._send = send
        #: By proplet and image: whose turn it is.
        self._turns: dict[tuple[str, str], _Turn] = {}

    def start(self, start: Start) -> None:
        """Send a start, now or in its turn; a repeated start does not wait twice."""
        image = start.image_url or ""
        key = str(start.proplet_id or ""), image
        turn = self._turns.get(key)
        if not image or (turn is not None and turn.task_id == start.id):
            self._send(start)
        elif turn is None:
            self._begin(key, start, deque())
        elif all(waiting.id != start.id for waiting in turn.waiting):
            turn.waiting.append(start)

    def over(self, task_id: str) -> None:
        """Give the turn to the next: this task (its id in the foreign form) runs, ended or is not wanted."""
        for key, turn in list(self._turns.items()):
            turn.waiting = deque(start for start in turn.waiting if start.id != task_id)
            if turn.task_id == task_id:
                turn.timer.cancel()
                self._next(key)

    def close(self) -> None:
        for turn in self._turns.values():
            turn.timer.cancel()
        self._turns.clear()

    def _begin(self, key: tuple[str, str], start: Start, waiting: deque[Start]) -> None:
        timer = asyncio.get_running_loop().call_later(_FETCH_S_MAX, self._next, key)
        self._turns[key] = _Turn(task_id=start.id, timer=timer, waiting=waiting)
        self._send(start)

    def _next(self, key: tuple[str, str]) -> None:
        waiting = self._turns.pop(key).waiting
        if waiting:
            self._begin(key, waiting.popleft(), waiting)
