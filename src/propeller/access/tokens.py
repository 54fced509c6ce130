"""Tokens and sessions: what is kept of them, how their texts are read, and which are good at a moment.

A text is ``prp_ID_SECRET``, or ``prs_ID_SECRET`` for a session of the page, so that scanners find one that
leaked. Of the secret only the hash is kept. A secret is 32 random bytes, so that a plain hash is as good as a
slow one.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from propeller.access.principal import Principal
from propeller.access.roles import Role
from propeller.errors import Unauthenticated

SECRET_BYTES = 32
ID_BYTES = 6
#: How far the clock of who made a token may be ahead of the one that judges it.
SKEW_NS = 300 * 10**9

_TEXT = re.compile(r"(prp|prs)_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)
_NOBODYS = "0" * 64


class Kind(StrEnum):
    TOKEN = "token"  # noqa: S105  the word for it
    #: Of the page in a browser.
    SESSION = "session"


_PREFIX = {Kind.TOKEN: "prp", Kind.SESSION: "prs"}


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token or a session, without its secret. Moments are ns since 1970."""

    id: str
    kind: Kind = Kind.TOKEN
    #: Id of the token that a session was begun with, and ends with; ``""`` for none.
    parent: str = ""
    #: Who its bearer is. Several tokens may have one name, so that one can take the place of another.
    name: str
    role: Role
    #: None for all.
    namespaces: frozenset[str] | None = None
    #: SHA-256 of the secret, in hex.
    digest: str
    created_by: str
    created_at: int
    #: 0 for never.
    expires_at: int = 0
    #: When it was used last, give or take a minute; 0 for never.
    last_used_at: int = 0
    #: 0 while it is not.
    revoked_at: int = 0

    @property
    def principal(self) -> Principal:
        return Principal(
            name=self.name,
            role=self.role,
            namespaces=self.namespaces,
            how=self.kind.value,
            key=self.id,
            expires_at=self.expires_at,
        )


def text_of(kind: Kind, token_id: str, secret: bytes) -> str:
    """Write the text that its bearer shows."""
    return f"{_PREFIX[kind]}_{token_id}_{base64.urlsafe_b64encode(secret).decode().rstrip('=')}"


def parts_of(text: str) -> tuple[str, str] | None:
    """Read the id in a text and the digest of its secret; None if the text is no token or session."""
    found = _TEXT.fullmatch(text)
    if found is None:
        return None
    return found[2], digest_of(found[3])


def digest_of(secret: str) -> str:
    """Hash a secret as it stands in a text."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_id(random: bytes) -> str:
    return random[:ID_BYTES].hex()


class Tokens:
    """All tokens and sessions that there are, and which of them are good."""

    def __init__(self, tokens: Iterable[Token] = ()) -> None:
        self._by_id = {token.id: token for token in tokens}

    def bearer(self, text: str, now: int) -> Principal:
        """Say who shows this text at a moment; raise ``Unauthenticated`` if it is not good."""
        parts = parts_of(text)
        if parts is None:
            raise Unauthenticated(
                "Authorization: this is no token of Propeller, or a part of one, as in prp_ID_SECRET; "
                "send all of it"
            )
        token_id, digest = parts
        token = self._by_id.get(token_id)
        kept = _NOBODYS if token is None else token.digest
        # Compared also where there is none, so that the time that it takes tells nothing.
        if not hmac.compare_digest(kept, digest) or token is None:
            raise Unauthenticated(
                "Authorization: this manager does not know the token; it may be of another manager, or was "
                "deleted: ask an admin for one"
            )
        if problem := self.problem(token_id, now):
            raise Unauthenticated(f"Authorization: {problem}")
        return token.principal

    def problem(self, token_id: str, now: int) -> str:
        """Say why a token is not good at a moment; ``""`` if it is."""
        token = self._by_id.get(token_id)
        if token is None:
            return "the token is not there any more; ask an admin for one"
        what = f"the {token.kind} {token.id}"
        if token.revoked_at:
            return f"{what} was revoked; ask an admin for another"
        if token.expires_at and now >= token.expires_at:
            again = "sign in again" if token.kind is Kind.SESSION else "ask an admin for another"
            return f"{what} has expired; {again}"
        if token.created_at > now + SKEW_NS:
            return f"{what} was made in the future, by the clock of this manager; set the clocks right"
        if token.parent:
            return self.problem(token.parent, now)
        return ""
