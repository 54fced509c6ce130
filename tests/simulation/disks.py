"""Disks that fill up and have room again, and what of a store a power cut takes.

A disk has a stream of chance of its own: what happens in worlds with sound disks does not hang on it. Faults of a
disk end with all others: then there is room.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from propeller.proplet.actions import Report

from .store import SimulatedStore
from .world import MS, S, World

#: In how many of the worlds a disk fills up.
FILLS_UP = 0.25
#: In how many the store does not wait for its disk, so that a power cut takes the last commits.
IS_NORMAL = 0.15
#: After so many commits, on average, such a store has written through what came before.
SYNC_EVERY = 8
#: The chance that a crash comes in the middle of a commit.
TORN_COMMIT = 0.0015
#: How often a program finds a report on a bad disk that can't be read.
TORN = 0.2


class Disk:
    def __init__(self, world: World, name: str, fills_up: float = FILLS_UP):
        self.random = world.stream(f"disk of {name}")
        #: There are faults of this disk.
        self.is_bad = self.random.random() < fills_up
        self._world, self._name = world, name
        self._is_full = False
        if self.is_bad:
            self._later(self._fill_up)

    @property
    def is_full(self) -> bool:
        return self._is_full and self._world.has_faults

    def _later(self, action: Callable[[], None], least_ms: float = 2000, most_ms: float = 12_000) -> None:
        self._world.after(int(self.random.uniform(least_ms, most_ms) * MS), action)

    def _fill_up(self) -> None:
        if self._world.has_faults:
            if self._world.happens("full disk"):
                self._world.note(self._name, "The disk is full")
                self._is_full = True
            self._later(self._clear, 100, 5000)

    def _clear(self) -> None:
        if self._is_full:
            self._world.note(self._name, "The disk has room again")
            self._is_full = False
        self._later(self._fill_up)


class StoreDisk(Disk):
    """That of the manager; its store waits for it with each commit (``full``), or does not (``normal``)."""

    def __init__(self, world: World, store: SimulatedStore):
        super().__init__(world, "manager")
        self._store = store
        self.is_normal = self.random.random() < IS_NORMAL
        self._synced: dict[str, Any] = store.backup() if self.is_normal else {}

    def tears(self) -> bool:
        """Say whether the manager crashes in the middle of a commit."""
        is_torn = self._world.has_faults and self.random.random() < TORN_COMMIT
        return is_torn and self._world.happens("torn commit")

    def written(self) -> None:
        """Take note of a commit; now and then all of them are written through."""
        if self.is_normal and self.random.random() * SYNC_EVERY < 1:
            self._synced = self._store.backup()

    def lose_power(self) -> bool:
        """Lose what was not written through, or by luck nothing; say whether anything may be lost."""
        if not self.is_normal or self.random.random() < 0.3:
            return False
        self._store.restore(self._synced)
        return True

    def restored(self) -> None:
        """Somebody has put a backup in the place of the store, and that is written through."""
        if self.is_normal:
            self._synced = self._store.backup()


class OutboxDisk(Disk):
    """That of a proplet, with the reports in its outbox: what was written through stays, whatever happens."""

    def __init__(self, world: World, name: str, fills_up: float):
        super().__init__(world, name, fills_up)
        self.reports: dict[str, Report] = {}
        #: What the running program has yet to write, which waits for the next write: reports that a full disk has
        #: not taken, and tasks whose reports are dropped.
        self._untaken: dict[str, Report] = {}
        self._undropped: set[str] = set()

    def program_ended(self) -> None:
        self._untaken.clear()
        self._undropped.clear()

    def write(self, report: Report) -> bool:
        """Write a report, with all that waits for that; say whether it could be."""
        self._untaken[report.task_id] = report
        if self.is_full:
            self._world.fault("failed write")
            return False
        for task_id in self._undropped:
            self.reports.pop(task_id, None)
        self._undropped.clear()
        self.reports.update(self._untaken)
        self._untaken.clear()
        return True

    def forget(self, task_id: str) -> None:
        """Drop a report, on a bad disk with the next that is written."""
        self._untaken.pop(task_id, None)
        if self.is_bad and task_id in self.reports:
            self._undropped.add(task_id)
        else:
            self.reports.pop(task_id, None)

    def read(self) -> list[Report]:
        """Give what a new program finds; on a bad disk one may be torn, and is lost."""
        if (
            self.reports
            and self.is_bad
            and self.random.random() < TORN
            and self._world.happens("torn report")
        ):
            task_id = self.random.choice(list(self.reports))
            self._world.note(self._name, "can't read a report in its outbox", task_id)
            del self.reports[task_id]
        return list(self.reports.values())

    @property
    def kept_for_ever(self) -> set[str]:
        """Name the tasks whose reports no write will drop."""
        return set(self.reports) - self._undropped


def next_power_cut(random: Random) -> int:
    return int(random.uniform(1.5, 9) * S)
