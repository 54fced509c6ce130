"""Where the parts are put together: from a configuration to a running program."""

import asyncio
import contextlib
import errno
import gc
import logging
import signal
import socket
import sys
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import msgspec
import uvicorn
import uvloop

from propeller import __version__
from propeller.api.app import create_app
from propeller.core.cluster import Policy
from propeller.core.model import JobMode
from propeller.errors import CannotListen, PropellerError
from propeller.manager.hub import LocalFleet
from propeller.manager.service import Manager
from propeller.manager.supervisor import CommandLine, Supervisor
from propeller.store.sqlite import Durability, SqliteStore

_log = logging.getLogger(__name__)

_STOP_S_MAX = 5


class UpConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of ``propeller up``."""

    #: Name or address to listen on; ``""`` means all.
    host: str = "localhost"
    #: 0 takes a free one, which is printed.
    port: int = 7070
    data_dir: Path
    #: How many local proplets to start.
    proplets: int = 1
    #: How many guests each of them runs at once.
    concurrency: int = 4
    durability: Durability = "full"
    #: How often a task is run again after its proplet was lost.
    losses_max: int = 3
    #: Mode of a job that names none.
    job_mode: JobMode = JobMode.CONFIGURABLE
    #: How a local proplet's process is started; None for the real one.
    proplet_command: CommandLine | None = None


def up(config: UpConfig) -> int:
    """Run a manager and its local proplets until SIGINT or SIGTERM; return the exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    # Millions of live records make full collections long and pointless: ours hold no garbage cycles.
    gc.set_threshold(50_000, 20, 100)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(_serve(config))
        except PropellerError as error:
            print(f"error: {error}", file=sys.stderr)  # noqa: T201  the program's last words
            return 1
    return 0


async def _serve(config: UpConfig) -> None:
    listeners = _listen(config.host, config.port)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running_manager(config) as manager:
        server = _Server(
            uvicorn.Config(
                create_app(manager, instance_id=uuid.uuid4().hex),
                log_level="warning",
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=_STOP_S_MAX,
            )
        )
        serving = asyncio.create_task(server.serve(sockets=listeners))
        port = listeners[0].getsockname()[1]
        print(_banner(config, port), flush=True)  # noqa: T201
        gc.freeze()
        writing = manager.running
        waiting = asyncio.create_task(stop.wait())
        await asyncio.wait({waiting, writing, serving}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        manager.feed.close()
        server.should_exit = True
        await serving
        if writing.done():
            writing.result()


def _banner(config: UpConfig, port: int) -> str:
    host = config.host or "localhost"
    return (
        f"Propeller {__version__}: manager at http://{host}:{port}, its API at http://{host}:{port}/docs\n"
        f"  data in {config.data_dir}\n"
        f"  {config.proplets} local proplet(s), {config.concurrency} guests each\n"
        "  stop with Ctrl-C"
    )


@contextlib.asynccontextmanager
async def running_manager(config: UpConfig) -> AsyncIterator[Manager]:
    """Open the store, start the writer and the local proplets, and stop all of it in order."""
    store = SqliteStore(config.data_dir, durability=config.durability)
    try:
        policy = Policy(losses_max=config.losses_max, job_mode=config.job_mode)
        manager = Manager(store, policy=policy)
        await manager.load()
        fleet = LocalFleet(manager)
        manager.start()
        supervisor = Supervisor(fleet, _local_ids(manager, config.proplets), _command_line(config))
        await supervisor.start()
        try:
            yield manager
        finally:
            await supervisor.stop()
            await manager.stop()
    finally:
        await store.close()


def _local_ids(manager: Manager, count: int) -> list[str]:
    """The ids of earlier local proplets first, so that a proplet stays the same over restarts."""
    known = [proplet.id for proplet in manager.proplets() if proplet.is_local]
    return [*known, *(str(uuid.uuid4()) for _ in range(count - len(known)))][:count]


def _command_line(config: UpConfig) -> CommandLine:
    def real(proplet_id: str, descriptor: int) -> Sequence[str]:
        directory = config.data_dir / "proplets"
        program = [sys.executable, "-m", "propeller.proplet"]
        return [*program, str(descriptor), proplet_id, str(config.concurrency), str(directory)]

    return config.proplet_command or real


def _listen(host: str, port: int) -> list[socket.socket]:
    """Listen on all addresses that a host name has, on the same port."""
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise CannotListen(f"host {host} is not known: {error.strerror}; give another with --host") from error
    listeners: list[socket.socket] = []
    problem: OSError | None = None
    for family, kind, _, _, address in sorted(found):
        listener = socket.socket(family, kind)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((address[0], port, *address[2:]))
            listener.listen(2048)
        except OSError as error:
            listener.close()
            problem = error
            continue
        listeners.append(listener)
        port = port or listener.getsockname()[1]
    if not listeners or (problem is not None and problem.errno == errno.EADDRINUSE):
        for listener in listeners:
            listener.close()
        assert problem is not None
        raise CannotListen(
            f"can't listen on {host or '*'}:{port}: {problem.strerror}; "
            "stop what uses that port, or choose another with --port"
        )
    return listeners


class _Server(uvicorn.Server):
    """Leaves the signals to us."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
