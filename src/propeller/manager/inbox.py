"""What has arrived and waits for a turn: in lanes, so that nothing waits long behind what there is much of.

A turn takes all that has arrived, in order. If that is too much, it takes some of each lane: of the facts
from the fleet, of the commands that end work or hold it up, and of those that bring work. So a turn has a
bounded length, a stop does not wait behind thousands of creations, and neither waits behind a flood of facts.

This is pure.
"""

from collections import deque
from collections.abc import Callable, Iterator
from operator import itemgetter

from propeller.core.events import (
    Command,
    CordonProplet,
    DeleteGroup,
    DeleteProplet,
    DeleteTask,
    DrainProplet,
    PauseSchedule,
    StopGroup,
    StopTask,
    TimePassed,
)
from propeller.manager.engine import Ask, Input

#: Commands that end work or hold it up.
ENDING = (
    StopTask,
    StopGroup,
    DeleteTask,
    DeleteGroup,
    DeleteProplet,
    CordonProplet,
    DrainProplet,
    PauseSchedule,
)
#: How many facts a turn takes.
_FACTS_MAX = 2000
#: How many tasks the commands of a lane may be about in a turn; one command may be about more.
_TASKS_MAX = 2000
#: With more facts than these, no more should come in until most of them are taken.
_FACTS_WAITING_MAX = 20_000


class Inbox:
    """All that has arrived, by lane."""

    def __init__(
        self,
        tasks_of: Callable[[Command], int],
        *,
        facts_max: int = _FACTS_MAX,
        tasks_max: int = _TASKS_MAX,
        facts_waiting_max: int = _FACTS_WAITING_MAX,
    ) -> None:
        """Begin empty; ``tasks_of`` says how many tasks a command is about, at least 1."""
        self._tasks_of = tasks_of
        self._facts_max = facts_max
        self._tasks_max = tasks_max
        self._facts_waiting_max = facts_waiting_max
        #: Each with its number in the order of arrival.
        self._facts: deque[tuple[int, Input]] = deque()
        self._ending: deque[tuple[int, Ask]] = deque()
        self._bringing: deque[tuple[int, Ask]] = deque()
        self._arrived = 0
        #: What says that time has passed: each turn hears of that once, however many facts wait.
        self._time_passed: TimePassed | None = None

    def __len__(self) -> int:
        return len(self._facts) + len(self._ending) + len(self._bringing) + (self._time_passed is not None)

    def __bool__(self) -> bool:
        return bool(self._facts or self._ending or self._bringing or self._time_passed is not None)

    def __iter__(self) -> Iterator[Input]:
        for lane in (self._facts, self._ending, self._bringing):
            yield from (item for _, item in lane)
        if self._time_passed is not None:
            yield self._time_passed

    def append(self, item: Input) -> None:
        self._arrived += 1
        if isinstance(item, TimePassed):
            self._time_passed = item
        elif not isinstance(item, Ask):
            self._facts.append((self._arrived, item))
        elif isinstance(item.command, ENDING):
            self._ending.append((self._arrived, item))
        else:
            self._bringing.append((self._arrived, item))

    def take(self) -> list[Input]:
        """Take out what the next turn takes in, in the order in which it came; last, that time has passed."""
        facts = self._facts
        if len(facts) <= self._facts_max:
            taken = [*facts]
            facts.clear()
        else:
            taken = [facts.popleft() for _ in range(self._facts_max)]
        for lane in (self._ending, self._bringing):
            tasks = 0
            while lane and tasks < self._tasks_max:
                tasks += self._tasks_of(lane[0][1].command)
                taken.append(lane.popleft())
        taken.sort(key=itemgetter(0))
        inputs = [item for _, item in taken]
        if self._time_passed is not None:
            inputs.append(self._time_passed)
            self._time_passed = None
        return inputs

    def withdraw(self) -> list[Ask]:
        """Take out all commands, so that none of them is carried out."""
        taken = sorted((*self._ending, *self._bringing), key=itemgetter(0))
        self._ending.clear()
        self._bringing.clear()
        return [ask for _, ask in taken]

    @property
    def is_full(self) -> bool:
        """True while so many facts wait that no more should come in."""
        return len(self._facts) >= self._facts_waiting_max

    @property
    def has_room(self) -> bool:
        """True once most of the facts that were too many are taken."""
        return len(self._facts) <= self._facts_waiting_max // 4
