"""Join tokens: how a proplet and its manager exchange keys at first contact, though others hear all. Pure.

A token has the manager's public key, and a secret that the manager makes from its own key: it keeps none. The
proplet sends its public key with a proof that it knows the secret, and never the token itself.
"""

import base64
import hmac
from typing import NamedTuple

from propeller.wire.fleet.from_proplet import Join

#: Scanners find a token that leaked by this.
PREFIX = "prj_"
ID_BYTES, _TIME_BYTES, _KEY_BYTES = 9, 6, 32
_LENGTH = ID_BYTES + _TIME_BYTES + 2 * _KEY_BYTES
_CONTEXT = b"propeller join 1 "


class JoinToken(NamedTuple):
    id: str
    #: s since 1970.
    expires_at: int
    #: The public key of the manager, as text.
    manager_key: str
    secret: bytes


def join_token(signing_key: str, manager_key: str, id_bytes: bytes, expires_at: int) -> str:
    """Write a token of the manager with this private and this public key.

    Args:
        signing_key: The private key.
        manager_key: The public one.
        id_bytes: ``ID_BYTES`` of chance.
        expires_at: s since 1970.

    """
    secret = secret_of(signing_key, _text_of(id_bytes), expires_at)
    raw = id_bytes + expires_at.to_bytes(_TIME_BYTES, "big") + _bytes_of(manager_key) + secret
    return PREFIX + _text_of(raw)


def read_join_token(text: str) -> JoinToken:
    """Read a token; raise ``ValueError`` if it is none."""
    try:
        raw = _bytes_of(text.removeprefix(PREFIX)) if text.startswith(PREFIX) else b""
    except ValueError:
        raw = b""
    if len(raw) != _LENGTH:
        raise ValueError("is no join token; get one with: propeller proplets token")
    at = ID_BYTES + _TIME_BYTES
    return JoinToken(
        id=_text_of(raw[:ID_BYTES]),
        expires_at=int.from_bytes(raw[ID_BYTES:at], "big"),
        manager_key=_text_of(raw[at : at + _KEY_BYTES]),
        secret=raw[at + _KEY_BYTES :],
    )


def secret_of(signing_key: str, token_id: str, expires_at: int) -> bytes:
    """Make the secret of a token, from the private key of the manager that gave it."""
    return hmac.digest(
        _bytes_of(signing_key), b"%stoken %s %d" % (_CONTEXT, token_id.encode(), expires_at), "sha256"
    )


def join_of(token: JoinToken, base: str, proplet_id: str, public_key: str, boot: int) -> Join:
    """Write what a proplet says to join; ``base`` is the channel."""
    return Join(
        proplet_id=proplet_id,
        boot=boot,
        token_id=token.id,
        expires_at=token.expires_at,
        public_key=public_key,
        proof=_proof(token.secret, base, proplet_id, public_key),
    )


def is_proven(join: Join, signing_key: str, base: str) -> bool:
    """Say whether a proplet that wants to join has a token of the manager with this private key."""
    secret = secret_of(signing_key, join.token_id, join.expires_at)
    wanted = _proof(secret, base, join.proplet_id, join.public_key)
    return hmac.compare_digest(wanted.encode(), join.proof.encode())


def _proof(secret: bytes, base: str, proplet_id: str, public_key: str) -> str:
    said = f"{base} {proplet_id} {public_key}".encode()
    return _text_of(hmac.digest(secret, _CONTEXT + said, "sha256"))


def _text_of(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes_of(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
