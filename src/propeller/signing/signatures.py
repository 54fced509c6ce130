"""Detached signatures of modules, as text.

There are two forms:

- Ours is JSON. It signs a line that names what it is for and the SHA-256 of the module, so that it can be
  checked wherever the digest is known, and stands for nothing else.
- That of ``cosign sign-blob`` with a key on P-256 is one line of base64, over the module itself.
"""

import base64
import binascii
import re

import msgspec

from propeller.errors import Invalid
from propeller.signing.keys import ECDSA, ED25519, PrivateKey, PublicKey

#: The longest text of a signature.
CHARS_MAX = 4096

_DIGEST = re.compile(r"[0-9a-f]{64}")


class _Written(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A signature of a module, as JSON."""

    #: The form, and what the signature is for.
    propeller_module_signature: int
    #: ``sha256:<hex>`` of the module.
    digest: str
    algorithm: str
    #: SHA-256 of the public key in its DER form, in hex.
    key: str
    #: In base64.
    signature: str


class Signature(msgspec.Struct, frozen=True):
    """A signature that was read, and not checked yet."""

    #: In hex; ``""`` where the text does not name it.
    digest: str
    signature: bytes

    def is_by(self, key: PublicKey, digest: str) -> bool:
        """Say whether this key has signed the module with this SHA-256, in hex."""
        if not self.digest:
            return key.made_of_digest(self.signature, bytes.fromhex(digest))
        return self.digest == digest and key.made(self.signature, _message(digest))


def sign(key: PrivateKey, digest: str) -> str:
    """Sign a module by its SHA-256, in hex; give the text of the signature."""
    public = key.public()
    written = _Written(
        propeller_module_signature=1,
        digest=f"sha256:{digest}",
        algorithm=public.algorithm,
        key=public.fingerprint,
        signature=base64.b64encode(key.sign(_message(digest))).decode(),
    )
    return msgspec.json.encode(written).decode()


def read(text: str) -> Signature:
    """Read the text of a signature, in either form; raise ``Invalid`` if it is none."""
    text = text.strip()
    if len(text) > CHARS_MAX:
        raise Invalid(f"it has {len(text)} characters; a signature has at most {CHARS_MAX}")
    if not text.startswith("{"):
        return Signature("", _from_base64(text))
    try:
        written = msgspec.json.decode(text, type=_Written)
    except msgspec.MsgspecError as error:
        raise Invalid(f"it is no signature as propeller sign writes it: {error}") from error
    digest = written.digest.removeprefix("sha256:")
    if written.propeller_module_signature != 1 or written.algorithm not in (ED25519, ECDSA):
        raise Invalid("it is of a form that is not known here; sign with propeller sign of this version")
    if digest == written.digest or not _DIGEST.fullmatch(digest):
        raise Invalid("its digest is none: those are sha256: and 64 hexadecimal digits")
    return Signature(digest, _from_base64(written.signature))


def _from_base64(text: str) -> bytes:
    try:
        found = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as error:
        raise Invalid(
            "it is neither JSON of propeller sign nor base64 of cosign sign-blob; give the file that one of "
            "them wrote"
        ) from error
    if not found:
        raise Invalid("it is empty")
    return found


def _message(digest: str) -> bytes:
    return f"propeller module signature 1\nsha256:{digest}\n".encode()
