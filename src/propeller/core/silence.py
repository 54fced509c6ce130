"""For how long proplets have been silent, as far as the manager could have heard them.

All here goes by the monotonic clock, ns: the machine's own time may be set to anything at any moment.
"""

from collections import OrderedDict

from propeller.core.model import Proplet

#: After the manager could hear nothing it waits as long again, but no longer, before it judges anybody: a
#: proplet that lost the broker so long ago tries to connect again within that time.
GRACE_NS_MAX = 30_000_000_000


class Silence:
    """Proplets that are heard in the same way, the one that was silent for longest first."""

    def __init__(self) -> None:
        self._heard: OrderedDict[str, tuple[Proplet, int]] = OrderedDict()
        #: Those that left word that they are gone, and since when.
        self._suspects: OrderedDict[str, tuple[Proplet, int]] = OrderedDict()
        #: For how long in all the manager could not hear.
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
        """Note that a proplet is said to be gone, which may be its connection only."""
        self._suspects.setdefault(proplet.id, (proplet, self.clock(ticks)))

    def forget(self, proplet_id: str) -> None:
        self._heard.pop(proplet_id, None)
        self._suspects.pop(proplet_id, None)

    def clock(self, ticks: int) -> int:
        """Tell for how long the manager could hear, all in all."""
        return (ticks if self._deaf_since is None else self._deaf_since) - self._deaf_ns

    @property
    def is_deaf(self) -> bool:
        """Whether the manager can't hear them at present."""
        return self._deaf_since is not None

    def may_judge(self, ticks: int) -> bool:
        """Say whether silence means anything now."""
        return not self.is_deaf and ticks >= self._judged_from

    def overdue(self, ticks: int, limit_ns: int) -> Proplet | None:
        """Name a proplet that was silent for longer than the limit, if there is one."""
        return self._first_since(self._heard, ticks, limit_ns)

    def overdue_suspect(self, ticks: int, limit_ns: int) -> Proplet | None:
        """Name a proplet that has been said to be gone for longer than the limit, and not shown itself."""
        return self._first_since(self._suspects, ticks, limit_ns)

    # -- hearing -------------------------------------------------------------------------------------------

    def deafened(self, since: int) -> None:
        """Note that the manager can't hear them, since then and until it hears again."""
        if self._deaf_since is None:
            self._deaf_since = since

    def hears_again(self, ticks: int) -> None:
        if self._deaf_since is not None:
            deaf_ns, self._deaf_since = ticks - self._deaf_since, None
            self._was_deaf(deaf_ns, ticks)

    def paused(self, paused_ns: int, ticks: int) -> None:
        """The manager itself stood still for so long, up to now."""
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
