"""The two forms of a system: all on one machine, or a fleet behind a broker; and its processes, to do harm to."""

import os
import time
from pathlib import Path
from typing import Protocol

import psutil

from tests.e2e.fleet.harness import Fleet
from tests.e2e.local.harness import System

#: Losses are what a storm is made of: none must end a task.
LOSSES_MAX = "100000"


class World(Protocol):
    name: str

    def begin(self) -> None: ...
    def end(self) -> None: ...
    @property
    def url(self) -> str: ...
    def manager(self) -> int: ...
    def restart_manager(self) -> None: ...
    def proplets(self) -> list[int]: ...
    def kill_proplet(self, pid: int) -> None: ...
    def restart_broker(self, *, politely: bool, away_s: float) -> None: ...


class FalseClock:
    """A clock for the manager that can be moved while it runs."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "clock"
        self._offset_s = 0
        self.move(0)

    def move(self, by_s: int) -> None:
        self._offset_s += by_s
        self._file.write_text(f"{self._offset_s:+d}")

    def env(self) -> dict[str, str]:
        (library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


class Embedded:
    """``propeller up``: its proplets end with it."""

    name = "embedded"

    def __init__(self, directory: Path) -> None:
        self.clock = FalseClock(directory)
        self._system = System(directory / "data", "--max-losses", LOSSES_MAX)

    def begin(self) -> None:
        self._system.up(env={**os.environ, **self.clock.env()})

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
        self._fleet = Fleet(directory, proplets=2)

    def begin(self) -> None:
        self._fleet.broker.start()
        self._fleet.start_manager(*self._flags, **self.clock.env())
        for section in self._fleet.sections:
            self._fleet.start_proplet(section)
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
        self._fleet.start_manager(*self._flags, **self.clock.env())

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
