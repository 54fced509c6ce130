"""Becomes another program that dies with the proplet, or before it: ``launch.py PARENT PROGRAM ARGUMENT…``.

Code that runs between fork and exec can hang in a program with threads, such as a proplet; so this small
program is started, which has none.
"""

import contextlib
import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_SCORE_FILE = "/proc/self/oom_score_adj"
#: By how much the score of a guest's process exceeds the proplet's, and the highest that there is.
_AHEAD, _SCORE_MAX = 500, 1000


def die_first() -> None:
    """Have the kernel kill this process before the proplet where memory runs out."""
    with contextlib.suppress(OSError):
        _write_score(min(_score() + _AHEAD, _SCORE_MAX))


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent dies; only on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent is dead already
        os._exit(1)


def leave_room() -> None:
    """Lower an inherited score that leaves no room for that of ``die_first``.

    A process without the right to lower its score keeps it.
    """
    with contextlib.suppress(OSError):
        if _score() > _SCORE_MAX - _AHEAD:
            _write_score(_SCORE_MAX - _AHEAD)


def _score() -> int:
    with open(_SCORE_FILE, encoding="ascii") as file:  # noqa: PTH123  pathlib takes long to load
        return int(file.read())


def _write_score(score: int) -> None:
    with open(_SCORE_FILE, "w", encoding="ascii") as file:  # noqa: PTH123
        file.write(str(score))


def main() -> None:
    parent, *argv = sys.argv[1:]
    die_with_parent(int(parent))
    die_first()
    # Python ignores these, and a program must not inherit that.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execv(argv[0], argv)  # noqa: S606  it becomes what the proplet's owner has named
    except OSError as error:
        sys.exit(f"{argv[0]} can't be started: {error.strerror}")


if __name__ == "__main__":
    main()
