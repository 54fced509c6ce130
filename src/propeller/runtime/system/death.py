"""The death of a process in words, and whether the run in it may be innocent."""

import signal
from typing import NamedTuple


class Death(NamedTuple):
    #: As it follows "the process that ran it".
    how: str
    #: It was killed by the kernel or by hand: the run in it may be innocent.
    is_from_outside: bool


#: What the engine, the system and Python say where there is no more memory.
_OUT_OF_MEMORY = (b"memory allocation of", b"Cannot allocate memory", b"MemoryError")


class Died(Exception):
    """A process died that a run needed."""

    def __init__(self, what: str, death: Death) -> None:
        """Take its purpose, as it follows "the process that"."""
        super().__init__(f"the process that {what} {death.how}")
        self.is_from_outside = death.is_from_outside


def death_of(exit_code: int) -> Death:
    """Read it from the exit code; a negative one is a signal."""
    if exit_code >= 0:
        return Death(f"ended with exit code {exit_code}", is_from_outside=False)
    # No process sends itself this signal: the kernel does where memory runs out, or somebody by hand.
    is_from_outside = -exit_code == signal.SIGKILL
    hint = ", perhaps for want of memory" if is_from_outside else ""
    return Death(f"died with signal {_signal(-exit_code)}{hint}", is_from_outside)


def is_out_of_memory(said: bytes) -> bool:
    """Say whether a process that died wrote that it had no more memory."""
    return any(words in said for words in _OUT_OF_MEMORY)


def status_text(exit_code: int) -> str:
    """Word an exit code as the existing system does."""
    return f"exit status: {exit_code}" if exit_code >= 0 else f"signal: {_signal(-exit_code)}"


def _signal(number: int) -> str:
    try:
        return f"{number} ({signal.Signals(number).name})"
    except ValueError:
        return str(number)
