"""A proplet that answers at once without Wasm, to see the manager alone: its command line is FD ID."""

import asyncio
import socket
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from propeller.proplet.agent import Agent, Settings
from propeller.proplet.machine import Machine
from propeller.proplet.module_store import ModuleStore
from propeller.proplet.socket_uplink import SocketUplink
from propeller.registry.fetcher import Fetcher
from propeller.registry.settings import RegistrySettings
from propeller.runtime.guest_run import Ended, GuestRun


class InstantGuests:
    """Ends each run in the moment it is submitted."""

    waiting = 0

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    def submit(self, runs: list[GuestRun]) -> None:
        now = time.time_ns()
        ended = [Ended(run.key, "0\n", None, now, now) for run in runs]
        asyncio.get_running_loop().call_soon(self._agent.guests_ended, ended)

    def stop(self, key: int) -> None:
        pass

    def withdraw(self, older_than_s: float) -> list[int]:
        return []


async def serve(descriptor: int, proplet_id: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        agent = Agent(
            Machine(proplet_id, boot=time.time_ns(), slots=4),
            settings=Settings(),
            modules=ModuleStore(directory, bytes_max=2**30),
            fetcher=Fetcher(RegistrySettings(cache_dir=directory / "images")),
        )
        agent.guests = InstantGuests(agent)
        uplink = SocketUplink(agent)
        end = socket.socket(fileno=descriptor)
        end.setblocking(False)
        await agent.run(lambda: uplink.connect(end))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1]), sys.argv[2]))
