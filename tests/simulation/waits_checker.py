"""The laws of the inbox: nothing waits for a turn longer than what came before it in its own lane."""

from collections.abc import Sequence

from propeller.core.events import (
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

from .world import LawBroken

_ENDING = (
    StopTask,
    StopGroup,
    DeleteTask,
    DeleteGroup,
    DeleteProplet,
    CordonProplet,
    DrainProplet,
    PauseSchedule,
)


class WaitsChecker:
    """Sees what comes and what turns take, of one manager from its start to its end."""

    def __init__(self, taken_max: int) -> None:
        """Begin with nothing; a turn may take ``taken_max`` of each lane."""
        self._taken_max = taken_max
        self._turns = 0
        #: What waits, by lane, with the turn that has to take it.
        self._waiting: dict[str, list[tuple[Input, int]]] = {"fact": [], "ends": [], "brings": []}

        #: Whether time has passed and no turn has heard of it.
        self._has_passed = False

    def came(self, item: Input) -> None:
        if isinstance(item, TimePassed):
            self._has_passed = True
            return
        lane = self._waiting[_lane_of(item)]
        lane.append((item, self._turns + 1 + len(lane) // self._taken_max))

    def turn_began(self, inputs: Sequence[Input]) -> None:
        self._turns += 1
        hears = 0
        for item in inputs:
            if isinstance(item, TimePassed):
                hears += 1
                continue
            lane = self._waiting[_lane_of(item)]
            if not lane or lane[0][0] is not item:
                raise LawBroken("own-lane", f"a turn takes {item}, which is not the next of its lane")
            del lane[0]
        if hears != self._has_passed:
            raise LawBroken("own-lane", f"a turn hears {hears} times that time has passed")
        self._has_passed = False
        for name, lane in self._waiting.items():
            if lane and lane[0][1] <= self._turns:
                raise LawBroken(
                    "own-lane", f"{lane[0][0]} waits behind more than there is before it in {name}"
                )


def _lane_of(item: Input) -> str:
    if not isinstance(item, Ask):
        return "fact"
    return "ends" if isinstance(item.command, _ENDING) else "brings"
