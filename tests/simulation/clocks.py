"""The clock of a machine, which is wrong, and which somebody sets now and then: by seconds, by days, back by years."""

from .world import MS, S, World

#: How many are set.
MOVES = 0.25
DAY = 86_400 * S
JUMPS = (-9 * S, 900 * S, 3 * DAY, -700 * DAY)


class MachineClock:
    def __init__(self, world: World, name: str, wrong_by: int):
        self.wrong_by = wrong_by
        self._world, self._name = world, name
        #: A stream of its own: where clocks are let alone, nothing else happens otherwise.
        self._random = world.stream(f"clock of {name}")

    def may_be_set(self) -> None:
        if self._random.random() < MOVES:
            self._set_later()

    def now(self) -> int:
        return self._world.now + self.wrong_by

    def _set_later(self) -> None:
        self._world.after(int(self._random.uniform(500, 8000) * MS), self._set)

    def _set(self) -> None:
        if self._world.has_faults:
            by_ns = self._random.choice(JUMPS)
            if self._world.happens("clock moved"):
                self._world.note(self._name, f"has its clock moved by {by_ns / S:.0f} s")
                self.wrong_by += by_ns
            self._set_later()
