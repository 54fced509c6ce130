"""The two forms of a system: all on one machine, or a fleet behind a broker; and its processes, to do harm to."""

import os
import random
import sys
import time
from pathlib import Path
from typing import Protocol

import psutil

from tests.e2e.fleet.harness import Fleet
from tests.e2e.local.harness import System
from tests.e2e.managers.harness import One, Several
from tests.parts.postgres import Postgres

#: Losses are what a storm is made of: none must end a task.
LOSSES_MAX = "100000"


class World(Protocol):
    name: str
    #: The directory for the marks of guests.
    marks: Path

    def begin(self) -> None: ...
    def end(self) -> None: ...
    @property
    def url(self) -> str: ...
    def manager(self) -> int: ...
    def restart_manager(self) -> None: ...
    def proplets(self) -> list[int]: ...
    def kill_proplet(self, pid: int) -> None: ...
    def restart_broker(self, *, politely: bool, away_s: float) -> None: ...


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


#: A program whose clock is wrong by what a file says, ns, while it runs.
_PROGRAM = """
import mmap, sys, time
file = open(sys.argv.pop(1), "rb")
page = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
real = time.time_ns
time.time_ns = lambda: real() + int.from_bytes(page[:8], "little", signed=True)
time.time = lambda: time.time_ns() / 1e9
from propeller.__main__ import main
main()
"""


class FalseClock:
    """A clock for the manager that can be moved while it runs.

    Not by libfaketime: it wakes threads that wait for the interpreter at once, and that makes all ten times as slow.
    """

    def __init__(self, directory: Path) -> None:
        self._file = directory / "clock"
        self._offset_s = 0
        self._file.write_bytes(bytes(8))

    def move(self, by_s: int) -> None:
        self._offset_s += by_s
        with self._file.open("r+b") as file:
            file.write((self._offset_s * 10**9).to_bytes(8, "little", signed=True))

    @property
    def program(self) -> list[str]:
        """The command in the place of ``propeller`` that believes this clock."""
        return [sys.executable, "-c", _PROGRAM, str(self._file)]


class Embedded:
    """``propeller up``: its proplets end with it."""

    name = "embedded"

    def __init__(self, directory: Path) -> None:
        self.clock = FalseClock(directory)
        self.marks = _made(directory / "marks")
        self._system = System(directory / "data", "--max-losses", LOSSES_MAX)
        self._system.program = self.clock.program

    def begin(self) -> None:
        self._system.up(env={**os.environ, "PROPLET_DIRS": str(self.marks)})

    def end(self) -> None:
        self._system.clean_up()

    @property
    def url(self) -> str:
        return str(self._system.http.base_url).rstrip("/")

    def manager(self) -> int:
        return self._system.process.pid

    def restart_manager(self) -> None:
        self._system.kill()
        self.begin()

    def proplets(self) -> list[int]:
        return [process.pid for process in self._system.proplet_processes()]

    def kill_proplet(self, pid: int) -> None:
        psutil.Process(pid).kill()

    def restart_broker(self, *, politely: bool, away_s: float) -> None:
        """There is none."""


class Behind:
    """A manager and two proplets behind a real Mosquitto."""

    name = "fleet"
    _flags = ("--losses-max", LOSSES_MAX, "--liveness", "10s")

    def __init__(self, directory: Path) -> None:
        self.clock = FalseClock(directory)
        self.marks = _made(directory / "marks")
        self._fleet = Fleet(directory, proplets=2)

    def begin(self) -> None:
        self._fleet.broker.start()
        self._fleet.start_manager(*self._flags, program=self.clock.program)
        for section in self._fleet.sections:
            self._fleet.start_proplet(section, PROPLET_DIRS=str(self.marks))
        self._fleet.wait_for_proplets(2)

    def end(self) -> None:
        self._fleet.end()

    @property
    def url(self) -> str:
        return str(self._fleet.http.base_url).rstrip("/")

    def manager(self) -> int:
        assert self._fleet.manager is not None
        assert self._fleet.manager.process is not None
        return self._fleet.manager.process.pid

    def restart_manager(self) -> None:
        assert self._fleet.manager is not None
        self._fleet.manager.kill()
        self._fleet.start_manager(*self._flags, program=self.clock.program)

    def proplets(self) -> list[int]:
        return [one.process.pid for one in self._fleet.proplets.values() if one.process is not None]

    def kill_proplet(self, pid: int) -> None:
        for program in self._fleet.proplets.values():
            if program.process is not None and program.process.pid == pid:
                program.kill()
                program.start()

    def restart_broker(self, *, politely: bool, away_s: float) -> None:
        if politely:
            self._fleet.broker.stop()
        else:
            self._fleet.broker.kill()
        time.sleep(away_s)
        self._fleet.broker.start()


class Cluster:
    """Three managers on one PostgreSQL, and two proplets behind a real Mosquitto."""

    name = "managers"
    _names = ("a", "b", "c")

    def __init__(self, directory: Path) -> None:
        self._database = Postgres()
        self._database.start()
        self._several = Several(directory, self._database, proplets=2)
        self.marks = self._several.logs

    def begin(self) -> None:
        self._several.begin(*self._names, MANAGER_LOSSES_MAX=LOSSES_MAX, MANAGER_LIVENESS="10s")

    def end(self) -> None:
        self._several.end()
        self._database.remove()

    @property
    def url(self) -> str:
        """Any of them, for each answers for all."""
        return self._any().url

    def manager(self) -> int:
        return self._any().pid

    def restart_manager(self) -> None:
        one = self._any()
        one.program.kill()
        self._several.begin_again(one)

    def _any(self) -> One:
        return random.choice(list(self._several.managers.values()))

    def proplets(self) -> list[int]:
        programs = self._several.fleet.proplets.values()
        return [one.process.pid for one in programs if one.process is not None]

    def kill_proplet(self, pid: int) -> None:
        for program in self._several.fleet.proplets.values():
            if program.process is not None and program.process.pid == pid:
                program.kill()
                program.start()

    def restart_broker(self, *, politely: bool, away_s: float) -> None:
        broker = self._several.fleet.broker
        if politely:
            broker.stop()
        else:
            broker.kill()
        time.sleep(away_s)
        broker.start()

    def restart_database(self, away_s: float) -> None:
        self._database.kill()
        time.sleep(away_s)
        self._database.start()

    def freeze_database(self, seconds: float) -> None:
        self._database.freeze()
        time.sleep(seconds)
        self._database.thaw()
