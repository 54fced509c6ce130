"""The part of a store that keeps tokens and sessions, and how they stand in a row."""

import json
from collections.abc import Mapping
from typing import Any, Protocol

from propeller.access.roles import Role
from propeller.access.tokens import Kind, Token

#: As the fields are called.
COLUMNS = Token.__struct_fields__


class TokenStore(Protocol):
    """Tokens and sessions; what is written is durable when the operation returns, whoever leads."""

    async def tokens(self) -> list[Token]:
        """Read all, the oldest first."""

    async def add_token(self, token: Token) -> None:
        """Keep one that is new; nothing is changed if its id is there already."""

    async def revoke_token(self, token_id: str, at: int) -> Token | None:
        """Revoke one, unless it was before, and give it as it is then; None if there is none."""

    async def note_uses(self, uses: Mapping[str, int]) -> None:
        """Note when some were used last, by their ids, ns since 1970."""

    async def forget_tokens(self, before: int) -> None:
        """Delete sessions that expired or were revoked before a moment; tokens stay, for the record."""


def row_of(token: Token) -> tuple[Any, ...]:
    namespaces = None if token.namespaces is None else json.dumps(sorted(token.namespaces))
    return (
        token.id,
        token.kind.value,
        token.parent,
        token.name,
        token.role.value,
        namespaces,
        token.digest,
        token.created_by,
        token.created_at,
        token.expires_at,
        token.last_used_at,
        token.revoked_at,
    )


def token_of(row: tuple[Any, ...]) -> Token:
    (id_, kind, parent, name, role, namespaces, digest, by, created_at, expires_at, used_at, revoked_at) = row
    return Token(
        id=id_,
        kind=Kind(kind),
        parent=parent,
        name=name,
        role=Role(role),
        namespaces=None if namespaces is None else frozenset(json.loads(namespaces)),
        digest=digest,
        created_by=by,
        created_at=created_at,
        expires_at=expires_at,
        last_used_at=used_at,
        revoked_at=revoked_at,
    )
