"""Time, chance and memory of one simulated world: everything else is made of these."""

from collections import Counter
from collections.abc import Callable
from heapq import heappop, heappush
from random import Random

import msgspec

MS = 1_000_000
S = 1_000_000_000
#: Simulated time begins here, so that times look like those of a real system.
DAWN = 1_700_000_000 * S


#: What users ask for, as a kind of what happens; all other kinds are faults.
ACTION = "action"


class Plan(msgspec.Struct, frozen=True):
    """What is left out of the story of a seed: one that breaks a law can be told again with less in it."""

    #: Kinds of faults that do not happen.
    off: frozenset[str] = frozenset()
    #: Single things that do not happen: the kind, and the how many-th of it that it would be.
    without: frozenset[tuple[str, int]] = frozenset()
    #: Another course of what is left to chance: how long messages and commits take.
    luck: int = 0
    #: From this time on users do nothing and nothing fails; 0 for the usual time.
    until: int = 0


#: What happened: when, to whom, what, and the tasks that it is about.
Noted = tuple[int, str, str, tuple[str, ...]]


class LawBroken(AssertionError):
    """A law does not hold; ``law`` is its name, ``task_id`` the task it is about, if it is about one."""

    def __init__(self, law: str, text: str, task_id: str = ""):
        super().__init__(f"{law}: {text}")
        self.law = law
        self.task_id = task_id


class World:
    """A queue of events by time; of those at the same time chance chooses."""

    def __init__(self, seed: int, plan: Plan = Plan()):  # noqa: B008  it never changes
        self.seed = seed
        self.plan = plan
        self.random = Random(f"{seed}, luck {plan.luck}" if plan.luck else seed)
        self.now = DAWN
        self.has_faults = True
        self.steps = 0
        #: How many faults and actions of users happened, by kind, and how many could have.
        self.happened: Counter[str] = Counter()
        self.could: Counter[str] = Counter()
        #: What happened: when, who, what, and the tasks that it is about.
        self.log: list[Noted] = []
        self._events: list[tuple[int, float, int, Callable[[], None]]] = []
        self._pushes = 0

    def after(self, delay_ns: int, action: Callable[[], None]) -> None:
        self._pushes += 1
        heappush(self._events, (self.now + delay_ns, self.random.random(), self._pushes, action))

    def note(self, who: str, what: str, *task_ids: str) -> None:
        self.log.append((self.now, who, what, task_ids))

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def trouble(self, probability: float, kind: str = "trouble") -> bool:
        """Decide whether a fault happens; none does once the faults have stopped."""
        return self.has_faults and self.random.random() < probability and self.happens(kind)

    def happens(self, kind: str) -> bool:
        """Say whether the plan has room for what is about to happen, and count it."""
        self.could[kind] += 1
        plan = self.plan
        if kind in plan.off or (kind, self.could[kind]) in plan.without:
            return False
        self.happened[kind] += 1
        return True

    def fault(self, kind: str) -> None:
        """Count a fault that follows from another one."""
        self.happened[kind] += 1

    def stream(self, name: str) -> Random:
        """Make a stream of chance for one part: what others do does not hang on how much it draws."""
        return Random(f"{name} {self.seed}")

    def between(self, least_ms: float, most_ms: float) -> int:
        return int((least_ms + (most_ms - least_ms) * self.random.random()) * MS)

    def run_until(self, time: int) -> None:
        """Carry out all events up to this time."""
        events = self._events
        while events and events[0][0] <= time:
            self.now, _, _, action = heappop(events)
            self.steps += 1
            action()
        self.now = time
