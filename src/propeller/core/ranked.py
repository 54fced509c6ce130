"""A priority queue whose items may leave at any time; the time for each is the logarithm of their number."""

from collections.abc import Iterator
from heapq import heappop, heappush
from operator import itemgetter
from typing import Any, Generic, TypeVar

Key = TypeVar("Key")
Item = TypeVar("Item")


class Ranked(Generic[Key, Item]):
    """A priority queue: items of equal rank are in the order of arrival, and each may leave at any time."""

    def __init__(self) -> None:
        self._heap: list[tuple[Any, int, Key, Item]] = []
        #: The valid entry of each key; the other entries in the heap have left, and are passed over.
        self._valid: dict[Key, tuple[Any, int, Key, Item]] = {}
        self._pushes = 0

    def __len__(self) -> int:
        return len(self._valid)

    def __contains__(self, key: Key) -> bool:
        return key in self._valid

    def __iter__(self) -> Iterator[Item]:
        """Iterate over the items in the order of arrival."""
        return map(itemgetter(3), self._valid.values())

    def push(self, key: Key, rank: Any, item: Item) -> None:
        """Add an item; one that is here with the same rank keeps its place."""
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

    def rank(self, key: Key) -> Any | None:
        """Give the rank of an item; None if it is not here."""
        entry = self._valid.get(key)
        return None if entry is None else entry[0]

    def head(self) -> tuple[Any, Item] | None:
        """Return the rank of the first item and the item, which stays; None if there is none."""
        while self._heap:
            entry = self._heap[0]
            if self._valid.get(entry[2]) is entry:
                return entry[0], entry[3]
            heappop(self._heap)
        return None
