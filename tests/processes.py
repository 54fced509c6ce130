"""Waiting for processes to be over."""

import time

import psutil


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
