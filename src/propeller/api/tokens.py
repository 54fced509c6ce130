"""``/tokens``: who may use this API, from programs."""

import secrets

from starlette.types import ASGIApp

from propeller.access.making import RANDOM_BYTES, is_within, new_token
from propeller.access.roles import Action
from propeller.access.tokens import Kind, Token
from propeller.api import queries
from propeller.api.answers import answer, nothing
from propeller.api.bodies import read_json
from propeller.api.context import HttpRequest, id_in_path, keyring_of, principal_of
from propeller.api.endpoints import delete, get, post
from propeller.errors import Invalid, no_such
from propeller.wire.http.tokens import (
    CreatedToken,
    NewToken,
    TokenPage,
    TokenView,
    created_token,
    lifetime_s,
    token_view,
)


@post(
    "/tokens",
    action=Action.ADMINISTER,
    takes=NewToken,
    gives=CreatedToken,
    status=201,
    takes_key=False,
)
async def create_token(request: HttpRequest) -> ASGIApp:
    """Create a token; its text is in this answer and never again."""
    new = await read_json(request, NewToken, lambda new, _: new)
    now = keyring_of(request).now()
    token, text = new_token(
        principal_of(request),
        name=new.name,
        role=new.role,
        namespaces=new.namespaces,
        now=now,
        expires_at=now + _lifetime_ns(new.expires_in) if new.expires_in else 0,
        random=secrets.token_bytes(RANDOM_BYTES),
    )
    await keyring_of(request).add(token)
    return answer(created_token(token, text), 201, {"cache-control": "no-store"})


def _lifetime_ns(text: str) -> int:
    try:
        return int(lifetime_s(text) * 10**9)
    except ValueError as error:
        raise Invalid(f"expires_in: {text[:100]!r} {error}") from error


@get("/tokens", action=Action.ADMINISTER, gives=TokenPage, query=[queries.OFFSET, queries.LIMIT])
async def list_tokens(request: HttpRequest) -> ASGIApp:
    """List tokens, the oldest first; those that have expired or were revoked too."""
    page = queries.paging(request)
    found = [token for token in await keyring_of(request).all() if _is_theirs(request, token)]
    shown = [token_view(token) for token in found[page.offset : page.offset + page.limit]]
    return answer(TokenPage(offset=page.offset, limit=page.limit, total=len(found), tokens=shown))


@get("/tokens/{id}", action=Action.ADMINISTER, gives=TokenView, refuses=[404])
async def get_token(request: HttpRequest) -> ASGIApp:
    """Show a token, without its text."""
    return answer(token_view(await _known(request)))


@delete("/tokens/{id}", action=Action.ADMINISTER, status=204, refuses=[404])
async def revoke_token(request: HttpRequest) -> ASGIApp:
    """Revoke a token: from now on it is refused, and what follows events with it ends."""
    token = await _known(request)
    await keyring_of(request).revoke(token.id)
    return nothing()


async def _known(request: HttpRequest) -> Token:
    token_id = id_in_path(request)
    for token in await keyring_of(request).all():
        if token.id == token_id and _is_theirs(request, token):
            return token
    raise no_such("token", token_id)


def _is_theirs(request: HttpRequest, token: Token) -> bool:
    return token.kind is Kind.TOKEN and is_within(principal_of(request), token.namespaces)


ENDPOINTS = [create_token, list_tokens, get_token, revoke_token]
