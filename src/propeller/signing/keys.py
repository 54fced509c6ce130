"""Keys that sign modules, and their public halves: Ed25519, and ECDSA on P-256 as cosign makes them."""

import base64
import binascii
import hashlib

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

from propeller.errors import Invalid

ED25519, ECDSA = "ed25519", "ecdsa-p256"

_SHA256 = hashes.SHA256()
_OF_COSIGN = (b"ENCRYPTED SIGSTORE PRIVATE KEY", b"ENCRYPTED COSIGN PRIVATE KEY")
_KINDS = "Ed25519, and ECDSA on P-256"


class PublicKey:
    """A public key, and the name that its owner goes by."""

    def __init__(self, name: str, key: Ed25519PublicKey | ec.EllipticCurvePublicKey) -> None:
        self.name = name
        self._key = key
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        #: The key in base64 of its DER form.
        self.text = base64.b64encode(der).decode()
        #: SHA-256 of its DER form, in hex.
        self.fingerprint = hashlib.sha256(der).hexdigest()

    @property
    def algorithm(self) -> str:
        return ED25519 if isinstance(self._key, Ed25519PublicKey) else ECDSA

    def made(self, signature: bytes, message: bytes) -> bool:
        """Say whether this key has signed the message."""
        try:
            if isinstance(self._key, Ed25519PublicKey):
                self._key.verify(signature, message)
            else:
                self._key.verify(signature, message, ec.ECDSA(_SHA256))
        except InvalidSignature:
            return False
        return True

    def made_of_digest(self, signature: bytes, digest: bytes) -> bool:
        """Say whether this key has signed the bytes with this SHA-256; Ed25519 needs the bytes themselves."""
        if isinstance(self._key, Ed25519PublicKey):
            return False
        try:
            self._key.verify(signature, digest, ec.ECDSA(Prehashed(_SHA256)))
        except InvalidSignature:
            return False
        return True


class PrivateKey:
    """A key that signs."""

    def __init__(self, key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> None:
        self._key = key

    def public(self, name: str = "") -> PublicKey:
        return PublicKey(name, self._key.public_key())

    def sign(self, message: bytes) -> bytes:
        if isinstance(self._key, Ed25519PrivateKey):
            return self._key.sign(message)
        return self._key.sign(message, ec.ECDSA(_SHA256))


def generate(password: bytes = b"") -> tuple[bytes, bytes]:
    """Make an Ed25519 key; give it and its public half in PEM, the first encrypted if there is a password."""
    key = Ed25519PrivateKey.generate()
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    return private, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def private_key(pem: bytes, password: bytes = b"") -> PrivateKey:
    """Read a key that signs, in PEM; raise ``Invalid`` if it is none, or the password does not open it."""
    if any(mark in pem for mark in _OF_COSIGN):
        raise Invalid(
            "it is encrypted in cosign's own way; sign with it by cosign sign-blob, and give its public key "
            "to propeller verify"
        )
    try:
        key = load_pem_private_key(pem, password or None)
    except TypeError as error:
        what = "it has no password; give none" if password else "it needs its password"
        raise Invalid(what) from error
    except ValueError as error:
        why = (
            "it is no private key in PEM, or the password is wrong"
            if password
            else "it is no private key in PEM"
        )
        raise Invalid(why) from error
    except UnsupportedAlgorithm as error:
        raise Invalid(f"its algorithm is not known here; keys are {_KINDS}") from error
    if not _is_known(key):
        raise Invalid(f"its algorithm is not known here; keys are {_KINDS}")
    assert isinstance(key, Ed25519PrivateKey | ec.EllipticCurvePrivateKey)
    return PrivateKey(key)


def public_key(pem: bytes, name: str) -> PublicKey:
    """Read a public key in PEM, as cosign and OpenSSL write it; raise ``Invalid`` if it is none."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Invalid("it is no public key in PEM") from error
    return _named(key, name)


def of_text(name: str, text: str) -> PublicKey:
    """Read a key from ``PublicKey.text``; raise ``Invalid`` if it is none."""
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except (ValueError, binascii.Error, UnsupportedAlgorithm) as error:
        raise Invalid(f"the key {name[:100]!r} is no public key") from error
    return _named(key, name)


def _named(key: object, name: str) -> PublicKey:
    if not _is_known(key):
        raise Invalid(f"its algorithm is not known here; keys are {_KINDS}")
    assert isinstance(key, Ed25519PublicKey | ec.EllipticCurvePublicKey)
    return PublicKey(name, key)


def _is_known(key: object) -> bool:
    if isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey):
        return isinstance(key.curve, ec.SECP256R1)
    return isinstance(key, Ed25519PublicKey | Ed25519PrivateKey)
