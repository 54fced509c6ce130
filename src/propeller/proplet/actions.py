"""The actions that the machine asks for, and the outcomes that it is told."""

import msgspec

from propeller.core.failures import Failure
from propeller.wire.fleet.from_manager import Start
from propeller.wire.fleet.from_proplet import HandBack, Results
from propeller.wire.fleet.messages import Message

Report = Results | HandBack


class StartRun(msgspec.Struct, frozen=True):
    """Run the guest of this start; ``key`` names the run from now on."""

    key: int
    start: Start
    #: SHA-256 of its module, in hex.
    digest: str
    #: Only compile it, and see whether it could be called.
    is_preparation: bool = False


class Kill(msgspec.Struct, frozen=True):
    """End this run; nobody waits for its outcome."""

    key: int


class Fetch(msgspec.Struct, frozen=True):
    """Get this module, then call ``module_arrived`` or ``module_missing``; may be asked for twice."""

    #: ``sha256:<hex>``, or an image reference or URL as the task has it.
    source: str
    #: Get the signatures that its registry has of an image, too.
    with_signatures: bool = False


class SendUp(msgspec.Struct, frozen=True):
    message: Message


class Keep(msgspec.Struct, frozen=True):
    """Make this report durable, then send it."""

    report: Report


class Forget(msgspec.Struct, frozen=True):
    """Drop the durable report on this task."""

    task_id: str


Action = StartRun | Kill | Fetch | SendUp | Keep | Forget


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    key: int
    #: Text, or bytes where it is none.
    results: str | bytes = ""
    #: None where it succeeded.
    failure: Failure | None = None
    #: The guest did not even begin, and would not the next time.
    is_refused: bool = False
    #: Its process was killed, or there was none to be had: no fault of the task.
    is_lost: bool = False
    started_at: int = 0
    finished_at: int = 0

    @property
    def error(self) -> str:
        return self.failure.error if self.failure else ""
