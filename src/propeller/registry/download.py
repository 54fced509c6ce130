"""Modules at ``http`` and ``https`` addresses (``runtime``, section 2, step 4)."""

import ssl

import httpx

from propeller.errors import ModuleUnavailable
from propeller.registry.cache import Draft
from propeller.registry.settings import RegistrySettings
from propeller.registry.web import Web, pieces, shown, status_line

_CONTENT_TYPES = ("application/wasm", "application/octet-stream")


def is_url(reference: str) -> bool:
    """Say whether this names a module by its address on the web."""
    return reference.lower().startswith(("http://", "https://"))


def parse_url(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise ModuleUnavailable(f"{text[:200]!r} is not a web address: {error}") from error
    if not url.host:
        raise ModuleUnavailable(f"{text[:200]!r} is not a web address: it has no host")
    return url


async def download(url: httpx.URL, settings: RegistrySettings, tls: ssl.SSLContext, draft: Draft) -> None:
    """Write what is at this address to the draft.

    Raises:
        Transient: No answer now.
        ModuleUnavailable: An error status, another content type, more bytes than allowed, none at all.

    """
    async with Web(settings, tls) as web, web.get(url, lambda _: {"Accept": "*/*"}) as response:
        if response.status_code != 200:
            raise ModuleUnavailable(
                f"{status_line(response.status_code)} fetching wasm from URL {shown(response.url)}"
            )
        content_type = response.headers.get("content-type", "")
        if content_type and not any(kind in content_type.lower() for kind in _CONTENT_TYPES):
            wanted = " or ".join(_CONTENT_TYPES)
            raise ModuleUnavailable(
                f"{shown(response.url)} is sent as {content_type!r}; a module is {wanted}"
            )
        size = response.headers.get("content-length", "")
        if size.isdecimal() and int(size) > settings.module_bytes_max:
            raise ModuleUnavailable(
                f"{shown(response.url)} has {size} bytes; {settings.module_bytes_max} are allowed"
            )
        async for piece in pieces(response, bytes_max=settings.module_bytes_max):
            draft.write(piece)
        if draft.size == 0:
            raise ModuleUnavailable(f"{shown(response.url)} is empty")
