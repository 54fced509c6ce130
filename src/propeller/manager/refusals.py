"""Logging of refused reports: one line in a while for each proplet, however many reports there are."""

import logging
import time
from collections.abc import Callable

from propeller.core.effects import Refused

_log = logging.getLogger(__name__)

#: How often a refusal of each proplet is logged, with the number of those that were not.
_EVERY_S = 60.0
_PROPLETS_MAX = 1000


class Refusals:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        #: By proplet: when a refusal was logged last, and how many were not since then.
        self._told: dict[str, tuple[float, int]] = {}

    def tell(self, refused: Refused) -> None:
        now = self._clock()
        told_at, untold = self._told.get(refused.proplet_id, (now - _EVERY_S, 0))
        if now - told_at < _EVERY_S:
            self._told[refused.proplet_id] = told_at, untold + 1
            return
        if len(self._told) >= _PROPLETS_MAX:
            self._told.clear()
        self._told[refused.proplet_id] = now, 0
        about = f" about task {refused.task_id}" if refused.task_id else ""
        more = f" ({untold} more were refused before)" if untold else ""
        _log.warning("refused a message of %s%s: %s%s", refused.proplet_id, about, refused.reason, more)
