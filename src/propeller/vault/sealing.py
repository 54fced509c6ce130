"""Sealing secrets for the one proplet that runs an attempt: X25519, HKDF and AES-GCM, as HPKE combines them.

A proplet makes a key pair at each start of its program, and says the public key in its hello. For each such
key the manager makes a pair of its own, once: then sealing costs a few microseconds. All texts are base64.
"""

import base64
from collections import OrderedDict
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from propeller.core.effects import Sealed
from propeller.vault.errors import CannotOpen, CannotSeal

_INFO = b"propeller sealed secrets 1\0"
_NONCE_BYTES = 12
#: A proplet hears of few managers, each of which makes a new pair only when it starts.
_SENDERS_KEPT = 16

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, str]).decode


def about_attempt(proplet_id: str, task_id: str, attempt: int, placed_at: int) -> bytes:
    """Say what sealed secrets are for; they can be opened for nothing else."""
    return _encode([proplet_id, task_id, attempt, placed_at])


class Sealer:
    """Seals for one public key of a proplet."""

    def __init__(self, to: str) -> None:
        """Agree on a key; raise ``CannotSeal``."""
        own = X25519PrivateKey.generate()
        self._to = to
        self._sender = base64.b64encode(own.public_key().public_bytes_raw()).decode()
        try:
            theirs = X25519PublicKey.from_public_bytes(base64.b64decode(to, validate=True))
            shared = own.exchange(theirs)
        except ValueError as error:
            raise CannotSeal(f"the key that the proplet says can't be used: {error}") from error
        self._cipher = AESGCM(_derived(shared, self._sender, to))
        self._number = 0

    def seal(self, values: Mapping[str, str], about: bytes) -> Sealed:
        """Seal the values of variables; ``about`` is as ``about_attempt`` makes it."""
        self._number += 1  # never the same twice, since this key is for this sealer alone
        box = self._cipher.encrypt(_nonce(self._number), _encode(values), about)
        return Sealed(self._to, self._sender, self._number, base64.b64encode(box).decode())


class Opener:
    """Opens what was sealed for the key pair that it makes."""

    def __init__(self) -> None:
        self._own = X25519PrivateKey.generate()
        self.public_key = base64.b64encode(self._own.public_key().public_bytes_raw()).decode()
        self._ciphers: OrderedDict[str, AESGCM] = OrderedDict()

    def open(self, sealed: Sealed, about: bytes) -> dict[str, str]:
        """Give the values of variables; raise ``CannotOpen``."""
        try:
            box = base64.b64decode(sealed.box, validate=True)
            return _decode(self._cipher(sealed.sender).decrypt(_nonce(sealed.number), box, about))
        except (InvalidTag, ValueError, OverflowError):
            raise CannotOpen(
                "its secrets can't be opened: they were sealed for another proplet or attempt, or were "
                "changed on their way"
            ) from None

    def _cipher(self, sender: str) -> AESGCM:
        cipher = self._ciphers.get(sender)
        if cipher is None:
            theirs = X25519PublicKey.from_public_bytes(base64.b64decode(sender, validate=True))
            cipher = AESGCM(_derived(self._own.exchange(theirs), sender, self.public_key))
            self._ciphers[sender] = cipher
            if len(self._ciphers) > _SENDERS_KEPT:
                self._ciphers.popitem(last=False)
        return cipher


def _derived(shared: bytes, sender: str, to: str) -> bytes:
    info = _INFO + sender.encode() + b"\0" + to.encode()
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(shared)


def _nonce(number: int) -> bytes:
    return number.to_bytes(_NONCE_BYTES)
