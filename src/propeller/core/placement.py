"""Which waiting task goes to which proplet.

Waiting tasks queue by priority, then age. Proplets with room take turns (round robin). Nothing here
looks at all tasks: placing one costs the logarithm of the queue, whatever else is in the store.

A proplet has room while it holds fewer tasks than its *window*: the number of guests it runs at once and
as many more as it works off in ``AHEAD_NS``, judged by how long its last task ran. So tiny tasks are handed
over in large batches, while a long one never waits behind another long one.
"""

from collections import deque
from collections.abc import Iterator
from heapq import heappop, heappush

from propeller.core.model import Proplet, Task

AHEAD_NS = 50_000_000
WINDOW_MAX = 1024
DEFAULT_PRIORITY = 50


class Queue:
    """Tasks that wait for room, the next one first."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, int, Task]] = []
        #: The entry that counts, by the task's ``seq``; entries of tasks that left are passed over.
        self._valid: dict[int, tuple[int, int, int, Task]] = {}
        self._pushes = 0

    def __len__(self) -> int:
        return len(self._valid)

    def push(self, task: Task) -> None:
        self._pushes += 1  # no two entries compare equal, so tasks are never compared
        entry = self._valid[task.seq] = (*_rank(task), self._pushes, task)
        heappush(self._heap, entry)

    def leave(self, task: Task) -> None:
        self._valid.pop(task.seq, None)

    def __iter__(self) -> Iterator[Task]:
        """Name the tasks that wait, in the order in which they were queued."""
        return (entry[3] for entry in self._valid.values())

    def peek(self) -> Task | None:
        """Return the next task without taking it."""
        while self._heap:
            entry = self._heap[0]
            if self._valid.get(entry[1]) is entry:
                return entry[3]
            heappop(self._heap)
        return None


class Placement:
    """The proplets, their load, and the tasks that wait for them."""

    def __init__(self) -> None:
        self.proplets: dict[str, Proplet] = {}
        self._anywhere = Queue()
        self._pinned: dict[str, Queue] = {}
        self._turn: deque[str] = deque()
        self._in_turn: set[str] = set()

    def wait(self, task: Task) -> None:
        """Queue a task that has just become ``SCHEDULED``."""
        if task.spec.pin:
            self._pinned.setdefault(task.spec.pin, Queue()).push(task)
            self.offer_room(task.spec.pin)
        else:
            self._anywhere.push(task)

    def wait_no_more(self, task: Task) -> None:
        """Take a task off the queues: it was stopped or deleted."""
        self._anywhere.leave(task)
        if task.spec.pin in self._pinned:
            self._pinned[task.spec.pin].leave(task)

    def why_waits(self, task: Task) -> str:
        """Say what a task waits for, where that is more than its turn."""
        pin = task.spec.pin
        if pin:
            pinned = self.proplets.get(pin)
            if pinned is None:
                return f"waits for proplet {pin}, which has never been seen"
            return "" if pinned.is_alive else f"waits for proplet {pin}, which is not alive"
        if not any(proplet.is_alive for proplet in self.proplets.values()):
            return "waits for a proplet: none is alive"
        return ""

    def waiting(self) -> list[Task]:
        """Name all tasks that wait, in no order: this is for checks, not for placing."""
        return [task for queue in (self._anywhere, *self._pinned.values()) for task in queue]

    def offer_room(self, proplet_id: str) -> None:
        """Put a proplet at the end of the turn if it has room."""
        if proplet_id not in self._in_turn and self._has_room(proplet_id):
            self._in_turn.add(proplet_id)
            self._turn.append(proplet_id)

    def next(self) -> tuple[Task, Proplet] | None:
        """Take the next task off its queue and name the proplet it goes to, or None if all must wait."""
        if not self._anywhere and not self._pinned:
            return None
        for _ in range(len(self._turn)):
            proplet_id = self._turn.popleft()
            self._in_turn.discard(proplet_id)
            queue = self._first_claim(proplet_id) if self._has_room(proplet_id) else None
            task = queue.peek() if queue else None
            if queue is not None and task is not None:
                queue.leave(task)
                return task, self.proplets[proplet_id]
            self.offer_room(proplet_id)
        return None

    def _first_claim(self, proplet_id: str) -> Queue:
        """Choose between what is pinned to this proplet and what may go anywhere, by rank."""
        pinned = self._pinned.get(proplet_id)
        head = pinned.peek() if pinned is not None else None
        if pinned is None or head is None:
            self._pinned.pop(proplet_id, None)
            return self._anywhere
        free = self._anywhere.peek()
        return pinned if free is None or _rank(head) < _rank(free) else self._anywhere

    def placed(self, task: Task, proplet: Proplet, now: int) -> None:
        proplet.placed[task.id] = now
        self.offer_room(proplet.id)

    def freed(self, task: Task) -> None:
        """Take a task off its proplet, for whatever reason."""
        proplet = self.proplets.get(task.proplet_id)
        if proplet is not None and proplet.placed.pop(task.id, None) is not None:
            self.offer_room(proplet.id)

    def learn(self, proplet_id: str, run_ns: int) -> None:
        """Set a proplet's window by how long its last task ran; it widens one by one and narrows at once."""
        proplet = self.proplets.get(proplet_id)
        if proplet is None:
            return
        ahead = proplet.slots * AHEAD_NS // max(run_ns, 1)
        proplet.window = min(proplet.window + 1, proplet.slots + ahead, WINDOW_MAX)

    def _has_room(self, proplet_id: str) -> bool:
        proplet = self.proplets.get(proplet_id)
        return proplet is not None and proplet.is_alive and len(proplet.placed) < proplet.window


def _rank(task: Task) -> tuple[int, int]:
    return -(task.spec.priority or DEFAULT_PRIORITY), task.seq
