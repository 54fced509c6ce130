"""A proplet that answers at once without Wasm, to see the manager alone: its command line is FD ID."""

import asyncio
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from propeller.proplet.agent import Agent, Settings
from propeller.proplet.guests import GuestListener
from propeller.proplet.machine import Machine
from propeller.proplet.module_store import ModuleStore
from propeller.proplet.profile import Monitoring
from propeller.proplet.socket_uplink import SocketUplink
from propeller.registry.fetcher import Fetcher
from propeller.registry.settings import RegistrySettings
from propeller.runtime.guest_run import Ended, GuestRun
from propeller.vault.sealing import Opener


class InstantGuests:
    """Ends each run in the moment it is submitted."""

    waiting = 0

    def __init__(self, listener: GuestListener) -> None:
        self._listener = listener

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    def submit(self, runs: list[GuestRun]) -> None:
        now = time.time_ns()
        ended = [Ended(run.key, "0\n", None, now, now) for run in runs]
        asyncio.get_running_loop().call_soon(self._listener.guests_ended, ended)

    def stop_run(self, key: int) -> None:
        pass

    def withdraw(self, older_than_s: float) -> list[int]:
        return []

    def served(self) -> dict[int, tuple[int, int]]:
        return {}

    def executing(self) -> dict[int, int]:
        return {}

    def processes(self) -> list[int]:
        return []


async def serve(descriptor: int, proplet_id: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        end = socket.socket(fileno=descriptor)
        end.setblocking(False)
        opener = Opener()
        agent = Agent(
            Machine(proplet_id, boot=time.time_ns(), slots=4, sealing_key=opener.public_key),
            settings=Settings(
                monitoring=Monitoring(enabled=False), metadata={"sealing_key": opener.public_key}
            ),
            modules=ModuleStore(directory, bytes_max=2**30),
            fetcher=Fetcher(RegistrySettings(cache_dir=directory / "images")),
            make_guests=InstantGuests,
            make_uplink=lambda listener: SocketUplink(listener, end),
            opener=opener,
        )
        leave = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leave.set)
        await agent.run(leave)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1]), sys.argv[2]))
