"""Becomes another program that dies with the proplet, or before: ``launch.py PARENT PROGRAM ARGUMENT…``.

A process that is forked with code of ours in between could hang in a program with threads, as a proplet is
one; so a small one is started that has none.
"""

import contextlib
import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_SCORE_FILE = "/proc/self/oom_score_adj"
#: By how much a guest's process is ahead of the proplet when the kernel looks for one to kill, and the most.
_AHEAD, _SCORE_MAX = 500, 1000


def die_first() -> None:
    """When memory runs out, the kernel shall take this process with its guest, and not the proplet."""
    with contextlib.suppress(OSError):
        _write_score(min(_score() + _AHEAD, _SCORE_MAX))


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent dies; only Linux can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before that
        os._exit(1)


def leave_room() -> None:
    """Stay behind what calls ``die_first``, where this process inherited too high a score for that.

    Only some may lower theirs; others stay what they are.
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
