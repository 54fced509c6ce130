"""The tasks that a proplet holds, and the states they go through there. Pure.

::

    FETCHING ──► STARTED ──► SERVING        a daemon or a server, which stays
                  │  ▲          │
                  │  └─ CRASHED ◄┘          a daemon, which is started anew after a while
                  └──► READY                a latent task, which invocations run

A task leaves any state when it ends, is stopped or is handed back: the proplet then holds it no more.
"""

from enum import IntEnum, auto

import msgspec

from propeller.backoff import Backoff
from propeller.wire.fleet.from_manager import Invoke, Start
from propeller.wire.fleet.from_proplet import Compiling

#: How long a daemon that crashed waits until it is started anew.
RESTARTS = Backoff(1.0, 60.0)


class HeldState(IntEnum):
    #: Waits for its module.
    FETCHING = auto()
    #: Its run was begun: a latent task is compiled, any other waits for a slot or is executed.
    STARTED = auto()
    #: Its run goes on, and the guest has said that it serves.
    SERVING = auto()
    #: Compiled, and without a run of its own: each invocation has one.
    READY = auto()
    #: Its run has crashed; the next one begins at ``restart_at``.
    CRASHED = auto()

    #: As of any number: the one that enumerations bring is slow, and each move looks two states up.
    __hash__ = int.__hash__


FETCHING, STARTED, SERVING, READY, CRASHED = HeldState

#: The states that may follow each one.
MOVES = {
    FETCHING: {STARTED},
    #: Again STARTED: the run was lost, or taken back before it began.
    STARTED: {STARTED, SERVING, READY, CRASHED},
    #: Again SERVING: the guest says it twice, or a foreign manager's run was lost.
    SERVING: {SERVING, CRASHED},
    READY: set[HeldState](),
    CRASHED: {STARTED},
}


class Held(msgspec.Struct, kw_only=True):
    """One attempt of a task, from its start until its end is reported."""

    start: Start
    state: HeldState = FETCHING
    #: The key of its run, while it has one.
    key: int = 0
    #: The digest of its module, once that is here.
    digest: str = ""
    #: The name of the key that has signed it, where the start says which keys count.
    signer: str = ""
    #: What was last said of compiling that; None if it is too small to speak of.
    compiling: Compiling | None = None
    #: The address at which it serves.
    results: str = ""
    restarts: int = 0
    #: What the last crash was.
    error: str = ""
    #: When the next run begins, if it has crashed; monotonic clock, ns.
    restart_at: int = 0
    #: How often it was lost, under a foreign manager.
    losses: int = 0
    #: Invocations that came before it was ready.
    early: list[Invoke] = []
    #: How much its runs have printed, by stream: a daemon starts anew, and invocations run side by side.
    printed_bytes: dict[str, int] = {}

    def move(self, state: HeldState) -> None:
        assert state in MOVES[self.state], f"{self.start.id}: from {self.state.name} to {state.name}"
        self.state = state

    @property
    def attempt(self) -> int:
        return self.start.attempt or 0

    @property
    def has_run(self) -> bool:
        return self.state is STARTED or self.state is SERVING

    @property
    def is_up(self) -> bool:
        """True if it serves, or can be invoked."""
        return self.state is SERVING or self.state is READY

    @property
    def speaks(self) -> bool:
        """True if there is more to report of it than that it is here."""
        return self.is_up or self.restarts > 0
