"""Fetching modules: from an image reference or URL to a file on disk."""

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import httpx
import msgspec

from propeller.errors import ModuleUnavailable
from propeller.registry import signatures
from propeller.registry.archives import is_module, unpack
from propeller.registry.cache import Blob, Cache
from propeller.registry.download import download, is_url, parse_url
from propeller.registry.images import Images, NoSuchImage
from propeller.registry.manifests import (
    Descriptor,
    Manifest,
    decode_manifest,
    in_order_of_promise,
    listed,
    module_layer,
    wasm_layer,
)
from propeller.registry.reference import Reference, parse_reference
from propeller.registry.request_slots import RequestSlots
from propeller.registry.retry import with_retries
from propeller.registry.settings import RegistrySettings, netloc
from propeller.registry.single_flight import SingleFlight
from propeller.registry.web import shown, tls_context
from propeller.signing.images import ImageSignature, SignedImage

T = TypeVar("T")

_INDEX_ENTRIES_MAX = 32
#: Between fetching and opening, others may have filled the cache, or the disk may have lost it.
_OPENINGS_MAX = 3
_MODULES_KNOWN_MAX = 1000


class Resolved(msgspec.Struct, frozen=True):
    """The module that a reference names now."""

    #: ``sha256:<hex>`` of its bytes.
    digest: str
    size: int


