"""A manager that knows people by a real issuer, put together from its settings."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import NamedTuple

import httpx

from propeller.api.app import create_app
from propeller.assembly.access import close_ways, ways_of
from propeller.assembly.serving import guarded, listen, server_of
from propeller.config.definitions import MANAGER
from propeller.config.programs import manager_settings
from propeller.config.sources import resolve
from propeller.manager.keyring import Keyring
from tests.api.helpers import a_manager
from tests.parts.issuer import AUDIENCE, CLIENT, RealIssuer


class At(NamedTuple):
    """Where the manager answers."""

    url: str
    http: httpx.AsyncClient

    async def get(self, path, token="", **more):
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return await self.http.get(path, headers=headers, **more)


def environ_for(issuer: RealIssuer, **more: str) -> dict[str, str]:
    return {
        "MANAGER_AUTH": "tokens,oidc",
        "MANAGER_OIDC_ISSUER": issuer.address,
        "MANAGER_OIDC_AUDIENCE": AUDIENCE,
        "MANAGER_OIDC_CLIENT_ID": CLIENT,
        "MANAGER_OIDC_NAMESPACES_CLAIM": "namespaces",
    } | more


@contextlib.asynccontextmanager
async def serving(directory, port: int, environ: dict[str, str]) -> AsyncIterator[At]:
    """Serve the API as the settings say, on this port of loopback."""
    settings = manager_settings(resolve(MANAGER, environ), environ, has_broker=False)
    keyring = Keyring()
    ways = ways_of(settings.auth, keyring, oidc=settings.oidc)
    listeners = listen("127.0.0.1", port)
    async with a_manager(directory) as manager:
        await keyring.open(manager.store)
        app = create_app(manager, instance_id="i")
        server = server_of(guarded(app, settings.http, listeners, keyring=keyring, ways=ways), settings.http)
        running = asyncio.create_task(server.serve(sockets=listeners))
        url = f"http://127.0.0.1:{port}"
        try:
            async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as http:
                yield At(url, http)
        finally:
            server.should_exit = True
            await running
            await keyring.close()
            await close_ways(ways)
