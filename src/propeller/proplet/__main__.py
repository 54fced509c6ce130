"""A local proplet: ``python -m propeller.proplet FD ID SLOTS DIRECTORY POLICY``, started by a manager."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import msgspec
import uvloop

from propeller.proplet.build import PropletParts, build_proplet
from propeller.proplet.profile import monitoring_of
from propeller.proplet.sandbox_policy import SandboxPolicy
from propeller.proplet.socket_uplink import SocketUplink
from propeller.registry.settings import RegistrySettings
from propeller.runtime.heap import give_large_blocks_back

#: The manager beside it keeps every module anyway, and its proplets share one store.
_NO_BOUND = 2**63


async def serve(descriptor: int, proplet_id: str, slots: int, directory: Path, policy: SandboxPolicy) -> None:
    parts = PropletParts(
        id=proplet_id,
        slots=slots,
        directory=directory,
        registry=RegistrySettings(cache_dir=directory / "images"),
        sandbox_policy=policy,
        monitoring=monitoring_of(os.environ),
        external_runtime=os.environ.get("PROPLET_EXTERNAL_WASM_RUNTIME", ""),
        kbs_uri=os.environ.get("PROPLET_KBS_URI", ""),
        modules_bytes_max=_NO_BOUND,
    )
    end = socket.socket(fileno=descriptor)
    end.setblocking(False)
    agent = build_proplet(parts, lambda listener: SocketUplink(listener, end))
    await agent.run(leave_on=[signal.SIGTERM])


def main() -> None:
    # Ctrl-C reaches the whole process group; the manager decides when its proplets stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    give_large_blocks_back()
    descriptor, proplet_id, slots, directory, policy = sys.argv[1:]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        settings = msgspec.json.decode(policy, type=SandboxPolicy)
        runner.run(serve(int(descriptor), proplet_id, int(slots), Path(directory), settings))


if __name__ == "__main__":
    main()
