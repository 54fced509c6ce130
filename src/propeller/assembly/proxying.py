"""Runs the proxy with its broker, its registries and its health page."""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import AsyncIterator

from propeller.assembly.fetching import fetcher_settings
from propeller.assembly.lifetime import raise_failure, stop_asked, until_over
from propeller.assembly.serving import listen, server_of, url_of
from propeller.config.settings import HttpSettings, ProxySettings
from propeller.mqtt.link import Link
from propeller.proxy.health import health
from propeller.proxy.service import REQUEST_TOPICS, Proxy, Seal
from propeller.proxy.start import next_start
from propeller.registry.fetcher import Fetcher
from propeller.wire.fleet.signing import Sealer

_log = logging.getLogger(__name__)


async def serve_proxy(settings: ProxySettings) -> None:
    stop = stop_asked()
    listeners = listen(settings.http.host, settings.http.port)
    fetcher = Fetcher(fetcher_settings(settings.registry))

    def received(topic: str, payload: bytes) -> None:
        proxy.received(topic, payload)

    link = Link(settings.mqtt, topics=REQUEST_TOPICS, on_message=received)
    proxy = Proxy(
        fetcher,
        link.publish,
        link.drained,
        chunk_bytes=settings.chunk_size,
        room=lambda: link.room_bytes,
        seal=_seal_of(settings),
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


def _seal_of(settings: ProxySettings) -> Seal | None:
    """Give what signs answers; None without a key."""
    if not settings.mqtt.signing_key:
        return None
    from propeller.wire.fleet.keys import PrivateKey  # noqa: PLC0415  others need no keys

    sealer = Sealer(PrivateKey(settings.mqtt.signing_key), settings.mqtt.base)
    start = next_start(settings.registry.cache_dir)

    def seal(topic: str, line: bytes, boot: int) -> bytes:
        return sealer.sealed(topic, [line], to=boot, session=start, at=time.monotonic_ns())

    return seal


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
