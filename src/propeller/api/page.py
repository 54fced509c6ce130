"""The page for people under ``/ui/``: built files of the package, which load nothing from elsewhere.

A path of the page that is no file, such as ``/ui/workflows/ID``, gets the same document, in which ``<base>``
says where the page begins, relative to that path. So it works behind any prefix that a proxy takes off.
"""

import asyncio
import gzip
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import PurePath
from typing import NamedTuple

from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp

from propeller.access.roles import Action
from propeller.api.answers import accepts
from propeller.api.context import HttpRequest
from propeller.api.endpoints import Endpoint, Handler, get
from propeller.errors import NotFound

#: The page runs its own files and nothing else. Scripts may set styles of elements one by one; texts may not.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "vary": "accept-encoding",
}
#: Names of built files have a hash of their content.
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"
_BASE = b'<base href="./" />'
#: All are text. What a machine believes of suffixes differs, and a browser runs no script of another type.
_MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


class PageFile(NamedTuple):
    content: bytes
    media_type: str
    #: None where it was not made.
    as_gzip: bytes | None


@lru_cache(maxsize=1)
def page_files() -> dict[str, PageFile]:
    """Read all files of the page, by their path in it; none if the package was made without them."""
    root = files("propeller.api") / "page_files"
    found: dict[str, PageFile] = {}
    for directory, prefix in ((root, ""), (root / "assets", "assets/")):
        if directory.is_dir():
            found |= {
                f"{prefix}{file.name}": _page_file(file.name, file.read_bytes())
                for file in directory.iterdir()
                if file.is_file()
            }
    return found


async def _files() -> dict[str, PageFile]:
    """Give all files of the page; to read and compress them takes long, and is done once."""
    return await asyncio.to_thread(page_files)


def _page_file(name: str, content: bytes) -> PageFile:
    return PageFile(content, _MEDIA_TYPES[PurePath(name).suffix], gzip.compress(content, mtime=0))


def endpoints() -> list[Endpoint]:
    """Make the endpoints of the page."""

    @get("/ui", action=Action.OPEN, takes_any_query=True, anywhere=True)
    async def get_page(request: HttpRequest) -> ASGIApp:
        return _document(request, await _files())

    @get("/ui/{path:path}", action=Action.OPEN, takes_any_query=True, anywhere=True)
    async def get_page_file(request: HttpRequest) -> ASGIApp:
        path = request.path_params["path"]
        found = await _files()
        file = found.get(path)
        if file is not None and path != "index.html":
            return _sent(request, file, _FOR_EVER if path.startswith("assets/") else _ASK_AGAIN)
        if path.startswith("assets/"):
            # A document in its place would be taken for a script.
            raise NotFound("this file belongs to another version of the page; load the page again")
        return _document(request, found)

    return [get_page, get_page_file]


def to_page(otherwise: Handler) -> Handler:
    """Send browsers to the page, and let programs have the answer that they had."""

    async def handler(request: HttpRequest) -> ASGIApp:
        if accepts(request, "text/html") and "index.html" in await _files():
            return RedirectResponse("ui/", 307, {"vary": "accept", "cache-control": _ASK_AGAIN})
        return await otherwise(request)

    handler.__name__, handler.__doc__ = otherwise.__name__, otherwise.__doc__
    return handler


def _document(request: HttpRequest, found: Mapping[str, PageFile]) -> Response:
    index = found.get("index.html")
    if index is None:
        raise NotFound(
            "this package was made without the page; build it with script/ui, or use propeller top"
        )
    content = index.content.replace(_BASE, b'<base href="%s" />' % _way_to_page(request).encode())
    return _sent(request, PageFile(content, index.media_type, None), _ASK_AGAIN)


def _way_to_page(request: HttpRequest) -> str:
    """Give the way from the path of a request to the front of the page."""
    asked = request.scope.get("raw_path", b"").decode("ascii", "replace")
    # The first step is the page's, also where its letters are written as %75 and the like.
    below = asked.partition("?")[0].lstrip("/").partition("/")
    return ("../" * below[2].count("/") or "./") if below[1] else "ui/"


def _sent(request: HttpRequest, file: PageFile, caching: str) -> Response:
    headers = {**_HEADERS, "cache-control": caching}
    content = file.content
    if file.as_gzip is not None and accepts(request, "gzip", "accept-encoding"):
        content = file.as_gzip
        headers["content-encoding"] = "gzip"
    return Response(content, headers=headers, media_type=file.media_type)
