"""Which waiting task goes to which proplet.

Waiting tasks queue by priority, then age. Of the proplets with room, the one that waited longest is next
(``ROUND_ROBIN``), or the one with the least to do (``LEAST_LOADED``). Nothing here looks at all tasks or,
for a task that may go anywhere, at all proplets: placing one costs the logarithm of a queue.

A proplet has room while it holds fewer tasks than its *window*: the number of guests it runs at once and
as many more as it works off in ``AHEAD_NS``, judged by how long its last task ran. So tiny tasks are handed
over in large batches, while a long one never waits behind another long one.
"""

from collections.abc import Callable, Iterator
from enum import StrEnum
from heapq import heappop, heappush
from typing import Any, Generic, TypeVar

from propeller.core.model import Proplet, Task

AHEAD_NS = 50_000_000
WINDOW_MAX = 1024
DEFAULT_PRIORITY = 50

Tags = frozenset[str]


class Order(StrEnum):
    """Who is next among the proplets with room."""

    ROUND_ROBIN = "round-robin"
    LEAST_LOADED = "least-loaded"


Key = TypeVar("Key")
Item = TypeVar("Item")


class Ranked(Generic[Key, Item]):
    """Things in the order of their rank, and of their coming among equals; each may leave at any time."""

    def __init__(self) -> None:
        self._heap: list[tuple[Any, int, Key, Item]] = []
        #: The entry that counts, by key; others in the heap have left and are passed over.
        self._valid: dict[Key, tuple[Any, int, Key, Item]] = {}
        self._pushes = 0

    def __len__(self) -> int:
        return len(self._valid)

    def __iter__(self) -> Iterator[Item]:
        """Name what is here, in the order of its coming."""
        return (entry[3] for entry in self._valid.values())

    def push(self, key: Key, rank: Any, item: Item) -> None:
        """Take something in; it keeps its place if it is here with the same rank."""
        entry = self._valid.get(key)
        if entry is not None and entry[0] == rank:
            return
        self._pushes += 1  # no two entries compare equal, so keys and items are never compared
        entry = self._valid[key] = (rank, self._pushes, key, item)
        if len(self._heap) > 2 * len(self._valid) + 64:
            self._heap = sorted(self._valid.values(), key=lambda entry: entry[:2])
        else:
            heappush(self._heap, entry)

    def leave(self, key: Key) -> None:
        self._valid.pop(key, None)

    def head(self) -> tuple[Any, Item] | None:
        """Return the first and its rank without taking it."""
        while self._heap:
            entry = self._heap[0]
            if self._valid.get(entry[2]) is entry:
                return entry[0], entry[3]
            heappop(self._heap)
        return None


class Queue(Ranked[int, Task]):
    """Tasks that wait for room, by priority and age."""

    def add(self, task: Task) -> None:
        self.push(task.seq, (-(task.spec.priority or DEFAULT_PRIORITY), task.seq), task)

    def drop(self, task: Task) -> None:
        self.leave(task.seq)


class Line(Ranked[str, Proplet]):
    """Proplets that wait for work."""

    def __init__(self, load: Callable[[Proplet], float]) -> None:
        super().__init__()
        self._load = load

    def add(self, proplet: Proplet) -> None:
        self.push(proplet.id, self._load(proplet), proplet)

    def pop(self) -> Proplet | None:
        head = self.head()
        if head is None:
            return None
        self.leave(head[1].id)
        return head[1]


