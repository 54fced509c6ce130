"""The signatures that a registry has of an image: where they are, and how the manifest there lists them."""

import msgspec

from propeller.errors import ModuleUnavailable
from propeller.registry.manifests import Descriptor
from propeller.registry.reference import Reference
from propeller.signing.images import ANNOTATION, PAYLOAD_TYPE

#: More of them, or larger ones, are not looked at.
_SIGNATURES_MAX = 32
_PAYLOAD_BYTES_MAX = 64 * 1024


class _Layer(msgspec.Struct, rename="camel"):
    digest: str
    size: int
    media_type: str = ""
    annotations: dict[str, str] | None = None


class _Manifest(msgspec.Struct):
    layers: list[_Layer] = []


def place_of(image: Reference) -> Reference:
    """Give the image that has the signatures of an image, which is named by digest."""
    return Reference(image.registry, image.repository, image.digest.replace(":", "-") + ".sig", "")


def listed(body: bytes, name: str) -> list[tuple[Descriptor, str]]:
    """Read such a manifest: give the payloads, each with its signature; raise ``ModuleUnavailable``."""
    try:
        layers = msgspec.json.decode(body, type=_Manifest).layers
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ModuleUnavailable(f"the manifest of {name} can't be read: {error}") from error
    return [
        (Descriptor(digest=layer.digest, size=layer.size), layer.annotations[ANNOTATION])
        for layer in layers[:_SIGNATURES_MAX]
        if layer.media_type == PAYLOAD_TYPE
        and layer.annotations is not None
        and ANNOTATION in layer.annotations
        and 0 < layer.size <= _PAYLOAD_BYTES_MAX
    ]
