"""The entrance for requests that bring new work: which begin, which wait for a moment, which are sent away.

Only so many are under way at once; the others wait, and clients take turns, so that one with a thousand
requests does not hold up one with a single request. Nobody waits for long: what would have to is refused at
once, with the time after which there should be room. So the queue is as long as what is done meanwhile, on a
fast machine and on a slow one.

This is pure: moments come in, s by any monotonic clock.
"""

import math
from collections import OrderedDict, deque
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")

#: How many requests are under way at once. More make commits that more of them share, and longer turns.
AT_ONCE = 128
#: The longest that a request waits to begin, s.
WAIT_S_MAX = 2.0
#: What is known of the time that a request takes before any was measured, s.
_EACH_S = 0.002
#: Of how many requests the mean time is taken, about.
_MEASURED = 1000
_RETRY_S_MAX = 60
#: Of how many clients it is known when they were told to come back.
_CLIENTS_MAX = 10_000


class Refusal(msgspec.Struct, frozen=True):
    """Why a request is not taken in, and when to come again."""

    #: 429 if this client has too many requests under way, 503 if all of them together are too many.
    status: int
    message: str
    retry_after_s: int


class Entrance(Generic[T]):
    """Those that are under way and those that wait; a waiting one is known by what its owner names it by."""

    def __init__(self, what: str, *, at_once: int = AT_ONCE, wait_s_max: float = WAIT_S_MAX) -> None:
        """Begin with nobody inside; ``what`` is the word for the requests, for refusals."""
        self._what = what
        self._at_once = at_once
        self._wait_s_max = wait_s_max
        self.under_way = 0
        #: Those that wait, by client, with the moment in which each came; the next client is the first.
        self._queues: OrderedDict[str, deque[tuple[T, float]]] = OrderedDict()
        self.waiting = 0
        #: The time in which some waited, s, and how many requests ended in it; both fade.
        self._busy_s, self._done = _EACH_S, 1.0
        self._last_done = 0.0
        #: Until when each client's place in the time to come is given away, those told last at the end.
        self._promised: OrderedDict[str, float] = OrderedDict()

    def refusal(self, client: str, now: float) -> Refusal | None:
        """Say why a request of a client can't be taken in; None if it can."""
        if self.under_way < self._at_once:
            return None
        each_s, clients = self._busy_s / self._done, len(self._queues)
        own = len(self._queues.get(client, ()))
        clients += not own
        wait_s = self._stalled_s(now) + each_s * min(self.waiting + 1, (own + 1) * clients)
        if wait_s <= self._wait_s_max:
            return None
        is_of_all = self._stalled_s(now) + each_s * clients > self._wait_s_max
        come_back = max(self._promised.get(client, 0.0), now + wait_s) + each_s * clients
        self._promise(client, min(come_back, now + _RETRY_S_MAX))
        retry_s = max(1, math.ceil(self._promised[client] - now))
        if is_of_all:
            why = f"the manager is overloaded: {self.waiting} {self._what} wait already"
            return Refusal(503, f"{why}; try again in {retry_s} s", retry_s)
        why = f"too many {self._what} of this client are under way: {own} wait already"
        return Refusal(429, f"{why}; send fewer at once, and try again in {retry_s} s", retry_s)

    def enters(self, client: str, one: T, now: float) -> bool:
        """Take in a request: True if it begins now, False if it waits until ``leave`` gives it back."""
        if self.under_way < self._at_once:
            self._begin(now)
            return True
        self._queues.setdefault(client, deque()).append((one, now))
        self.waiting += 1
        return False

    def leave(self, now: float) -> T | None:
        """Note that one that was under way has ended; give the one that begins in its place."""
        if self.waiting:
            self._busy_s += max(now - self._last_done, 0.0)
            self._done += 1
            if self._done > 2 * _MEASURED:
                self._busy_s, self._done = self._busy_s / 2, self._done / 2
        self._last_done = now
        self.under_way -= 1
        if not self.waiting:
            return None
        client, queue = next(iter(self._queues.items()))
        one, _ = queue.popleft()
        self.waiting -= 1
        if queue:
            self._queues.move_to_end(client)
        else:
            del self._queues[client]
        self._begin(now)
        return one

    def gives_up(self, client: str, one: T) -> None:
        """Forget one that waited and is no longer there."""
        queue = self._queues[client]
        queue.remove(next(waiting for waiting in queue if waiting[0] is one))
        self.waiting -= 1
        if not queue:
            del self._queues[client]

    def overdue(self, now: float) -> list[tuple[T, Refusal]]:
        """Take out those that have waited for too long, because less is done than was to be expected."""
        found: list[tuple[T, Refusal]] = []
        for client, queue in list(self._queues.items()):
            while queue and now - queue[0][1] > 2 * self._wait_s_max:
                one, since = queue[0]
                self.gives_up(client, one)
                waited = f"the manager is overloaded: this waited for {now - since:.0f} s"
                retry_s = max(1, math.ceil(self._wait_s_max))
                found.append((one, Refusal(503, f"{waited}; try again in {retry_s} s", retry_s)))
        return found

    def _begin(self, now: float) -> None:
        if not self.under_way:
            self._last_done = now
        self.under_way += 1

    def _stalled_s(self, now: float) -> float:
        """How much longer nothing has ended than is to be expected of as many as are under way."""
        return max(now - self._last_done - self.under_way * self._busy_s / self._done, 0.0)

    def _promise(self, client: str, until: float) -> None:
        self._promised[client] = until
        self._promised.move_to_end(client)
        if len(self._promised) > _CLIENTS_MAX:
            self._promised.popitem(last=False)


#: What requests that bring new work are called, by the lane in which they wait.
COMMANDS, INVOCATIONS = "requests", "invocations"
#: Last parts of paths to which a POST brings no work, but ends some or holds it up, or looks at its body.
_NO_WORK = frozenset({"stop", "cordon", "uncordon", "drain", "pause", "resume", "inspect", "check"})


def lane_of(method: str, path: str) -> str:
    """Name the lane of a request; ``""`` for one that keeps its place however much there is to do."""
    if method not in ("POST", "PUT"):
        return ""
    last = path.rstrip("/").rpartition("/")[2]
    if method == "POST" and last in _NO_WORK:
        return ""
    return INVOCATIONS if method == "POST" and last == "invoke" else COMMANDS
