"""Tokens and sessions in the JSON of the HTTP API."""

import re
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from propeller.access.principal import Principal
from propeller.access.roles import Role
from propeller.access.tokens import Token
from propeller.wire.durations import parse_duration
from propeller.wire.http.schema import Page, Time, like
from propeller.wire.rfc3339 import format_time

_DAYS = re.compile(r"(\d{1,5})d", re.ASCII)
_DAY_S = 86400.0

Namespaces = Annotated[
    list[str], like("Namespaces that its bearer sees; left out for all.", title="TokenNamespaces")
]


class NewToken(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    name: Annotated[str, like("Who its bearer is; what they create is theirs.")]
    role: Annotated[str, like("What its bearer may do.", title="Role", enum=[role.value for role in Role])]
    #: Without it, those of who creates it.
    namespaces: Namespaces | None = None
    expires_in: Annotated[str, like("As in 90d or 12h; empty for never.")] = ""


class NewSession(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    token: Annotated[str, like("A token, as it was shown when it was created.")]


class TokenView(msgspec.Struct, kw_only=True):
    """A token without its secret."""

    id: str
    name: str
    role: str
    namespaces: Namespaces | UnsetType = UNSET
    created_by: str
    created_at: Time
    expires_at: Time | UnsetType = UNSET
    #: Give or take a minute.
    last_used_at: Time | UnsetType = UNSET
    revoked_at: Time | UnsetType = UNSET


class CreatedToken(TokenView, kw_only=True):
    #: The text to send; it is not shown again.
    token: str


class TokenPage(Page, kw_only=True):
    tokens: list[TokenView]


class PrincipalView(msgspec.Struct, kw_only=True):
    """Who sends the request."""

    name: str
    role: str
    namespaces: Namespaces | UnsetType = UNSET
    #: How they are known: none, token, session, oidc, certificate or proxy.
    how: str
    expires_at: Time | UnsetType = UNSET


def lifetime_s(text: str) -> float:
    """Read how long a token is good; raise ``ValueError``, whose text says what one looks like."""
    days = _DAYS.fullmatch(text.strip())
    seconds = float(days[1]) * _DAY_S if days else parse_duration(text)
    if seconds <= 0:
        raise ValueError("is no time at all; leave it out for a token that does not expire")
    return seconds


def token_view(token: Token) -> TokenView:
    return TokenView(**_fields(token))


def created_token(token: Token, text: str) -> CreatedToken:
    return CreatedToken(**_fields(token), token=text)


def principal_view(principal: Principal) -> PrincipalView:
    return PrincipalView(
        name=principal.name,
        role=principal.role.value,
        namespaces=_namespaces(principal.namespaces),
        how=principal.how,
        expires_at=_moment(principal.expires_at),
    )


def _fields(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "role": token.role.value,
        "namespaces": _namespaces(token.namespaces),
        "created_by": token.created_by,
        "created_at": format_time(token.created_at),
        "expires_at": _moment(token.expires_at),
        "last_used_at": _moment(token.last_used_at),
        "revoked_at": _moment(token.revoked_at),
    }


def _namespaces(namespaces: frozenset[str] | None) -> list[str] | UnsetType:
    return UNSET if namespaces is None else sorted(namespaces)


def _moment(at: int) -> str | UnsetType:
    return format_time(at) if at else UNSET
