"""An issuer of OpenID Connect: what it says of itself, and the keys that it signs with at present.

It is asked when a token comes that no known key has signed, and every ten minutes. While it is away, the keys
that are known go on to count.
Source: OpenID Connect Discovery 1.0, 4; RFC 7517, 5.
"""

import asyncio
import contextlib
import logging
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
from joserfc.jwk import Key

from propeller import __version__
from propeller.access.oidc import Head, fitting, keys_from
from propeller.errors import Unauthenticated, Unavailable

_log = logging.getLogger(__name__)

#: How long keys count before they are fetched anew, s.
KEEP_S = 600.0
#: The shortest time between two looks for a key that is not known, s; and while there is none at all.
AGAIN_S = 60.0
AGAIN_S_AT_FIRST = 5.0
#: How long the issuer may take for one answer, s, and how large that may be.
_ANSWER_S_MAX = 5.0
_ANSWER_BYTES_MAX = 1024 * 1024
_FAULTS = (httpx.HTTPError, httpx.InvalidURL, msgspec.MsgspecError, ValueError, OSError, TimeoutError)


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """What an issuer says of itself; an address is ``""`` if it has none."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    device_authorization_endpoint: str = ""


class Issuer:
    """Asks one issuer, and keeps what it said."""

    def __init__(
        self,
        address: str,
        *,
        trusted: ssl.SSLContext | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin without keys.

        Args:
            address: The issuer, as its tokens name it.
            trusted: What its certificate is checked with; None for the system's.
            now: A clock that never goes back, s.

        """
        self.address = address
        #: Grows with each new set of keys.
        self.generation = 0
        self._now = now
        self._keys: tuple[Key, ...] = ()
        self._metadata: Metadata | None = None
        self._fetched_at = 0.0
        self._tried_at: float | None = None
        self._trouble = ""
        self._fetching: asyncio.Task[None] | None = None
        self._client = httpx.AsyncClient(
            verify=trusted or ssl.create_default_context(),
            timeout=_ANSWER_S_MAX,
            trust_env=False,
            headers={"User-Agent": f"propeller/{__version__}", "Accept": "application/json"},
        )

    async def close(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait({self._fetching})
        await self._client.aclose()

    async def keys_for(self, head: Head) -> list[Key]:
        """Give the keys that a token with this head may be signed with.

        Raises:
            Unauthenticated: The issuer publishes no such key.
            Unavailable: It does not answer, and no such key is known.

        """
        self.look_soon()
        found = fitting(self._keys, head)
        if not found and (self._fetching is not None or self._may_try()):
            await self._fetched()
            found = fitting(self._keys, head)
        if found:
            return found
        if self._trouble:
            raise Unavailable(self._away())
        named = f"the key {head.key_id[:80]!r}" if head.key_id else "a key"
        raise Unauthenticated(
            f"token: it is signed with {named} for {head.algorithm}, which {self.address} does not publish"
        )

    def look_soon(self) -> None:
        """Ask for the keys anew, beside what is under way, if those that are known are old."""
        if self._keys and self._now() - self._fetched_at > KEEP_S and self._may_try():
            self._fetch()

    async def metadata(self) -> Metadata:
        """Give what the issuer says of itself; raise ``Unavailable`` where that is not known."""
        if self._metadata is None and (self._fetching is not None or self._may_try()):
            await self._fetched()
        if self._metadata is None:
            raise Unavailable(self._away())
        return self._metadata

    async def post(
        self, address: str, form: Mapping[str, str], secret: tuple[str, str] | None
    ) -> dict[str, Any]:
        """Send a form to one of the issuer's addresses, and give its answer.

        Args:
            address: One of those of its metadata.
            form: The fields.
            secret: The id of the client and its secret; None for a client without one.

        Raises:
            Unauthenticated: It refuses that.
            Unavailable: It does not answer.

        """
        auth = httpx.BasicAuth(*secret) if secret else httpx.USE_CLIENT_DEFAULT
        try:
            status, found = await self._read(
                self._client.build_request("POST", self._checked(address), data=dict(form)), auth
            )
        except _FAULTS as error:
            raise Unavailable(
                f"the issuer {self.address} does not answer: {_words(error)}; ask again"
            ) from error
        if status != 200:
            told = found.get("error_description") or found.get("error") or f"status {status}"
            raise Unauthenticated(f"{self.address} refuses it: {str(told)[:200]}")
        return found

    # -- asking --------------------------------------------------------------------------------------------

    def _may_try(self) -> bool:
        if self._tried_at is None:
            return True
        return self._now() - self._tried_at >= (AGAIN_S if self._keys else AGAIN_S_AT_FIRST)

    def _fetch(self) -> "asyncio.Task[None]":
        """Begin to fetch the keys, unless that is under way."""
        if self._fetching is None:
            self._tried_at = self._now()
            self._fetching = asyncio.create_task(self._take_in())
        return self._fetching

    async def _fetched(self) -> None:
        """Fetch the keys, or wait for somebody's attempt to; whoever gives up does not end it for others."""
        await asyncio.shield(self._fetch())

    async def _take_in(self) -> None:
        try:
            metadata = await self._discovered()
            keys = keys_from(await self._get(metadata.jwks_uri))
        except _FAULTS as error:
            self._trouble = _words(error)
            kept = "the keys that are known go on to count" if self._keys else "nobody can sign in by it"
            _log.warning(
                "the issuer %s can't be asked for its keys (%s); %s", self.address, self._trouble, kept
            )
        else:
            self._metadata, self._keys, self._trouble = metadata, keys, ""
            self._fetched_at = self._now()
            self.generation += 1
        finally:
            self._fetching = None

    async def _discovered(self) -> Metadata:
        document = await self._get(f"{self.address.rstrip('/')}/.well-known/openid-configuration")
        metadata = msgspec.convert(document, Metadata)
        if metadata.issuer != self.address:
            raise ValueError(
                f"it calls itself {metadata.issuer[:200]!r}, and has to be called {self.address!r}"
            )
        return metadata

    async def _get(self, address: str) -> dict[str, Any]:
        status, found = await self._read(self._client.build_request("GET", self._checked(address)))
        if status != 200:
            raise ValueError(f"{address[:200]} answers with status {status}")
        return found

    async def _read(
        self, request: httpx.Request, auth: Any = httpx.USE_CLIENT_DEFAULT
    ) -> tuple[int, dict[str, Any]]:
        """Give status and JSON of an answer that is small and comes soon; a redirect is not followed."""
        async with asyncio.timeout(_ANSWER_S_MAX):
            response = await self._client.send(request, stream=True, auth=auth)
            body = b""
            try:
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > _ANSWER_BYTES_MAX:
                        raise ValueError(f"its answer is larger than {_ANSWER_BYTES_MAX} bytes")
            finally:
                await response.aclose()
        found: object = None
        with contextlib.suppress(msgspec.MsgspecError, ValueError, RecursionError):
            found = msgspec.json.decode(body)
        if not isinstance(found, dict):
            raise ValueError(f"it answers with status {response.status_code} and what is no JSON object")  # noqa: TRY004  one kind for all that is wrong with an answer
        return response.status_code, found

    def _checked(self, address: str) -> str:
        """Refuse to send anything in the clear that was to be sent by HTTPS."""
        wanted = urlsplit(self.address).scheme
        if urlsplit(address).scheme not in ("https", wanted):
            raise ValueError(f"it names {address[:200]!r}, which is no {wanted} address")
        return address

    def _away(self) -> str:
        return (
            f"the issuer {self.address} does not answer ({self._trouble or 'it is being asked'}), so nobody "
            "can be known by its tokens now; ask again later"
        )


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
