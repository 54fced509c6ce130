"""Keeping the local proplets running: starting them, starting them anew when they die, stopping them."""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Sequence
from typing import NamedTuple

from propeller.backoff import Backoff
from propeller.manager.local_fleet import LocalFleet

_log = logging.getLogger(__name__)

_BACKOFF = Backoff(0.125, 5.0, factor=4)
_HEALTHY_AFTER_S = 10.0
#: How long a proplet may take to give back its work.
_GRACE_S = 5.0


class Launch(NamedTuple):
    """The way to start the process of a proplet."""

    command: Sequence[str]
    #: For its standard input, where nobody else can read secrets.
    settings: bytes = b""


#: From a proplet's id and the number of the inherited socket to the way to start it.
LaunchOf = Callable[[str, int], Launch]


class Supervisor:
    """One child process for each proplet id."""

    def __init__(self, fleet: LocalFleet, proplet_ids: Sequence[str], launch_of: LaunchOf) -> None:
        self._fleet = fleet
        self._ids = proplet_ids
        self._launch_of = launch_of
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._watching: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        if self._watching:
            return
        for proplet_id in self._ids:
            await self._spawn(proplet_id)
            self._watching.append(asyncio.create_task(self._watch(proplet_id)))

    async def stop(self) -> None:
        """Ask all to give back their work and end; kill those that do not in time."""
        for watching in self._watching:
            watching.cancel()
        running = [process for process in self._processes.values() if process.returncode is None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        ending = [asyncio.create_task(process.wait()) for process in running]
        if ending:
            await asyncio.wait(ending, timeout=_GRACE_S)
        for process in running:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _spawn(self, proplet_id: str) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            with theirs:
                launch = self._launch_of(proplet_id, theirs.fileno())
                # In a session, and so a process group, of its own: a terminal sends Ctrl-C to all programs of
                # the group in its foreground, and would break off its start.
                process = await asyncio.create_subprocess_exec(
                    *launch.command,
                    pass_fds=[theirs.fileno()],
                    stdin=asyncio.subprocess.PIPE,
                    start_new_session=True,
                )
                self._processes[proplet_id] = process
            assert process.stdin is not None
            if not process.stdin.is_closing():  # it may have died already, as ``_watch`` sees
                process.stdin.write(launch.settings)
                process.stdin.close()
            await self._fleet.attach(ours)
        except BaseException:
            ours.close()
            raise

    async def _watch(self, proplet_id: str) -> None:
        """Start the process anew whenever it ends, more slowly when it keeps ending."""
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            began = loop.time()
            code = await self._processes[proplet_id].wait()
            failures = 0 if loop.time() - began > _HEALTHY_AFTER_S else failures
            # Code 0: it was asked to stop, and so will this program be, if a service was stopped.
            delay_s = 1.0 if code == 0 else _back_off_s(failures)
            failures += 1
            _log.log(
                logging.INFO if code == 0 else logging.WARNING,
                "proplet %s ended with code %s; started anew in %g s",
                proplet_id,
                code,
                delay_s,
            )
            await asyncio.sleep(delay_s)
            while not await self._is_spawned(proplet_id):
                failures += 1
                await asyncio.sleep(_back_off_s(failures))

    async def _is_spawned(self, proplet_id: str) -> bool:
        try:
            await self._spawn(proplet_id)
        except OSError as error:
            _log.warning("proplet %s can't be started, tried again soon: %s", proplet_id, error.strerror)
            return False
        return True


def _back_off_s(failures: int) -> float:
    """Wait not at all after a first failure: it may have been an accident."""
    return _BACKOFF.delay_s(failures - 1) if failures else 0.0
