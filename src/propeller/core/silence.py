"""The silence of proplets, as far as the manager could have heard them.

Times are those of the monotonic clock, ns: the machine's own time may be set to anything at any moment.
"""

from collections import OrderedDict

from propeller.core.model import Proplet

#: After a time in which it could hear nothing, the manager waits as long again before it judges a proplet,
#: but no longer than this: a proplet that lost the broker tries to connect again within that time.
GRACE_NS_MAX = 30_000_000_000


class Silence:
    """The local proplets or the remote ones, the one that was silent for longest first."""

    def __init__(self) -> None:
        self._heard: OrderedDict[str, tuple[Proplet, int]] = OrderedDict()
        #: The proplets that are said to be gone, and since when.
        self._suspects: OrderedDict[str, tuple[Proplet, int]] = OrderedDict()
        #: For how long the manager could not hear, in all.
        self._deaf_ns = 0
        self._deaf_since: int | None = None
        self._judged_from = 0

    def __contains__(self, proplet_id: str) -> bool:
        return proplet_id in self._heard

    def heard(self, proplet: Proplet, ticks: int) -> None:
        """Note a sign of life."""
        self._suspects.pop(proplet.id, None)
        self._heard[proplet.id] = proplet, self.clock(ticks)
        self._heard.move_to_end(proplet.id)

    def suspect(self, proplet: Proplet, ticks: int) -> None:
        """Note that a proplet is said to be gone; it may be only its connection."""
        self._suspects.setdefault(proplet.id, (proplet, self.clock(ticks)))

    def forget(self, proplet_id: str) -> None:
        self._heard.pop(proplet_id, None)
        self._suspects.pop(proplet_id, None)

    def clock(self, ticks: int) -> int:
        """Give the time of a clock that stands still while the manager can't hear, ns."""
        return (ticks if self._deaf_since is None else self._deaf_since) - self._deaf_ns

    @property
    def is_deaf(self) -> bool:
        """True while the manager can't hear them."""
        return self._deaf_since is not None

    def may_judge(self, ticks: int) -> bool:
        """Say whether silence means anything now."""
        return not self.is_deaf and ticks >= self._judged_from

    def overdue(self, ticks: int, limit_ns: int) -> Proplet | None:
        """Give a proplet that was silent for longer than the limit; None if there is none."""
        return self._first_since(self._heard, ticks, limit_ns)

    def overdue_suspect(self, ticks: int, limit_ns: int) -> Proplet | None:
        """Give a proplet that was said to be gone longer ago than the limit, and is still silent, or None."""
        return self._first_since(self._suspects, ticks, limit_ns)

    # -- hearing -------------------------------------------------------------------------------------------

    def deafened(self, since: int) -> None:
        """Note that the manager can't hear them since this time, until ``hears_again``."""
        if self._deaf_since is None:
            self._deaf_since = since

    def hears_again(self, ticks: int) -> None:
        if self._deaf_since is not None:
            deaf_ns, self._deaf_since = ticks - self._deaf_since, None
            self._was_deaf(deaf_ns, ticks)

    def paused(self, paused_ns: int, ticks: int) -> None:
        """Note that the manager stood still for this long, up to now."""
        if self._deaf_since is None:
            self._was_deaf(paused_ns, ticks)

    def _was_deaf(self, deaf_ns: int, ticks: int) -> None:
        self._deaf_ns += deaf_ns
        self._judged_from = max(self._judged_from, ticks + min(deaf_ns, GRACE_NS_MAX))

    def _first_since(
        self, proplets: OrderedDict[str, tuple[Proplet, int]], ticks: int, limit_ns: int
    ) -> Proplet | None:
        if not proplets or not self.may_judge(ticks):
            return None
        proplet, since = next(iter(proplets.values()))
        return proplet if self.clock(ticks) - since > limit_ns else None
