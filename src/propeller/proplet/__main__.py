"""A local proplet: ``python -m propeller.proplet FD``, started by a manager; its input says the rest."""

import asyncio
import signal
import socket
import sys

import uvloop

from propeller.proplet.build import PropletParts, build_proplet, parts_from_json
from propeller.proplet.socket_uplink import SocketUplink
from propeller.runtime.heap import give_large_blocks_back


async def serve(descriptor: int, parts: PropletParts) -> None:
    leave = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leave.set)
    end = socket.socket(fileno=descriptor)
    end.setblocking(False)
    agent = build_proplet(parts, lambda listener: SocketUplink(listener, end))
    await agent.run(leave)


def main() -> None:
    # A service manager may signal all processes at once; the manager decides when its proplets stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    give_large_blocks_back()
    parts = parts_from_json(sys.stdin.buffer.read())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1]), parts))


if __name__ == "__main__":
    main()
