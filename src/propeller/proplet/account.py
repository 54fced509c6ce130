"""What a proplet says that it has run, of each attempt that began. Pure."""

from collections.abc import Callable

import msgspec
from msgspec import UNSET, UnsetType

from propeller.core.ran import Ran
from propeller.core.sandbox import Grants
from propeller.proplet.actions import Outcome
from propeller.proplet.held import Held
from propeller.wire.fleet.from_manager import Start


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same for all that a proplet runs, and how the rest follows from a start."""

    #: The engine, with its version; ``""`` for a proplet that says nothing.
    runtime: str = ""
    #: The version of Propeller.
    version: str = ""
    #: Gives what a start gets of the machine; None for nothing.
    grants_of: Callable[[Start], Grants | None]

    def of(self, held: Held, outcome: Outcome) -> Ran | UnsetType:
        """Say what ran; UNSET if nothing did, or to a foreign manager."""
        if not self.runtime or not held.digest or not outcome.started_at or not held.attempt:
            return UNSET
        return Ran(
            digest=held.digest,
            runtime=self.runtime,
            version=self.version,
            signer=held.signer,
            grants=self.grants_of(held.start),
        )


NO_ACCOUNT = Account(grants_of=lambda _start: None)
