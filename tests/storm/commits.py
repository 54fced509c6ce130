"""A run of N commits, repeated so that the manager dies at each of them: just before it, or just after."""

import os
import sys
import threading
import time
from pathlib import Path

from tests.e2e.local.harness import System
from tests.storm.load import Load, Verdict

#: A manager that ends itself as kill -9 does at its commit of that number.
_PROGRAM = """
import os, signal, sys
from propeller.store.sqlite import store

number, side, count = int(sys.argv.pop(1)), sys.argv.pop(1), 0

class Dying(store.SqliteStore):
    async def commit(self, changes):
        global count
        count += 1
        if count == number and side == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        await super().commit(changes)
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

store.SqliteStore = Dying
from propeller.__main__ import main
main()
"""
SIDES = ("before", "after")
_SEED = 12
_END_S_MAX = 60.0
_LOOK_EVERY_S = 0.02


class Run:
    """One workflow, on a system of its own."""

    def __init__(self, directory: Path) -> None:
        marks = directory / "marks"
        marks.mkdir(parents=True)
        self._marks = marks
        self._system = System(directory / "data", "--proplets", "1")
        self._load = Load(_SEED, marks, large=0)

    def dies_at(self, number: int, side: str, tasks: int) -> bool:
        """Run a workflow on a manager that dies at a commit; say whether there was that commit."""
        self._system.program = (sys.executable, "-c", _PROGRAM, str(number), side)
        self._up()
        client = threading.Thread(target=self._load.workflow, args=("w", 0, tasks), daemon=True)
        client.start()
        has_died = self._waited_for_death()
        if has_died:
            self._system.reap()
        else:
            self._system.kill()  # or it would die while it is asked what came of it
        self._system.program = System.program
        self._up()
        client.join(_END_S_MAX)
        self._load.wait_for_end(_END_S_MAX)
        return has_died

    def _up(self) -> None:
        self._system.up(env={**os.environ, "PROPLET_DIRS": str(self._marks)})
        self._load.url = self._system.url

    def _waited_for_death(self) -> bool:
        """Wait until the manager has died, or the workflow has ended."""
        deadline = time.monotonic() + _END_S_MAX
        while time.monotonic() < deadline:
            if self._system.process.poll() is not None:
                return True
            if self._load.has_ended("w"):
                return False
            time.sleep(_LOOK_EVERY_S)
        raise AssertionError("the workflow does not end, and the manager does not die")

    def judge(self) -> Verdict:
        return self._load.judge()

    def end(self) -> None:
        self._system.clean_up()


def die_at_commits(directory: Path, *, tasks: int, first: int = 1, every: int = 1) -> list[Verdict]:
    """Let the manager die at one commit after the other, until a run has no more; give what came of each run."""
    verdicts: list[Verdict] = []
    for side in SIDES:
        number, has_died = first, True
        while has_died:
            run = Run(directory / f"{side}-{number}")
            try:
                has_died = run.dies_at(number, side, tasks)
                verdicts.append(run.judge())
            finally:
                run.end()
            number += every
    return verdicts
