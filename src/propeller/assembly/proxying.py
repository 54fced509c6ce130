"""Runs the proxy with its broker, its registries and its health page."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator

from propeller.assembly.fetching import fetcher_settings
from propeller.assembly.lifetime import raise_failure, stop_asked, until_over
from propeller.assembly.serving import listen, server_of, url_of
from propeller.config.settings import HttpSettings, ProxySettings
from propeller.mqtt.link import Link
from propeller.proxy.health import health
from propeller.proxy.service import REQUEST_TOPICS, Proxy
from propeller.registry.fetcher import Fetcher

_log = logging.getLogger(__name__)


async def serve_proxy(settings: ProxySettings) -> None:
    stop = stop_asked()
    listeners = listen(settings.http.host, settings.http.port)
    fetcher = Fetcher(fetcher_settings(settings.registry))

    def received(topic: str, payload: bytes) -> None:
        proxy.received(topic, payload)

    link = Link(settings.mqtt, topics=REQUEST_TOPICS, on_message=received)
    proxy = Proxy(
        fetcher, link.publish, link.drained, chunk_bytes=settings.chunk_size, room=lambda: link.room_bytes
    )
    await link.start()
    vital = [link.running]
    try:
        async with serving_health(settings.http, listeners):
            _log.info(
                "proxy for %s, its health at %s/health", settings.mqtt.base, url_of(settings.http, listeners)
            )
            await until_over(stop, vital)
    finally:
        await proxy.close()
        await fetcher.close()
        await link.stop()
    raise_failure(vital)


@contextlib.asynccontextmanager
async def serving_health(http: HttpSettings, listeners: list[socket.socket]) -> AsyncIterator[None]:
    """Answer on these sockets that the proxy runs."""
    server = server_of(health, http, stop_s_max=1)
    serving = asyncio.create_task(server.serve(sockets=listeners))
    try:
        yield
    finally:
        server.should_exit = True
        await serving
