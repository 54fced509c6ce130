"""``/join-tokens``: with which a proplet and the manager exchange keys at first contact."""

import secrets

from starlette.types import ASGIApp

from propeller.access.roles import Action
from propeller.api.answers import answer
from propeller.api.bodies import read_json
from propeller.api.context import HttpRequest, context_of
from propeller.api.endpoints import post
from propeller.errors import Conflict, Invalid
from propeller.wire.fleet.joining import ID_BYTES
from propeller.wire.http.joining import JoinTokenView, NewJoinToken
from propeller.wire.http.tokens import lifetime_s
from propeller.wire.rfc3339 import format_time


@post(
    "/join-tokens",
    action=Action.ADMINISTER,
    takes=NewJoinToken,
    gives=JoinTokenView,
    status=201,
    refuses=[409],
    takes_key=False,
)
async def create_join_token(request: HttpRequest) -> ASGIApp:
    """Make a token with which one proplet joins; its text is in this answer and never again."""
    new = await read_json(request, NewJoinToken, lambda new, _: new)
    try:
        lifetime = lifetime_s(new.expires_in)
    except ValueError as error:
        raise Invalid(f"expires_in: {new.expires_in[:100]!r} {error}") from error
    joining = context_of(request).manager.joining
    if joining is None:
        raise Conflict("this manager has no broker, so no proplet can join it; give it one (--mqtt ADDRESS)")
    token, expires_at = joining.token(secrets.token_bytes(ID_BYTES), lifetime)
    view = JoinTokenView(token=token, expires_at=format_time(expires_at * 10**9))
    return answer(view, 201, {"cache-control": "no-store"})


ENDPOINTS = [create_join_token]
