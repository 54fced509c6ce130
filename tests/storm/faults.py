"""What goes wrong in a storm, one thing at a time, at random."""

import contextlib
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import psutil

FORK_SERVER = "propeller.runtime.runner.forkserver"


class Faults:
    """Does harm to a world; what it did is counted by kind."""

    def __init__(self, world: Any, seed: int, on_restart: Callable[[], None]) -> None:
        self._world = world
        self._random = random.Random(seed)
        self._on_restart = on_restart
        self.done: Counter[str] = Counter()
        #: Each lets a stopped process go on.
        self._stopped: list[threading.Timer] = []
        self._kinds: dict[str, Callable[[], None]] = {
            "manager killed": self._kill_manager,
            "manager stopped for a while": self._stop_manager,
            "proplet killed": self._kill_proplet,
            "proplet stopped for a while": self._stop_proplet,
            "fork server killed": self._kill_fork_server,
        }
        if world.name == "managers":
            self._kinds["database killed"] = lambda: world.restart_database(self._away())
            self._kinds["database stopped for a while"] = lambda: world.freeze_database(self._away())
        else:
            self._kinds["manager's clock moved"] = self._move_clock
        if world.name in ("fleet", "managers"):
            self._kinds["broker killed"] = lambda: self._restart_broker(politely=False)
            self._kinds["broker stopped and started"] = lambda: self._restart_broker(politely=True)

    def run(self, seconds: float) -> None:
        """Do one thing after the other, each kind about as often, and each at least once."""
        until = time.monotonic() + seconds
        while time.monotonic() < until or self.done.keys() != self._kinds.keys():
            for kind in self._random.sample(list(self._kinds), len(self._kinds)):
                if time.monotonic() >= until and kind in self.done:
                    continue
                time.sleep(self._random.uniform(0.2, 2))
                with contextlib.suppress(psutil.NoSuchProcess):
                    self._kinds[kind]()
                    self.done[kind] += 1
        for going_on in self._stopped:
            going_on.join()

    def _kill_manager(self) -> None:
        self._world.restart_manager()
        self._on_restart()

    def _stop_manager(self) -> None:
        self._stop(self._world.manager(), self._random.choice((1, 3, 12)))

    def _stop_proplet(self) -> None:
        self._stop(self._any_proplet(), self._random.choice((0.5, 3)))

    def _stop(self, pid: int, seconds: float) -> None:
        """Stop a process for a while, and do further harm meanwhile."""
        process = psutil.Process(pid)
        process.send_signal(signal.SIGSTOP)
        going_on = threading.Timer(seconds, self._go_on, (process,))
        going_on.start()
        self._stopped.append(going_on)

    @staticmethod
    def _go_on(process: psutil.Process) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGCONT)

    def _move_clock(self) -> None:
        self._world.clock.move(self._random.choice((3600, -7200, -30, 30)))

    def _kill_proplet(self) -> None:
        self._world.kill_proplet(self._any_proplet())

    def _kill_fork_server(self) -> None:
        for child in psutil.Process(self._any_proplet()).children():
            if FORK_SERVER in child.cmdline():
                child.kill()

    def _any_proplet(self) -> int:
        found = self._world.proplets()
        if not found:
            raise psutil.NoSuchProcess(0)
        return int(self._random.choice(found))

    def _restart_broker(self, *, politely: bool) -> None:
        self._world.restart_broker(politely=politely, away_s=self._away())

    def _away(self) -> float:
        return self._random.choice((0.1, 2, 12))