class Fetcher:
    """Fetches modules by image reference or ``http(s)`` address.

    Several callers that want the same at once share one fetch. Tags and addresses are asked for anew each
    time, as what they name may have changed; a module with a digest comes from the cache if it is there.
    """

    def __init__(self, settings: RegistrySettings) -> None:
        """Raise ``ModuleUnavailable`` if the CA certificate can't be read."""
        self._settings = settings
        self._tls = tls_context(settings)
        self._cache = Cache(settings.cache_dir, bytes_max=settings.cache_bytes_max)
        self._images = Images(settings, self._tls)
        self._under_way = SingleFlight()
        self._slots = RequestSlots()
        #: The module in each layer that is an archive, by the layer's digest.
        self._modules_in: dict[str, Resolved] = {}

    async def close(self) -> None:
        """Give up all fetches under way."""
        await self._under_way.close()

    async def resolve(self, reference: str) -> Resolved:
        """Say which module this is; for an image without fetching it, unless it is in an archive.

        Raises:
            ModuleUnavailable: There is none, or it can't be had; the text says why.

        """
        if is_url(reference):
            return await self.fetch(reference)
        image = parse_reference(reference)
        layer = await self._layer(image)
        return await self._unpacked(image, layer) if layer.is_archive else Resolved(layer.digest, layer.size)

    async def fetch(self, reference: str) -> Resolved:
        """See to it that the module is in the cache; raises as ``resolve`` does."""
        if is_url(reference):
            url = parse_url(reference)
            return await self._under_way.join(("url", reference), lambda: self._download(url))
        image = parse_reference(reference)
        layer = await self._layer(image)
        if layer.is_archive:
            return await self._unpacked(image, layer)
        await self._have(image, layer)
        return Resolved(layer.digest, layer.size)

    async def held(self, digest: str) -> Blob | None:
        """Open a module that was fetched, or give None if it is not there any more; to be closed."""
        return await asyncio.to_thread(self._cache.open, digest)

    async def open(self, reference: str) -> Blob:
        """Fetch a module and open it; to be closed. Raises as ``resolve`` does."""
        for _ in range(_OPENINGS_MAX):
            resolved = await self.fetch(reference)
            blob = await self.held(resolved.digest)
            if blob is not None:
                return blob
        raise ModuleUnavailable(
            f"{reference[:200]} was fetched, but {self._settings.cache_dir} does not keep it intact"
        )

    async def open_signed(self, reference: str) -> tuple[Blob, SignedImage]:
        """Fetch the module of an image as ``open`` does, with the signatures that the registry has of it.

        Both are of the same manifest, whatever its tag names by then.
        """
        image = parse_reference(reference)
        if not image.digest:
            digest = f"sha256:{hashlib.sha256(await self._manifest_body(image)).hexdigest()}"
            image = Reference(image.registry, image.repository, "", digest)
        signed = SignedImage(image.digest, await self._signatures(image))
        return await self.open(str(image)), signed

    async def _signatures(self, image: Reference) -> tuple[ImageSignature, ...]:
        place = signatures.place_of(image)
        try:
            body = await self._manifest_body(place)
        except NoSuchImage:
            return ()
        found = []
        for payload, signature in signatures.listed(body, str(place)):
            await self._have(place, payload)
            blob = await self.held(payload.digest)
            if blob is not None:
                with blob:
                    found.append(ImageSignature(blob.read(), signature))
        return tuple(found)

    # -- images --------------------------------------------------------------------------------------------

    async def _layer(self, image: Reference) -> Descriptor:
        """Find the module among what an image, or an index of images, consists of."""
        manifest = await self._manifest(image)
        if manifest.layers is not None:
            layer = module_layer(manifest.layers, str(image))
        else:
            layer = await self._layer_by_index(image, manifest.manifests or [])
        if layer.size == 0:
            raise ModuleUnavailable(f"the module of {image} is empty")
        if layer.size > self._settings.module_bytes_max:
            raise ModuleUnavailable(
                f"the module of {image} has {layer.size} bytes; {self._settings.module_bytes_max} are allowed"
            )
        return layer

    async def _layer_by_index(self, image: Reference, entries: list[Descriptor]) -> Descriptor:
        for entry in in_order_of_promise(entries)[:_INDEX_ENTRIES_MAX]:
            chosen = Reference(image.registry, image.repository, "", entry.digest)
            layers = (await self._manifest(chosen, entry)).layers or []
            if entry.is_for_wasm or len(entries) == 1:
                return module_layer(layers, str(chosen))
            layer = wasm_layer(layers)
            if layer is not None:
                return layer
        raise ModuleUnavailable(f"{image} has no image for Wasm; its index lists: {listed(entries)}")

    async def _manifest(self, image: Reference, expected: Descriptor | None = None) -> Manifest:
        held = await self.held(image.digest) if image.digest else None
        if held is not None:
            with held:
                return decode_manifest(held.read(), str(image))
        return decode_manifest(await self._manifest_body(image, expected), str(image))

    async def _manifest_body(self, image: Reference, expected: Descriptor | None = None) -> bytes:
        key = ("manifest", image.api_host, image.repository, image.version, expected)
        return await self._under_way.join(key, lambda: self._fetch_manifest(image, expected))

    async def _fetch_manifest(self, image: Reference, expected: Descriptor | None) -> bytes:
        async def once() -> bytes:
            return await self._images.manifest(image, expected)

        body = await self._within(image.api_host, str(image), self._settings.image_timeout_s, once)
        if image.digest:
            with self._cache.draft() as draft:
                draft.write(body)
                draft.keep()
        return body

    async def _have(self, image: Reference, layer: Descriptor) -> None:
        """See to it that a layer is in the cache."""
        if self._cache.size(layer.digest) != layer.size:
            key = ("blob", image.api_host, image.repository, layer)
            await self._under_way.join(key, lambda: self._fetch_layer(image, layer))

    async def _unpacked(self, image: Reference, layer: Descriptor) -> Resolved:
        """See to it that the module in a layer that is an archive is in the cache."""
        known = self._modules_in.get(layer.digest)
        if known is not None and self._cache.size(known.digest) == known.size:
            return known
        return await self._under_way.join(("archive", layer), lambda: self._unpack(image, layer))

    async def _unpack(self, image: Reference, layer: Descriptor) -> Resolved:
        for _ in range(_OPENINGS_MAX):
            await self._have(image, layer)
            blob = await self.held(layer.digest)
            if blob is not None:
                with blob:
                    found = await asyncio.to_thread(self._module_in, blob, image)
                if len(self._modules_in) >= _MODULES_KNOWN_MAX:
                    self._modules_in.clear()
                self._modules_in[layer.digest] = found
                return found
        raise ModuleUnavailable(
            f"{image} was fetched, but {self._settings.cache_dir} does not keep it intact"
        )

    def _module_in(self, blob: Blob, image: Reference) -> Resolved:
        if is_module(blob):
            return Resolved(blob.digest, blob.size)
        with self._cache.draft() as draft:
            unpack(blob, draft, name=str(image), bytes_max=self._settings.module_bytes_max)
            draft.keep()
            return Resolved(draft.digest, draft.size)

    async def _fetch_layer(self, image: Reference, layer: Descriptor) -> None:
        async def once() -> None:
            with self._cache.draft() as draft:
                await self._images.blob(image, layer, draft)
                draft.keep()

        await self._within(image.api_host, str(image), self._settings.image_timeout_s, once)

    # -- addresses -----------------------------------------------------------------------------------------

    async def _download(self, url: httpx.URL) -> Resolved:
        async def once() -> Resolved:
            with self._cache.draft() as draft:
                await download(url, self._settings, self._tls, draft)
                draft.keep()
                return Resolved(draft.digest, draft.size)

        return await self._within(netloc(url), shown(url), self._settings.url_timeout_s, once)

    async def _within(
        self, host: str, name: str, timeout_s: float, operation: Callable[[], Awaitable[T]]
    ) -> T:
        """Do it when this host has a free slot, with as many tries as fit into the time."""
        async with self._slots.slot(host):
            with _limit_in_words(name, timeout_s):
                async with asyncio.timeout(timeout_s):
                    return await with_retries(
                        operation, tries=self._settings.tries, backoff_s=self._settings.backoff_s
                    )


@contextlib.contextmanager
def _limit_in_words(name: str, timeout_s: float) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise ModuleUnavailable(f"{name} could not be fetched within {timeout_s:g} s") from error
