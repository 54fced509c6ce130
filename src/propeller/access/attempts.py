"""Counts the failed attempts of each address to say who it is. Moments are s, by any monotonic clock."""

import math
from collections import OrderedDict, deque

#: How many of an address may fail within ``WITHIN_S``.
ATTEMPTS_MAX = 10
WITHIN_S = 60.0
#: Of how many addresses it is known; then those that failed longest ago are forgotten.
_ADDRESSES_MAX = 10_000


class Attempts:
    """The failed attempts of late; credentials that are good are never counted, and never refused."""

    def __init__(self) -> None:
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()

    def failed(self, address: str, now: float) -> int:
        """Count an attempt that failed; give after how many s the next may come, 0 for at once."""
        moments = self._failed.setdefault(address, deque())
        while moments and now - moments[0] >= WITHIN_S:
            moments.popleft()
        if len(moments) >= ATTEMPTS_MAX:
            return max(1, math.ceil(moments[0] + WITHIN_S - now))
        moments.append(now)
        self._failed.move_to_end(address)
        if len(self._failed) > _ADDRESSES_MAX:
            self._failed.popitem(last=False)
        return 0
