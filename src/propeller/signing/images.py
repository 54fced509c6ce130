"""Signatures of images, as ``cosign sign --key`` puts them into a registry beside the image.

Each is a layer of the image with the tag ``sha256-<digest>.sig``: the layer is the payload, which names the
digest of the manifest that is signed, and an annotation has the signature of the payload's bytes.
"""

import base64
import binascii
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from propeller.signing.keys import PublicKey

#: The media type of such a layer, and its annotation.
PAYLOAD_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
ANNOTATION = "dev.cosignproject.cosign/signature"

_TYPE = "cosign container image signature"


class ImageSignature(msgspec.Struct, frozen=True):
    """One signature of an image, not checked yet."""

    payload: bytes
    #: In base64.
    signature: str


class SignedImage(msgspec.Struct, frozen=True):
    """An image, and the signatures that its registry has of it."""

    #: ``sha256:<hex>`` of the manifest, or index, that the reference names.
    digest: str
    signatures: tuple[ImageSignature, ...]


class _Image(msgspec.Struct, rename="kebab"):
    docker_manifest_digest: str


class _Critical(msgspec.Struct):
    image: _Image
    type: str


class _Payload(msgspec.Struct):
    critical: _Critical


_decode = msgspec.json.Decoder(_Payload).decode


def is_by(key: "PublicKey", image: SignedImage, one: ImageSignature) -> bool:
    """Say whether this key has made this signature, and for this image."""
    try:
        critical = _decode(one.payload).critical
        signature = base64.b64decode(one.signature, validate=True)
    except (msgspec.MsgspecError, UnicodeDecodeError, binascii.Error, ValueError):
        return False
    is_of_it = critical.type == _TYPE and critical.image.docker_manifest_digest == image.digest
    return is_of_it and key.made(signature, one.payload)
