"""What followers are interested in, so that nobody is woken by events that do not concern it."""

import contextlib
from collections.abc import Iterable, Iterator

from propeller.core.effects import Transition
from propeller.manager.batches import EVERYTHING, NAME_OF, Only, first_name
from propeller.manager.rounds import Interest


class Interests:
    """The interests of all followers: in everything, or in what has one name."""

    def __init__(self) -> None:
        self._in_all: Interest | None = None
        #: By the name of a task, of a workflow, and of a job.
        self._by_name: tuple[dict[str, Interest], ...] = tuple({} for _ in NAME_OF)

    @contextlib.contextmanager
    def sharing(self, only: Only, last_id: int) -> Iterator[Interest]:
        """Share an interest with all others who have it, until the block ends.

        Who names more than one is woken by what has the first of these names, and has to look at the rest.
        """
        if only == EVERYTHING:
            if self._in_all is None:
                self._in_all = Interest(last_id)
            yield self._in_all
            return
        kind, name = first_name(only)
        interests = self._by_name[kind]
        interest = interests.setdefault(name, Interest(last_id))
        interest.followers += 1
        try:
            yield interest
        finally:
            interest.followers -= 1
            if not interest.followers:
                del interests[name]

    def concerned(self, transitions: Iterable[Transition]) -> Iterator[Interest]:
        """Give the interests that these concern, each once."""
        if self._in_all is not None:
            yield self._in_all
        for name_of, interests in zip(NAME_OF, self._by_name, strict=True):
            if interests:
                for name in interests.keys() & set(map(name_of, transitions)):
                    yield interests[name]
