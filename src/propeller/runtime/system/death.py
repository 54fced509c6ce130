"""How a process died, in words, and whether what it ran may be innocent."""

import signal
from typing import NamedTuple


class Death(NamedTuple):
    #: Words to follow "the process that ran it".
    how: str
    #: Somebody killed it: what it ran may be innocent.
    is_from_outside: bool


class Died(Exception):
    """A process died that was needed."""

    def __init__(self, what: str, death: Death) -> None:
        """Say what it was for, in words to follow "the process that"."""
        super().__init__(f"the process that {what} {death.how}")
        self.is_from_outside = death.is_from_outside


def death_of(exit_code: int) -> Death:
    """Tell it by the exit code; a negative one is a signal."""
    if exit_code >= 0:
        return Death(f"ended with exit code {exit_code}", is_from_outside=False)
    # No process sends itself this: the kernel does where memory runs out, or somebody by hand.
    is_from_outside = -exit_code == signal.SIGKILL
    hint = ", perhaps for want of memory" if is_from_outside else ""
    return Death(f"died with signal {_signal(-exit_code)}{hint}", is_from_outside)


def status_text(exit_code: int) -> str:
    """Word an exit code as the existing system does."""
    return f"exit status: {exit_code}" if exit_code >= 0 else f"signal: {_signal(-exit_code)}"


def _signal(number: int) -> str:
    try:
        return f"{number} ({signal.Signals(number).name})"
    except ValueError:
        return str(number)
