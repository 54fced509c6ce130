"""Manifests, and finding the layer of an image that is the Wasm module."""

import re

import msgspec

from propeller.errors import ModuleUnavailable

_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
#: Messages go far; a registry does not say how long they are.
_LISTED_MAX = 16
_KIND_CHARS_MAX = 100
_WASM_ARCHITECTURES = {"wasm", "wasm32", "wasm64"}

#: The media types that are asked for; some registries answer with another one, or with none.
ACCEPT = (
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json"
)


class Platform(msgspec.Struct, frozen=True):
    os: str = ""
    architecture: str = ""


class Descriptor(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One blob or manifest, as a manifest names it."""

    digest: str
    size: int
    media_type: str = ""
    platform: Platform | None = None

    @property
    def is_wasm(self) -> bool:
        """True if this is a Wasm module by its media type."""
        kind = self.media_type.partition(";")[0].strip().lower()
        return kind == "application/wasm" or kind.endswith("+wasm")

    @property
    def is_archive(self) -> bool:
        """True if this is an archive of files by its media type, as the layers of images for containers."""
        kind = self.media_type.partition(";")[0].strip().lower()
        return not self.is_wasm and ("tar+" in kind or kind.endswith((".tar", "/tar", ".tar.gzip")))

    @property
    def is_for_wasm(self) -> bool:
        """True if this is an image for a Wasm runtime by its platform."""
        platform = self.platform or Platform()
        return platform.os.startswith("wasi") or platform.architecture in _WASM_ARCHITECTURES

    def __str__(self) -> str:
        kind = self.media_type[:_KIND_CHARS_MAX] or "of unknown media type"
        return f"{self.platform.os}/{self.platform.architecture}"[:_KIND_CHARS_MAX] if self.platform else kind


class Manifest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An image, which has layers, or an index of images, which has manifests."""

    layers: list[Descriptor] | None = None
    manifests: list[Descriptor] | None = None


def decode_manifest(body: bytes, name: str) -> Manifest:
    """Read a manifest; raise ``ModuleUnavailable`` if it is none, or of a kind that has no digests."""
    try:
        manifest = msgspec.json.decode(body, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ModuleUnavailable(f"the manifest of {name} can't be read: {error}") from error
    except RecursionError as error:
        raise ModuleUnavailable(f"the manifest of {name} is nested too deeply to be one") from error
    for descriptor in (*(manifest.layers or ()), *(manifest.manifests or ())):
        if not _SHA256.fullmatch(descriptor.digest) or descriptor.size < 0:
            raise ModuleUnavailable(
                f"the manifest of {name} names {descriptor.digest[:80]!r} with {descriptor.size} bytes; "
                "only sha256 digests are known"
            )
    if manifest.layers is None and manifest.manifests is None:
        raise ModuleUnavailable(f"the manifest of {name} is neither an image's nor an index")
    return manifest


def wasm_layer(layers: list[Descriptor]) -> Descriptor | None:
    """Give the one layer that says it is Wasm."""
    found = [layer for layer in layers if layer.is_wasm]
    return found[0] if len(found) == 1 else None


def module_layer(layers: list[Descriptor], name: str) -> Descriptor:
    """Give the one layer that says it is Wasm, else the only one; raise ``ModuleUnavailable`` if neither."""
    found = wasm_layer(layers) or (layers[0] if len(layers) == 1 else None)
    if found is None:
        raise ModuleUnavailable(
            f"{name} has no layer that is clearly the Wasm module; its layers are: {listed(layers)}"
        )
    return found


def listed(descriptors: list[Descriptor]) -> str:
    """Name them in a message; of many, the first ones."""
    more = len(descriptors) - _LISTED_MAX
    return (
        ", ".join(map(str, descriptors[:_LISTED_MAX])) + (f" and {more} more" if more > 0 else "") or "none"
    )


def in_order_of_promise(manifests: list[Descriptor]) -> list[Descriptor]:
    """Put images for Wasm runtimes first."""
    return sorted(manifests, key=lambda descriptor: not descriptor.is_for_wasm)
