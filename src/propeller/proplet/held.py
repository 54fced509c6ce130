"""What a proplet holds, and what it owes."""

import msgspec

from propeller.proplet.actions import Report
from propeller.wire.fleet.from_manager import Invoke, Start


class Held(msgspec.Struct, kw_only=True):
    start: Start
    #: 0 until the module is here and the run was begun.
    key: int = 0
    #: Of the module, from then on.
    digest: str = ""
    #: It serves, or can be invoked.
    is_up: bool = False
    #: Where it serves.
    results: str = ""
    restarts: int = 0
    #: Of the last crash.
    error: str = ""
    #: When it is started anew; 0 while it runs.
    restart_at: int = 0
    #: How often it was lost, under a foreign manager.
    losses: int = 0
    #: Invocations that came before it was up.
    early: list[Invoke] = []
    #: How much its runs have printed, by stream: a daemon starts anew, and invocations run side by side.
    printed_bytes: dict[str, int] = {}

    @property
    def attempt(self) -> int:
        return self.start.attempt or 0

    @property
    def speaks(self) -> bool:
        """Whether there is more to say of it than that it is here."""
        return self.is_up or self.restarts > 0


class Owed(msgspec.Struct, kw_only=True):
    report: Report
    sent_at: int
