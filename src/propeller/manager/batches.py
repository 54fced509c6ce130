"""Events that are there together, and what is made of them: once, for all followers at the same place."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import TypeVar

from propeller.core.effects import Transition

T = TypeVar("T")

Event = tuple[int, Transition]
#: Ids of a task, a workflow and a job; ``""`` for any.
Only = tuple[str, str, str]
EVERYTHING: Only = ("", "", "")
#: How a change of state has each of the names.
NAME_OF: tuple[Callable[[Transition], str], ...] = tuple(
    attrgetter(name) for name in ("task_id", "workflow_id", "job_id")
)
#: So few who ask for different ones look through all events: to sort them by name takes longer.
_FEW = 8

#: How many events are kept in batches for the followers that come to the same place next.
_KEPT = 20_000
#: A batch that ends where the events did is taken for as long as it lacks no more than this part of those
#: that are there by now. So those who come one soon after the other share it, and nobody who comes later
#: has to go through many small ones.
_LACKS_MAX = 1 / 8


class Batch(list[Event]):
    """Events that are there together. Followers at the same place share one, and it is not to be changed."""

    def __init__(self, events: Iterable[Event] = (), *, last: int = 0) -> None:
        """Take events; ``last`` is the id of the last one that may be in it, though it may be forgotten."""
        super().__init__(events)
        self.last = self[-1][0] if self else last
        #: By the name of a task, of a workflow, and of a job, each once many ask for such.
        self._by_name: list[dict[str, list[Event]] | None] = [None] * len(NAME_OF)
        self._of: dict[Only, Batch] = {}
        self._made: dict[str, object] = {}

    def of(self, only: Only) -> "Batch":
        """Give those that concern these; however many ask for the same, it is looked for once."""
        if only == EVERYTHING:
            return self
        found = self._of.get(only)
        if found is None:
            kind, name = first_name(only)
            named = self._named(kind, name)
            is_all = sum(map(bool, only)) == 1
            found = self._of[only] = Batch(named if is_all else [it for it in named if _concerns(it, only)])
        return found

    def _named(self, kind: int, name: str) -> list[Event]:
        name_of, index = NAME_OF[kind], self._by_name[kind]
        if index is None and len(self._of) < _FEW:
            return [event for event in self if name_of(event[1]) == name]
        if index is None:
            index = self._by_name[kind] = {}
            for event in self:
                index.setdefault(name_of(event[1]), []).append(event)
        return index.get(name, [])

    def made(self, name: str, make: Callable[["Batch"], T]) -> T:
        """Give what is made of it, such as its text; it is made once for all."""
        if name not in self._made:
            self._made[name] = make(self)
        return self._made[name]  # type: ignore[return-value]


def first_name(only: Only) -> tuple[int, str]:
    """Give the first name that is asked for, and its kind: its place in ``NAME_OF``."""
    return next((kind, name) for kind, name in enumerate(only) if name)


def _concerns(event: Event, only: Only) -> bool:
    return all(wanted in ("", name_of(event[1])) for wanted, name_of in zip(only, NAME_OF, strict=True))


class Batches:
    """The latest batches: by the event behind which they begin, and by where they end at the latest."""

    def __init__(self) -> None:
        self._batches: OrderedDict[tuple[int, int], Batch] = OrderedDict()
        #: Of events, and one more for each batch.
        self._size = 0

    def find(self, after: int, end: int, there: int) -> Batch | None:
        """Give a batch with all or almost all events behind one up to ``end``, of which some are there."""
        batch = self._batches.get((after, end))
        if batch is None or there - batch.last > (there - after) * _LACKS_MAX:
            return None
        return batch

    def keep(self, after: int, end: int, batch: Batch) -> None:
        """Keep a batch, and drop those that nobody has asked for, for longest."""
        before = self._batches.pop((after, end), None)
        if before is not None:
            self._size -= len(before) + 1
        self._batches[after, end] = batch
        self._size += len(batch) + 1
        while self._size > _KEPT and len(self._batches) > 1:
            self._size -= len(self._batches.popitem(last=False)[1]) + 1
