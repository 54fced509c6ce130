"""The registries' HTTP API: manifests and blobs, with the credentials that each registry wants."""

import hashlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from propeller.errors import ModuleUnavailable
from propeller.registry.authorization import authorization
from propeller.registry.cache import Draft
from propeller.registry.challenge import parse_challenges
from propeller.registry.manifests import ACCEPT, Descriptor
from propeller.registry.reference import Reference
from propeller.registry.settings import RegistrySettings, netloc
from propeller.registry.web import Web, pieces, read_whole, status_line

_MANIFEST_BYTES_MAX = 4 << 20
_AUTHORIZATIONS_MAX = 1000
_BLOBS = "blobs/"


class NoSuchImage(ModuleUnavailable):
    """The registry does not have the image."""


class Images:
    """Makes single requests to registries, and reuses the authorization that worked last."""

    def __init__(self, settings: RegistrySettings, tls: ssl.SSLContext) -> None:
        self._settings = settings
        self._tls = tls
        #: The header by host and repository.
        self._authorizations: dict[tuple[str, str], str] = {}

    async def manifest(self, reference: Reference, expected: Descriptor | None = None) -> bytes:
        """Ask for the manifest of a tag or digest.

        Args:
            reference: Which one.
            expected: What an index says of it.

        Raises:
            ModuleUnavailable: There is none, it is not given, or it is not the one that was asked for.

        """
        async with self._get(reference, f"manifests/{reference.version}", ACCEPT) as response:
            answer = await read_whole(response, bytes_max=_MANIFEST_BYTES_MAX)
        found = f"sha256:{hashlib.sha256(answer.body).hexdigest()}"
        said = reference.digest or answer.headers.get("docker-content-digest", found)
        if said != found and said.startswith("sha256:"):
            raise ModuleUnavailable(
                f"the manifest of {reference} is damaged: its digest is {found}, not {said}"
            )
        if expected is not None and expected.size != len(answer.body):
            raise ModuleUnavailable(
                f"the manifest of {reference} has {len(answer.body)} bytes, its index says {expected.size}"
            )
        return answer.body

    async def blob(self, reference: Reference, layer: Descriptor, draft: Draft) -> None:
        """Write a layer to the draft; raise ``ModuleUnavailable`` if it is not what the manifest says."""
        async with self._get(reference, f"{_BLOBS}{layer.digest}", "*/*") as response:
            # One byte more than expected is enough to know.
            async for piece in pieces(response, bytes_max=layer.size):
                draft.write(piece)
        if draft.size != layer.size:
            raise ModuleUnavailable(
                f"the module of {reference} has {draft.size} bytes, its manifest says {layer.size}"
            )
        if draft.digest != layer.digest:
            raise ModuleUnavailable(
                f"the module of {reference} is damaged in the registry: its digest is {draft.digest}, "
                f"its manifest says {layer.digest}"
            )

    @asynccontextmanager
    async def _get(self, reference: Reference, path: str, accept: str) -> AsyncIterator[httpx.Response]:
        """Get the answer 200; when the registry wants authorization, ask again with it."""
        key = (reference.api_host, reference.repository)
        base = base_url(reference, self._settings)
        url = base.copy_with(raw_path=f"/v2/{reference.repository}/{path}".encode())

        def headers_for(hop: httpx.URL) -> dict[str, str]:
            shown = self._authorizations.get(key)
            is_home = (hop.scheme, netloc(hop)) == (base.scheme, netloc(base))
            return {"Accept": accept} | ({"Authorization": shown} if shown and is_home else {})

        async with Web(self._settings, self._tls) as web:
            async with web.get(url, headers_for) as response:
                if response.status_code != 401 or netloc(response.url) != netloc(base):
                    yield _granted(response, reference, path)
                    return
                challenges = parse_challenges(response.headers.get_list("www-authenticate"))
            if len(self._authorizations) >= _AUTHORIZATIONS_MAX:
                self._authorizations.clear()
            self._authorizations[key] = await authorization(web, self._settings, reference, challenges)
            async with web.get(url, headers_for) as response:
                if response.status_code == 401:
                    del self._authorizations[key]
                yield _granted(response, reference, path)


def base_url(reference: Reference, settings: RegistrySettings) -> httpx.URL:
    """Give the address at which a registry answers."""
    try:
        url = httpx.URL(f"https://{reference.api_host}")
    except httpx.InvalidURL as error:
        raise ModuleUnavailable(f"{reference.registry!r} is not a host: {error}") from error
    plain = httpx.URL(f"http://{reference.api_host}")
    return plain if settings.is_plain(plain) else url


def _granted(response: httpx.Response, reference: Reference, path: str) -> httpx.Response:
    """Give the answer back if it is what was asked for; raise ``ModuleUnavailable`` in the user's terms."""
    host = netloc(response.url)
    match response.status_code:
        case 200:
            return response
        case 401 | 403:
            why = f"{host} does not let this proxy read {reference} ({status_line(response.status_code)})"
        case 404 if path.startswith(_BLOBS):
            why = (
                f"{host} has the manifest of {reference}, but not its module {path.removeprefix(_BLOBS)} "
                "(HTTP 404 Not Found); push the image again"
            )
        case 404:
            raise NoSuchImage(f"{host} has no {reference} (HTTP 404 Not Found)")
        case status:
            why = f"{host} answers {status_line(status)} to the request for {reference}"
    raise ModuleUnavailable(why)
