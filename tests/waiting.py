"""Waiting for what a test needs to be so, with an end to the waiting."""

import time
from collections.abc import Callable
from typing import Any

import psutil


def until(look: Callable[[], Any], *, seconds: float = 60) -> Any:
    """Wait for something to be true, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"still {found!r}"
        time.sleep(0.01)
    return found


def gone(processes: list[psutil.Process], *, seconds: float = 40) -> bool:
    """Wait until all of them have ended; False if one did not in time.

    An orphan that has ended may wait long for the system's first process to bury it; it runs no more.
    """
    deadline = time.monotonic() + seconds
    while any(map(_runs, processes)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
