"""Waits that grow with each failure in a row: one rule for all that is tried again. Pure.

Chance is left to the caller: several programs that failed together should not try again together.
"""

import msgspec

#: More doublings make no wait longer, and larger powers no float can hold.
_STEPS_MAX = 64


class Backoff(msgspec.Struct, frozen=True):
    """Waits ``first_s`` after one failure, ``factor`` times longer after each more, up to ``longest_s``."""

    first_s: float
    longest_s: float
    factor: float = 2.0

    def delay_s(self, failures_before: int) -> float:
        """Say how long to wait after a failure that so many others came before, without a success between."""
        return min(self.first_s * self.factor ** min(failures_before, _STEPS_MAX), self.longest_s)
