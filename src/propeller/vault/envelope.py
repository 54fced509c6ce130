"""Encryption at rest: each version of a secret has a data key of its own, wrapped by the master key.

So a new master key takes only new wraps. What a secret is (name, namespace, version) is associated data: the
row of one secret can't be put in the place of another.
"""

import os
from collections.abc import Sequence
from hashlib import sha256

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from propeller.vault.errors import CannotUnlock

_KEY_BYTES = 32
_NONCE_BYTES = 12
_WRAP, _BOX = b"propeller secret, data key\0", b"propeller secret, value\0"


class Locked(msgspec.Struct, frozen=True):
    """A value that is encrypted."""

    #: Names the master key, and says nothing of it.
    key_id: str
    #: The data key, encrypted with the master key.
    wrapped: bytes
    #: The value, encrypted with the data key.
    box: bytes


def key_id(key: bytes) -> str:
    """Name a master key, in 16 hex digits."""
    return sha256(b"propeller master key\0" + key).hexdigest()[:16]


class Ring:
    """The master keys of a manager: the first one encrypts, all decrypt."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Take at least one key of 32 bytes."""
        self._keys = {key_id(key): key for key in keys}
        self.first = key_id(keys[0])

    def __contains__(self, key: str) -> bool:
        """Say whether the key with this id is here."""
        return key in self._keys

    def lock(self, value: bytes, about: bytes) -> Locked:
        """Encrypt a value; ``about`` says what it is."""
        key = os.urandom(_KEY_BYTES)
        wrapped = _encrypted(self._keys[self.first], key, _WRAP + about)
        return Locked(self.first, wrapped, _encrypted(key, value, _BOX + about))

    def unlock(self, locked: Locked, about: bytes) -> bytes:
        """Decrypt a value; raise ``CannotUnlock``."""
        return _decrypted(self._data_key(locked, about), locked.box, _BOX + about)

    def rewrapped(self, locked: Locked, about: bytes) -> Locked:
        """Wrap the data key with the first master key; raise ``CannotUnlock``."""
        wrapped = _encrypted(self._keys[self.first], self._data_key(locked, about), _WRAP + about)
        return Locked(self.first, wrapped, locked.box)

    def _data_key(self, locked: Locked, about: bytes) -> bytes:
        key = self._keys.get(locked.key_id)
        if key is None:
            raise CannotUnlock(f"it was encrypted with the key {locked.key_id}, which is not here")
        return _decrypted(key, locked.wrapped, _WRAP + about)


def _encrypted(key: bytes, data: bytes, about: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, data, about)


def _decrypted(key: bytes, data: bytes, about: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], about)
    except (InvalidTag, ValueError):
        raise CannotUnlock("what is stored was changed, or is damaged") from None
