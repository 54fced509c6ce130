"""Waits that grow with each failure in a row: one rule for everything that is tried again. Pure.

Chance is left to the caller: several programs that failed together should not try again together.
"""

import msgspec

#: More doublings make no wait longer, and a float can't hold larger powers.
_STEPS_MAX = 64


class Backoff(msgspec.Struct, frozen=True):
    """Waits ``first_s`` after one failure, ``factor`` times longer after each more, up to ``longest_s``."""

    first_s: float
    longest_s: float
    factor: float = 2.0

    def delay_s(self, failures_before: int) -> float:
        """Give the wait after a failure, given the number of failures in a row before it, s."""
        return min(self.first_s * self.factor ** min(failures_before, _STEPS_MAX), self.longest_s)
