"""A local proplet's process: ``python -m propeller.proplet FD ID SLOTS DIRECTORY``, started by a manager."""

import asyncio
import signal
import socket
import sys
from pathlib import Path

import uvloop

from propeller.proplet.agent import Agent
from propeller.runtime.pool import Pool


async def serve(descriptor: int, proplet_id: str, slots: int, directory: Path) -> None:
    agent = Agent(proplet_id, slots=slots, directory=directory)
    agent.guests = Pool(directory, size=slots, on_ended=agent.guests_ended)
    end = socket.socket(fileno=descriptor)
    end.setblocking(False)
    await agent.run(end)


def main() -> None:
    # Ctrl-C reaches the whole process group; the manager decides when its proplets stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    descriptor, proplet_id, slots, directory = sys.argv[1:]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(descriptor), proplet_id, int(slots), Path(directory)))


if __name__ == "__main__":
    main()
