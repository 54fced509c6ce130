"""The programs: each runs until SIGINT or SIGTERM and returns its exit code."""

import asyncio
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
from propeller.assembly.lifetime import raise_failure, raise_file_limit, stop_asked, until_over
from propeller.assembly.logs import log_as_json, log_as_text
from propeller.assembly.proxying import serve_proxy
from propeller.assembly.remote_proplet import serve_proplet
from propeller.assembly.serving import guarded, listen, server_of, url_of
from propeller.assembly.site import Site, running_manager
from propeller.config.settings import ManagerSettings, PropletSettings, ProxySettings
from propeller.core.placement import Order
from propeller.core.policy import Policy
from propeller.errors import PropellerError
from propeller.runtime.heap import give_large_blocks_back

_log = logging.getLogger(__name__)


def up(site: Site) -> int:
    """Run a manager and its local proplets."""
    log_as_text()
    return _run(_serve_site(site, lambda url: print(_banner(site, url), flush=True)))  # noqa: T201


def manager(settings: ManagerSettings) -> int:
    """Run a manager for a fleet behind a broker."""
    log_as_json(settings.log_level)
    os.umask(0o077)
    site = Site(
        http=settings.http,
        data_dir=settings.data_dir,
        durability=settings.durability,
        proplets=0,
        mqtt=settings.mqtt,
        allow_foreign=settings.allow_foreign,
        keep_ended_s=settings.keep_ended_s,
        policy=Policy(
            losses_max=settings.losses_max,
            liveness_s=settings.liveness_s,
            forget_s=settings.forget_after_s,
            foreign_lease_s=settings.foreign_lease_s,
            placement=Order(settings.placement),
            job_mode=settings.job_mode,
        ),
    )
    return _run(_serve_site(site, lambda url: _log.info("manager at %s, its API at %s/docs", url, url)))


def proplet(settings: PropletSettings) -> int:
    """Run a proplet that has its manager behind a broker."""
    log_as_json(settings.log_level)
    return _run(serve_proplet(settings))


def proxy(settings: ProxySettings) -> int:
    """Fetch modules from registries for the proplets of a channel."""
    log_as_json(settings.log_level)
    os.umask(0o077)
    return _run(serve_proxy(settings))


def _run(program: Coroutine[Any, Any, None]) -> int:
    # Millions of live records make full collections long and pointless: ours hold no garbage cycles.
    gc.set_threshold(50_000, 20, 100)
    raise_file_limit()
    give_large_blocks_back()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(program)
        except PropellerError as error:
            print(f"error: {error}", file=sys.stderr)  # noqa: T201  the program's last words
            return 1
    return 0


async def _serve_site(site: Site, announce: Callable[[str], None]) -> None:
    listeners = listen(site.http.host, site.http.port)
    stop = stop_asked()
    async with running_manager(site) as (running, vital):
        app = create_app(running, instance_id=_instance_id(site))
        server = server_of(guarded(app, site.http, listeners), site.http)
        serving = asyncio.create_task(server.serve(sockets=listeners))
        announce(url_of(site.http, listeners))
        gc.freeze()
        await until_over(stop, [*vital, serving])
        running.feed.close()
        server.should_exit = True
        await serving
        raise_failure(vital)


def _instance_id(site: Site) -> str:
    return site.mqtt.entity_id if site.mqtt else uuid.uuid4().hex


def _banner(site: Site, url: str) -> str:
    beyond = f", and those behind {site.mqtt.address}" if site.mqtt else ""
    return (
        f"Propeller {__version__}: manager at {url}, its API at {url}/docs\n"
        f"  data in {site.data_dir}\n"
        f"  {site.proplets} local proplet(s), {site.concurrency} guests each{beyond}\n"
        "  stop with Ctrl-C"
    )
