"""Getting the modules that runs wait for: from the disk, from a registry, or in pieces through the uplink."""

import asyncio
import logging
from collections.abc import Callable, Container
from typing import NamedTuple

from propeller.errors import ModuleUnavailable
from propeller.proplet.downloads import Arrived, Downloads, Known, Missing, News
from propeller.proplet.module_store import ModuleStore
from propeller.proplet.uplink import Uplink
from propeller.registry.fetcher import Fetcher
from propeller.signing.images import SignedImage
from propeller.wire.fleet.modules import ModuleChunk

_log = logging.getLogger(__name__)


#: What comes otherwise than as an image from its registry has no signatures there.
NO_IMAGE = SignedImage("", ())


class Stored(NamedTuple):
    """A module is on the disk."""

    source: str
    digest: str
    #: The image that it came from, with its signatures; None if nobody asked for them.
    image: SignedImage | None = NO_IMAGE


ModuleOutcome = Stored | Missing


class ModuleFetcher:
    """Fetches each module once, however many runs wait for it."""

    def __init__(
        self,
        downloads: Downloads,
        store: ModuleStore,
        fetcher: Fetcher,
        uplink: Uplink,
        *,
        fetches_images: bool,
        on_fetched: Callable[[ModuleOutcome], None],
    ) -> None:
        """Prepare it.

        Args:
            downloads: Of modules that come in pieces.
            store: Where modules are kept.
            fetcher: Gets modules from registries and web addresses.
            uplink: Where pieces are asked for.
            fetches_images: Whether images come from their registry, not from the proxy; URLs do in any case.
            on_fetched: Is told what became of a module from a registry or a web address.

        """
        self._downloads = downloads
        self._store = store
        self._fetcher = fetcher
        self._uplink = uplink
        self._fetches_images = fetches_images
        self._on_fetched = on_fetched
        #: Image references and URLs that are being fetched right now.
        self._fetching: dict[str, asyncio.Task[None]] = {}

    async def stop(self) -> None:
        for fetching in self._fetching.values():
            fetching.cancel()
        await self._fetcher.close()

    def fetch(self, source: str, now: int, *, with_signatures: bool = False) -> ModuleOutcome | None:
        """Say where a module is, or begin to fetch it; asked again, begin only what is not under way."""
        digest = source.removeprefix("sha256:")
        if digest != source:
            if self._store.has(digest):
                return self._here(source, digest)
        elif self._fetches_images or source.startswith(("http://", "https://")):
            if source not in self._fetching:
                self._fetching[source] = asyncio.create_task(
                    self._fetch_from_afar(source, with_signatures=with_signatures)
                )
            return None
        if self._uplink.is_up:
            self._uplink.send(self._downloads.begin(source, now))
        return None

    def take(self, chunk: ModuleChunk, now: int) -> ModuleOutcome | None:
        """Take in a piece of a module, and ask for the next ones."""
        requests, news = self._downloads.take(chunk, now)
        self._uplink.send(requests)
        return self._outcome(news)

    def time_passed(self, now: int) -> list[ModuleOutcome]:
        """Ask again for pieces that did not come, and give up what nobody sends."""
        requests, news = self._downloads.time_passed(now)
        if self._uplink.is_up:
            self._uplink.send(requests)
        return [outcome for one in news if (outcome := self._outcome(one)) is not None]

    def keep(self, data: bytes) -> str:
        """Keep a module that came by itself, and return its digest; raise ``OSError`` where that can't be."""
        return self._store.put(data)

    def make_room(self, in_use: Container[str]) -> list[str]:
        """Delete modules that there is no room for, but none in use; return the digests of those deleted."""
        return self._store.make_room(in_use)

    async def _fetch_from_afar(self, reference: str, *, with_signatures: bool) -> None:
        news: Arrived | Missing
        image = None
        try:
            if with_signatures:
                blob, image = await self._fetcher.open_signed(reference)
            else:
                blob = await self._fetcher.open(reference)
            with blob:
                news = Arrived(reference, await asyncio.to_thread(blob.read))
        except ModuleUnavailable as error:
            news = Missing(reference, str(error))
        except Exception:  # a defect of ours must not leave its task waiting
            _log.exception("fetching %s failed", reference)
            news = Missing(reference, "the proplet failed to fetch the module; its log says how")
        finally:
            del self._fetching[reference]
        self._on_fetched(self._kept(news, image) if isinstance(news, Arrived) else news)

    def _outcome(self, news: News | None) -> ModuleOutcome | None:
        match news:
            case Arrived():
                return self._kept(news)
            case Known(source, digest):
                if digest and self._store.has(digest):
                    return self._here(source, digest)
                self._uplink.send(self._downloads.fetch(source))
            case Missing():
                return news
        return None

    def _kept(self, arrived: Arrived, image: SignedImage | None = NO_IMAGE) -> ModuleOutcome:
        try:
            return Stored(arrived.source, self._store.put(arrived.data), image)
        except OSError as error:
            why = f"the proplet can't keep the module on its disk: {error.strerror}"
            return Missing(arrived.source, why)

    def _here(self, source: str, digest: str) -> Stored:
        self._downloads.end(source)
        return Stored(source, digest)