class Placement:
    """The proplets, their load, and the tasks that wait for them."""

    def __init__(self, order: Order = Order.ROUND_ROBIN) -> None:
        self.proplets: dict[str, Proplet] = {}
        self._anywhere = Queue()
        self._pinned: dict[str, Queue] = {}
        self._tagged: dict[Tags, Queue] = {}
        #: Tasks for every proplet, that wait for there being one, by ``seq``.
        self._broadcast: dict[int, Task] = {}
        load = _load if order is Order.LEAST_LOADED else _no_load
        #: Proplets that may have room and of which nobody knows yet whether a task waits for them …
        self._turn = Line(load)
        #: … and those for which none did when they were looked at.
        self._idle = Line(load)
        self._with_tags: dict[Tags, list[Proplet]] = {}

    # -- tasks ---------------------------------------------------------------------------------------------

    def wait(self, task: Task) -> None:
        """Queue a task that has just become ``SCHEDULED``."""
        spec = task.spec
        if spec.broadcast:
            self._broadcast[task.seq] = task
        elif spec.pin:
            self._pinned.setdefault(spec.pin, Queue()).add(task)
            self.offer_room(spec.pin)
        elif spec.required_tags:
            queue = self._tagged.setdefault(frozenset(spec.required_tags), Queue())
            if not queue:  # else those that could take it are in turn already, or have no room
                for proplet in self.with_tags(frozenset(spec.required_tags)):
                    self.offer_room(proplet.id)
            queue.add(task)
        else:
            self._anywhere.add(task)

    def wait_no_more(self, task: Task) -> None:
        """Take a task off the queues: it was stopped or deleted."""
        spec = task.spec
        self._broadcast.pop(task.seq, None)
        self._anywhere.drop(task)
        if spec.pin in self._pinned:
            self._pinned[spec.pin].drop(task)
        tags = frozenset(spec.required_tags)
        if tags in self._tagged:
            self._tagged[tags].drop(task)

    def why_waits(self, task: Task) -> str:
        """Say what a task waits for, where that is more than its turn."""
        pin = task.spec.pin
        if pin:
            pinned = self.proplets.get(pin)
            if pinned is None:
                return f"waits for proplet {pin}, which has never been seen"
            if not pinned.is_alive:
                return f"waits for proplet {pin}, which is not alive"
            return f"waits for proplet {pin}, which is cordoned" if pinned.is_cordoned else ""
        tags = frozenset(task.spec.required_tags)
        if any(takes_work(proplet) for proplet in self.with_tags(tags)):
            return ""
        if tags:
            return f"waits for a proplet with {_names_of(tags)}: none that takes work has it"
        if any(proplet.is_alive for proplet in self.proplets.values()):
            return "waits for a proplet: all that are alive are cordoned"
        return "waits for a proplet: none is alive"

    def waiting(self) -> list[Task]:
        """Name all tasks that wait, in no order: this is for checks, not for placing."""
        queues = (self._anywhere, *self._pinned.values(), *self._tagged.values())
        return [*(task for queue in queues for task in queue), *self._broadcast.values()]

    def waiting_broadcasts(self) -> list[tuple[Task, list[Proplet]]]:
        """Name the broadcast tasks for which there is a proplet now, each with all there are."""
        found = []
        for task in self._broadcast.values():
            proplets = [p for p in self.with_tags(frozenset(task.spec.required_tags)) if takes_work(p)]
            if proplets:
                found.append((task, proplets))
        return found

    # -- proplets ------------------------------------------------------------------------------------------

    def changed(self, proplet: Proplet) -> None:
        """Take note of a proplet that is new or gone, or has other tags."""
        self._with_tags.clear()
        if self.proplets.get(proplet.id) is not proplet:
            self._turn.leave(proplet.id)
            self._idle.leave(proplet.id)

    def with_tags(self, tags: Tags) -> list[Proplet]:
        """Name the proplets that have all these tags, alive or not."""
        found = self._with_tags.get(tags)
        if found is None:
            found = [proplet for proplet in self.proplets.values() if tags <= proplet.tags]
            self._with_tags[tags] = found
        return found

    def offer_room(self, proplet_id: str) -> None:
        """Let a proplet take its turn if it has room."""
        proplet = self.proplets.get(proplet_id)
        if proplet is not None and has_room(proplet):
            self._idle.leave(proplet_id)
            self._turn.add(proplet)

    def next(self) -> tuple[Task, Proplet] | None:
        """Take the next task off its queue and name the proplet it goes to, or None if all must wait."""
        while (proplet := self._next_in_line()) is not None:
            if not has_room(proplet):
                continue
            queue = self._first_claim(proplet)
            head = queue.head()
            if head is not None:
                queue.drop(head[1])
                return head[1], proplet
            self._idle.add(proplet)
        return None

    def _next_in_line(self) -> Proplet | None:
        """Name the next proplet to look at; those that are idle only where a task may go anywhere."""
        if self._anywhere:
            idle, turn = self._idle.head(), self._turn.head()
            if idle is not None and (turn is None or idle[0] <= turn[0]):
                return self._idle.pop()
        return self._turn.pop()

    def _first_claim(self, proplet: Proplet) -> Queue:
        """Choose by rank between the queues that this proplet may be given tasks from."""
        best = self._anywhere
        best_head = best.head()
        for queue in self._own_queues(proplet):
            head = queue.head()
            if head is not None and (best_head is None or head[0] < best_head[0]):
                best, best_head = queue, head
        return best

    def _own_queues(self, proplet: Proplet) -> Iterator[Queue]:
        pinned = self._pinned.get(proplet.id)
        if pinned is not None:
            if pinned:
                yield pinned
            else:
                del self._pinned[proplet.id]
        if self._tagged:
            tags = proplet.tags
            for wanted in [wanted for wanted, queue in self._tagged.items() if not queue]:
                del self._tagged[wanted]
            yield from (queue for wanted, queue in self._tagged.items() if wanted <= tags)

    def placed(self, task: Task, proplet: Proplet, now: int) -> None:
        proplet.placed[task.id] = now
        self.offer_room(proplet.id)

    def freed(self, task: Task, proplet_id: str) -> None:
        """Take a task off a proplet, for whatever reason."""
        proplet = self.proplets.get(proplet_id)
        if proplet is not None and proplet.placed.pop(task.id, None) is not None:
            self.offer_room(proplet.id)

    def learn(self, proplet_id: str, run_ns: int) -> None:
        """Set a proplet's window by how long its last task ran; it widens one by one and narrows at once.

        Not a foreign one's: it does not give back what it has no time for.
        """
        proplet = self.proplets.get(proplet_id)
        if proplet is None or not proplet.is_ours:
            return
        ahead = proplet.slots * AHEAD_NS // max(run_ns, 1)
        proplet.window = min(proplet.window + 1, proplet.slots + ahead, WINDOW_MAX)


def takes_work(proplet: Proplet) -> bool:
    return proplet.is_alive and not proplet.is_cordoned


def has_room(proplet: Proplet) -> bool:
    return takes_work(proplet) and len(proplet.placed) < proplet.window


def _names_of(tags: Tags) -> str:
    return ("the tag " if len(tags) == 1 else "the tags ") + ", ".join(sorted(tags))


def _load(proplet: Proplet) -> float:
    return len(proplet.placed) / proplet.slots


def _no_load(_proplet: Proplet) -> float:
    return 0.0
