"""``propeller`` and ``python -m propeller``: the command line, which takes a moment to load."""

import os
import signal
from types import FrameType


def main() -> None:
    """Run a command; a signal that comes before it has begun ends the process by that signal."""
    on_interrupt = signal.getsignal(signal.SIGINT)  # of a script's background commands it is ignored
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end_now)
    from propeller.cli.main import main as run  # noqa: PLC0415  only now, when signals are taken

    signal.signal(signal.SIGINT, on_interrupt)  # commands have words for Ctrl-C
    run()


def end_now(number: int, _: FrameType | None) -> None:
    """End without a word.

    The first process of a container outlives a signal that nobody takes, and so has to exit.
    """
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)


if __name__ == "__main__":
    main()
