"""Makes a story that breaks a law shorter: with less in it, as long as it breaks the same law.

First it ends sooner, then kinds of faults are left out, then what users do, then single faults: half of them at
once, a quarter, … (delta debugging). What is left out is a ``Plan``; the seed stays the same.
"""

from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from .simulation import FAULTS_END, Outcome, simulate
from .world import ACTION, DAWN, Plan, S

#: Of how many stories the search consists, at most.
TRIES_MAX = 700
#: How many courses of chance are tried with each plan; more of them where a story is short, and so soon told.
LUCKS = 5
FEW = 16
#: Nothing shorter than that is tried.
SHORTEST_NS = S // 4

Thing = tuple[str, int]


class _Search:
    def __init__(self, outcome: Outcome, parts: dict[str, Any]):
        self.plan, self.outcome = outcome.plan, outcome
        self._parts = parts
        self._tries = 0

    def accepts(self, plan: Plan) -> bool:
        """Tell the story once more; keep the plan if the same law is broken with no more than before.

        What is left out changes how long all else takes: a story that needs a certain order gets a few chances.
        """
        lucks = LUCKS if _size(self.outcome) > FEW else 4 * LUCKS
        for luck in (plan.luck, *range(1, lucks)):
            if self._tries == TRIES_MAX:
                return False
            self._tries += 1
            tried = replace(plan, luck=luck)
            outcome = simulate(self.outcome.seed, plan=tried, **self._parts)
            if outcome.law == self.outcome.law and _size(outcome) <= _size(self.outcome):
                self.plan, self.outcome = tried, outcome
                return True
        return False

    def end_sooner(self) -> None:
        """Find about the earliest time at which users and faults may stop."""
        least, most = DAWN, self.plan.until or FAULTS_END
        while most - least > SHORTEST_NS:
            middle = (least + most) // 2
            if self.accepts(replace(self.plan, until=middle)):
                most = middle
            else:
                least = middle

    def leave_out(self, things: Iterable[Any], leaving_out: Callable[[Plan, list[Any]], Plan]) -> None:
        """Leave out as many of these things as can be, many at once first."""
        left = list(things)
        size = len(left)
        while size and left:
            place = 0
            while place < len(left):
                some = left[place : place + size]
                if self.accepts(leaving_out(self.plan, some)):
                    del left[place : place + size]
                else:
                    place += size
            size //= 2


def shrink(outcome: Outcome, **parts: Any) -> Outcome:
    """Give a short story of the same seed that breaks the same law; ``parts`` as for ``simulate``."""
    search = _Search(outcome, parts)
    before = None
    while before != _size(search.outcome):
        before = _size(search.outcome)
        search.end_sooner()
        search.leave_out(_kinds(search.outcome), lambda plan, some: replace(plan, off=plan.off.union(some)))
        for kind in (ACTION, *_kinds(search.outcome)):
            search.leave_out(_each(search.outcome, kind), _without)
    return search.outcome


def _size(outcome: Outcome) -> int:
    return outcome.actions + sum(outcome.faults.values())


def _kinds(outcome: Outcome) -> list[str]:
    return sorted(outcome.faults)


def _each(outcome: Outcome, kind: str) -> list[Thing]:
    """Name what could have happened of a kind, also what has been left out."""
    return [(kind, number) for number in range(outcome.could.get(kind, 0), 0, -1)]


def _without(plan: Plan, some: list[Thing]) -> Plan:
    return replace(plan, without=plan.without.union(some))
