"""How long those who ask wait for a turn that stands still because nothing can be written."""

import time
from typing import Protocol

from propeller.store.port import Store

#: How long a request waits for the database, or for somebody to lead, s. Then it is answered what is known.
PATIENCE_S = 6.0


class Lead(Protocol):
    """The right to act, where several managers share a store."""

    @property
    def may_act(self) -> bool:
        """True while this manager leads, and nobody else can."""

    async def acting(self) -> None:
        """Wait until this manager may act; raise ``LeadershipLost`` if it does not lead any more."""


class Patience:
    """Says, when it is asked now and then, whether the turn under way has stood still for too long."""

    def __init__(self, store: Store, lead: Lead | None) -> None:
        """Prepare it; ``lead`` is None where no other manager has this store."""
        self._store = store
        self._lead = lead
        self._still_since: float | None = None

    def turn_begins(self) -> None:
        self._still_since = None

    def why_over(self) -> str:
        """Say why nobody is to wait any longer; ``""`` where the turn goes on, or has just stopped to.

        A turn that is long for the work that it has is waited for, however long it takes.
        """
        why, now = self.why_still(), time.monotonic()
        if not why:
            self._still_since = None
        elif self._still_since is None:
            self._still_since = now
        elif now - self._still_since >= PATIENCE_S:
            return why
        return ""

    def why_still(self) -> str:
        """Say of the database why nothing can be written now; ``""`` where that can be."""
        if self._lead is not None and not self._lead.may_act:
            return self._store.outage or "this manager does not reach it, and another may lead"
        return self._store.outage
