"""The programs: each runs until SIGINT or SIGTERM and returns its exit code."""

import asyncio
import contextlib
import gc
import logging
import os
import sys
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from propeller import __version__
from propeller.api.app import create_app
from propeller.assembly.access import close_ways, refuse_unasked, ways_of
from propeller.assembly.front import Front
from propeller.assembly.lifetime import (
    give_up,
    on_hangup,
    raise_failure,
    raise_file_limit,
    stop_asked,
    until_over,
)
from propeller.assembly.logs import log_as_json, log_as_text
from propeller.assembly.manager_parts import ManagerParts, parts_of, running_manager
from propeller.assembly.proplet_parts import serve_proplet
from propeller.assembly.proxying import serve_proxy
from propeller.assembly.serving import guarded, listen, server_of, url_of
from propeller.config.settings import ManagerSettings, ProxySettings, RemotePropletSettings
from propeller.errors import PropellerError, Unavailable
from propeller.manager.keyring import Keyring
from propeller.runtime.heap import give_large_blocks_back

_log = logging.getLogger(__name__)


def up(parts: ManagerParts) -> int:
    """Run a manager and its local proplets."""
    log_as_text()
    return _run(_serve_manager(parts, lambda url: print(_banner(parts, url), flush=True)))  # noqa: T201


def manager(settings: ManagerSettings) -> int:
    """Run a manager for a fleet behind a broker."""
    log_as_json(settings.log_level)
    os.umask(0o077)
    parts = parts_of(settings)
    return _run(_serve_manager(parts, lambda url: _log.info("manager at %s, its API at %s/docs", url, url)))


def proplet(settings: RemotePropletSettings) -> int:
    """Run a proplet whose manager is behind a broker."""
    log_as_json(settings.log_level)
    return _run(serve_proplet(settings))


def proxy(settings: ProxySettings) -> int:
    """Fetch modules from registries for the proplets of a channel."""
    log_as_json(settings.log_level)
    os.umask(0o077)
    return _run(serve_proxy(settings))


def _run(program: Coroutine[Any, Any, None]) -> int:
    # Millions of live records make full collections long and pointless: ours hold no garbage cycles. Small
    # ones come often, as each of 50,000 new objects would hold up everybody for 27 ms.
    gc.set_threshold(10_000, 100, 100)
    # What works beside the loop holds it up for no longer than this at a time.
    sys.setswitchinterval(0.001)
    raise_file_limit()
    give_large_blocks_back()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(program)
        except PropellerError as error:
            print(f"error: {error}", file=sys.stderr)  # noqa: T201  the program's last words
            return 1
    return 0


async def _serve_manager(parts: ManagerParts, announce: Callable[[str], None]) -> None:
    if parts.postgres is not None:
        from propeller.assembly.several import serve_one_of_several  # noqa: PLC0415  others need no driver

        await serve_one_of_several(parts, announce)
        return
    stop = stop_asked()
    listeners = listen(parts.http.host, parts.http.port)
    refuse_unasked(parts.auth, listeners)
    front = Front(Unavailable("this manager is starting: it opens its store; ask again later"))
    keyring = Keyring()
    ways = ways_of(parts.auth, keyring, oidc=parts.oidc, certificates=parts.certificates)
    server = server_of(guarded(front, parts.http, listeners, keyring=keyring, ways=ways), parts.http)
    on_hangup(server.certificate)
    serving = asyncio.create_task(server.serve(sockets=listeners))
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(close_ways, ways)
        starting = asyncio.create_task(stack.enter_async_context(running_manager(parts)))
        vital: list[asyncio.Task[None]] = []
        try:
            await until_over(stop, [starting, serving])
            if starting.done():
                running, vital = starting.result()
                stack.push_async_callback(keyring.close)
                await keyring.open(running.store)
                front.alone(create_app(running, instance_id=_instance_id(parts), has_page=parts.has_page))
                announce(url_of(parts.http, listeners))
                gc.freeze()
                await until_over(stop, [*vital, serving])
                running.feed.close()
            else:
                await give_up(starting)
        finally:
            server.should_exit = True
            await serving
        raise_failure(vital)


def _instance_id(parts: ManagerParts) -> str:
    return parts.mqtt.entity_id if parts.mqtt else uuid.uuid4().hex


def _banner(parts: ManagerParts, url: str) -> str:
    beyond = f", and those behind {parts.mqtt.address}" if parts.mqtt else ""
    place, when = str(parts.data_dir), ""
    if parts.storage == "memory":
        place = "memory: nothing stays at the end"
    elif parts.postgres is not None:
        place, when = f"PostgreSQL: {parts.postgres.place}", ", while this manager leads"
    page = "open it in a browser to see what runs; " if parts.has_page else ""
    return (
        f"Propeller {__version__}: manager at {url}\n"
        f"  {page}its API is described at {url}/docs\n"
        f"  data in {place}\n"
        f"  {parts.proplets} local proplet(s), {parts.concurrency} guests each{when}{beyond}\n"
        "  stop with Ctrl-C"
    )
