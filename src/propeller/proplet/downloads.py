"""Downloads of modules in pieces, through the uplink. Pure.

The proplet asks for a few pieces at a time, for the next ones when those have come, and again for pieces that
did not come in time. A foreign proxy sends all pieces at once to every proplet, which works as well.
"""

import base64
import hashlib
from typing import NamedTuple

import msgspec
from msgspec import UNSET

from propeller.wire.fleet.modules import ModuleChunk, ModuleRequest

#: How many pieces are asked for at once.
PIECES = 8
#: A piece that did not come in this time is asked for again …
_PATIENCE_NS = 5_000_000_000
#: … and an image that did not come in this time fails the task.
_IMAGE_NS_MAX = 60_000_000_000
_PIECES_MAX = 16_384
#: How often pieces may become smaller, because the broker takes no large messages.
_CUTS_MAX = 32


class Arrived(NamedTuple):
    source: str
    data: bytes


class Known(NamedTuple):
    """The digest that an image reference stands for now; its module may be here already."""

    source: str
    digest: str


class Missing(NamedTuple):
    source: str
    why: str


News = Arrived | Known | Missing


class _Download(msgspec.Struct, kw_only=True):
    began_at: int
    heard_at: int
    #: In hex; ``""`` while it is not known.
    digest: str = ""
    total: int = 0
    pieces: dict[int, bytes] = {}
    #: How often the pieces have become others.
    cuts: int = 0
    #: The first piece that was not asked for.
    asked: int = 0


class Downloads:
    """Each method takes in one thing and returns the requests to send."""

    def __init__(self, proplet_id: str) -> None:
        self._proplet_id = proplet_id
        self._running: dict[str, _Download] = {}

    def begin(self, source: str, now: int) -> list[ModuleRequest]:
        """Ask for a module, unless it is on its way."""
        if source in self._running:
            return []
        download = self._running[source] = _Download(began_at=now, heard_at=now)
        if _is_digest(source):
            download.digest = source.removeprefix("sha256:")
            return [self._ask(source, download)]
        return [self._request(source, 0, 0)]

    def take(self, chunk: ModuleChunk, now: int) -> tuple[list[ModuleRequest], News | None]:
        """Take in a piece, or the answer that there is none; ignore pieces that were not asked for."""
        source = chunk.app_name
        download = self._running.get(source)
        if download is None:
            return [], None
        download.heard_at = now
        if chunk.total_chunks == 0:
            why = chunk.error or f"there is no module {source}"
            return [], self._fail(source, why)
        if chunk.total_chunks > _PIECES_MAX:
            return [], self._fail(
                source, f"module {source} has {chunk.total_chunks} pieces, which is too large"
            )
        said = (chunk.digest or "").removeprefix("sha256:") or download.digest
        if _is_digest(source) and said != download.digest:
            return [], self._fail(source, f"module {source} arrived damaged")
        is_cut_anew = bool(download.total) and bool(chunk.digest) and chunk.total_chunks != download.total
        download.cuts += is_cut_anew
        if download.cuts > _CUTS_MAX:
            return [], self._fail(source, f"module {source} arrived damaged")
        if (chunk.total_chunks, said) != (download.total, download.digest):
            # An image may be another one since the first piece came, and the pieces smaller.
            download.total, download.digest, download.pieces = chunk.total_chunks, said, {}
        if not chunk.data and not _is_digest(source):
            return [], Known(source, download.digest)
        requests, news = self._take_piece(source, download, chunk)
        if is_cut_anew and news is None and not requests:
            requests = [self._ask(source, download)]
        return requests, news

    def fetch(self, source: str) -> list[ModuleRequest]:
        """Ask for the pieces of a module of which only the digest is known."""
        download = self._running.get(source)
        return [self._ask(source, download)] if download else []

    def end(self, source: str) -> None:
        """End the download of a module that is here."""
        self._running.pop(source, None)

    def time_passed(self, now: int) -> tuple[list[ModuleRequest], list[News]]:
        requests: list[ModuleRequest] = []
        news: list[News] = []
        for source, download in list(self._running.items()):
            if now - download.heard_at < _PATIENCE_NS:
                continue
            is_image = not _is_digest(source)
            if is_image and now - download.began_at >= _IMAGE_NS_MAX:
                why = f"image {source} did not come: no proxy answered; is one running on this channel?"
                news.append(self._fail(source, why))
                continue
            download.heard_at = now
            if is_image and not download.total:
                requests.append(self._request(source, 0, 0))
            else:
                requests.append(self._ask(source, download))
        return requests, news

    def _take_piece(
        self, source: str, download: _Download, chunk: ModuleChunk
    ) -> tuple[list[ModuleRequest], News | None]:
        if chunk.chunk_idx >= download.total:
            return [], self._fail(source, f"module {source} arrived damaged")
        try:
            download.pieces[chunk.chunk_idx] = base64.b64decode(chunk.data, validate=True)
        except ValueError:
            return [], self._fail(source, f"module {source} arrived damaged")
        if len(download.pieces) < download.total:
            complete = all(index in download.pieces for index in range(download.asked))
            return ([self._ask(source, download)] if complete and download.asked else []), None
        data = b"".join(download.pieces[index] for index in range(download.total))
        if download.digest and hashlib.sha256(data).hexdigest() != download.digest:
            return [], self._fail(source, f"module {source} arrived damaged")
        self.end(source)
        return [], Arrived(source, data)

    def _ask(self, source: str, download: _Download) -> ModuleRequest:
        """Ask for the first pieces that are not here."""
        first = 0
        while first in download.pieces:
            first += 1
        download.asked = first + PIECES
        return self._request(source, first, PIECES)

    def _request(self, source: str, first: int, count: int) -> ModuleRequest:
        return ModuleRequest(app_name=source, proplet_id=self._proplet_id or UNSET, first=first, count=count)

    def _fail(self, source: str, why: str) -> Missing:
        self.end(source)
        return Missing(source, why)


def _is_digest(source: str) -> bool:
    return source.startswith("sha256:")
