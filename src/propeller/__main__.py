"""``propeller`` and ``python -m propeller``: the command line, which takes a moment to load."""

import os
import signal
import sys
from types import FrameType

#: The commands that go on until they are stopped.
_STAY = frozenset({"up", "manager", "proplet", "proxy"})


def main() -> None:
    """Run a command; a signal that comes while it loads ends it at once."""
    on_interrupt = signal.getsignal(signal.SIGINT)  # of a script's background commands it is ignored
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end_now)
    from propeller.cli.main import main as run  # noqa: PLC0415  only now, when signals are taken

    if not _stays():
        signal.signal(signal.SIGINT, on_interrupt)  # commands have words for Ctrl-C
    run()


def _stays() -> bool:
    return not _STAY.isdisjoint(sys.argv[1:2])


def end_now(number: int, _: FrameType | None) -> None:
    """End without a word: a program that stays in order, as it would later, and a command by the signal.

    The first process of a container outlives a signal that nobody takes, and so has to exit.
    """
    if _stays():
        os._exit(0)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)


if __name__ == "__main__":
    main()
