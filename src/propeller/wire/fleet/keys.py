"""Ed25519 keys as text: 32 bytes in the alphabet of base64 for URLs, without padding."""

import base64
import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_TEXT = re.compile(rb"[A-Za-z0-9_-]{86}")


class PrivateKey:
    """What one program signs with, and no other has."""

    def __init__(self, text: str) -> None:
        """Read a key; raise ``ValueError`` if it is none."""
        self._key = Ed25519PrivateKey.from_private_bytes(_bytes_of(text))

    @property
    def public(self) -> str:
        """The key that others check its signatures with, as text."""
        return _text_of(self._key.public_key().public_bytes_raw()).decode()

    def sign(self, data: bytes) -> bytes:
        """Give the signature of these bytes, as text."""
        return _text_of(self._key.sign(data))


class PublicKey:
    """What the signatures of one other program are checked with."""

    def __init__(self, text: str) -> None:
        """Read a key; raise ``ValueError`` if it is none."""
        self._key = Ed25519PublicKey.from_public_bytes(_bytes_of(text))

    def has_signed(self, data: bytes, signature: bytes) -> bool:
        """Say whether this is a signature of these bytes, as text."""
        if not _TEXT.fullmatch(signature):
            return False
        try:
            self._key.verify(base64.urlsafe_b64decode(signature + b"=="), data)
        except InvalidSignature:
            return False
        return True


def new_key() -> str:
    """Make a private key, as text."""
    return _text_of(Ed25519PrivateKey.generate().private_bytes_raw()).decode()


def public_of(private: str) -> str:
    """Give the public key that belongs to a private one; raise ``ValueError`` if it is none."""
    return PrivateKey(private).public


def _text_of(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _bytes_of(text: str) -> bytes:
    return base64.urlsafe_b64decode(f"{text}=")
