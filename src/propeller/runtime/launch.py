"""Becomes another program that dies with the proplet: ``launch.py PARENT PROGRAM ARGUMENT…``.

A process that is forked with code of ours in between could hang in a program with threads, as a proplet is
one; so a small one is started that has none.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, *argv = sys.argv[1:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # it died before that
        os._exit(1)
    # Python ignores these, and a program must not inherit that.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execv(argv[0], argv)  # noqa: S606  it becomes what the proplet's owner has named
    except OSError as error:
        sys.exit(f"{argv[0]} can't be started: {error.strerror}")


if __name__ == "__main__":
    main()
