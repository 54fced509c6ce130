"""The API of a manager that asks for tokens."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx

from propeller.access.making import RANDOM_BYTES, new_token
from propeller.access.principal import LOCAL
from propeller.api.app import create_app
from propeller.api.authentication import Authentication, TokenWay
from propeller.api.sessions import SessionWay
from propeller.manager.keyring import Keyring
from propeller.manager.service import Manager
from tests.api.helpers import Site, a_manager, bound_server

#: ns since 1970; the clock of a keyring stands there until it is set.
NOW = 1_777_885_811 * 10**9


class Clock:
    """The time of day, as a test sets it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


class Guarded(Site):
    """A site whose manager knows its callers by tokens."""

    def __init__(self, manager: Manager, http: httpx.AsyncClient, keyring: Keyring, clock: Clock) -> None:
        super().__init__(manager, http)
        self.keyring = keyring
        self.clock = clock
        self._made = 0

    async def token(
        self, role: str = "admin", *, name: str = "", namespaces=None, expires_at: int = 0
    ) -> str:
        """Make a token, and give its text."""
        self._made += 1
        token, text = new_token(
            LOCAL,
            name=name or role,
            role=role,
            namespaces=namespaces,
            now=self.clock.now,
            expires_at=expires_at,
            random=self._made.to_bytes(RANDOM_BYTES, "little"),
        )
        await self.keyring.add(token)
        return text

    def use(self, text: str) -> None:
        """Send this token from now on; ``""`` for none."""
        self.http.headers.pop("authorization", None)
        if text:
            self.http.headers["authorization"] = f"Bearer {text}"


def app_of(manager: Manager, keyring: Keyring) -> Authentication:
    ways = [TokenWay(keyring), SessionWay(keyring)]
    return Authentication(create_app(manager, instance_id="i"), keyring=keyring, ways=ways)


@contextlib.asynccontextmanager
async def guarded(directory, *, is_served: bool = False) -> AsyncIterator[Guarded]:
    """Give a site; served over a real socket, which is what streams need, or in this process."""
    clock = Clock()
    keyring = Keyring(clock)
    async with a_manager(directory) as manager:
        await keyring.open(manager.store)
        app = app_of(manager, keyring)
        try:
            if is_served:
                async with bound_server(app) as http:
                    yield Guarded(manager, http, keyring, clock)
            else:
                transport = httpx.ASGITransport(app=app)
                async with httpx.AsyncClient(transport=transport, base_url="http://manager") as http:
                    yield Guarded(manager, http, keyring, clock)
        finally:
            await keyring.close()


def play_guarded(part, directory, *, is_served: bool = False) -> None:
    async def scene() -> None:
        async with guarded(directory, is_served=is_served) as site:
            await part(site)

    asyncio.run(scene())
