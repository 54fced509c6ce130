"""A local proplet: ``python -m propeller.proplet FD ID SLOTS DIRECTORY POLICY``, started by a manager."""

import asyncio
import os
import signal
import socket
import sys
import time
from pathlib import Path

import msgspec
import uvloop

from propeller.proplet.agent import Agent, Settings
from propeller.proplet.guests import guests_of, offer_of
from propeller.proplet.host import describe
from propeller.proplet.keys import refusal_of_encrypted
from propeller.proplet.machine import Machine
from propeller.proplet.metrics import Sampler
from propeller.proplet.module_store import ModuleStore
from propeller.proplet.profile import monitoring_of
from propeller.proplet.sandbox_policy import SandboxPolicy
from propeller.proplet.socket_uplink import SocketUplink
from propeller.proplet.tee import found_tee
from propeller.registry.fetcher import Fetcher
from propeller.registry.settings import RegistrySettings
from propeller.runtime.external.runtime import find_program
from propeller.runtime.heap import give_large_blocks_back

#: The manager beside it keeps every module anyway, and its proplets share one store.
_NO_BOUND = 2**63


async def serve(descriptor: int, proplet_id: str, slots: int, directory: Path, policy: SandboxPolicy) -> None:
    external = os.environ.get("PROPLET_EXTERNAL_WASM_RUNTIME", "")
    program = find_program(external)
    agent = Agent(
        # It ends with its manager, so nothing of a program before is left that could be owed.
        Machine(
            proplet_id,
            boot=time.time_ns(),
            slots=slots,
            refusal_of_encrypted=refusal_of_encrypted(found_tee(), os.environ.get("PROPLET_KBS_URI", "")),
            offer=offer_of(program, policy),
        ),
        settings=Settings(metadata=describe(wasm_runtime=external if program else ""), sandbox_policy=policy),
        modules=ModuleStore(directory, bytes_max=_NO_BOUND),
        fetcher=Fetcher(RegistrySettings(cache_dir=directory / "images")),
    )
    pool = guests_of(program, directory, size=slots, policy=policy, agent=agent)
    agent.sampler = Sampler(proplet_id, pool, agent.start_of, monitoring_of(os.environ))
    uplink = SocketUplink(agent)
    end = socket.socket(fileno=descriptor)
    end.setblocking(False)
    await agent.run(lambda: uplink.connect(end))


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
