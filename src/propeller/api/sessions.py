"""``/session``: who one is, and signing in and out of the page.

A browser keeps the session in a cookie that no script reads, and that no page of another site makes it send.
``EventSource``, which can send no header, is let in by it too. The gate refuses changes that pages of other
origins send, also of other ports of this machine, whose cookies are the same.
"""

import secrets
from http.cookies import CookieError, SimpleCookie

from starlette.types import ASGIApp, Scope

from propeller.access.making import RANDOM_BYTES, new_session
from propeller.access.principal import Principal
from propeller.access.roles import Action
from propeller.access.tokens import Kind, Token
from propeller.api.answers import answer
from propeller.api.authentication import AUTHENTICATION, Authentication
from propeller.api.bodies import read_json
from propeller.api.context import HttpRequest, keyring_of, principal_of
from propeller.api.endpoints import delete, get, post
from propeller.errors import Conflict, Unauthenticated
from propeller.manager.keyring import Keyring
from propeller.wire.http.tokens import NewSession, PrincipalView, principal_view

#: With the prefix, a browser takes it from this very host and over HTTPS only.
_NAME, _SAFE_NAME = "propeller", "__Host-propeller"


def session_cookie(text: str, seconds: int, *, is_safe: bool) -> str:
    """Write the header that keeps a session in the browser for so long; 0 to forget it."""
    name = _SAFE_NAME if is_safe else _NAME
    secure = "; Secure" if is_safe else ""
    return f"{name}={text}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}"


def session_in(scope: Scope) -> str:
    """Read the session in the cookies of a request; ``""`` if there is none."""
    name = _SAFE_NAME if scope["scheme"] == "https" else _NAME
    for key, value in scope["headers"]:
        if key == b"cookie":
            cookies: SimpleCookie = SimpleCookie()
            try:
                cookies.load(value.decode("latin-1"))
            except CookieError:
                continue
            if name in cookies:
                return cookies[name].value
    return ""


class SessionWay:
    """Knows who has signed in, in a browser."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def principal(self, scope: Scope, bearer: str) -> Principal | None:
        text = "" if bearer else session_in(scope)
        return await self._keyring.bearer(text) if text else None


@post(
    "/session",
    action=Action.OPEN,
    takes=NewSession,
    gives=PrincipalView,
    status=201,
    refuses=[401, 409, 429],
    takes_key=False,
)
async def sign_in(request: HttpRequest) -> ASGIApp:
    """Sign in with a token, in a browser: the answer sets a cookie that no script can read."""
    new = await read_json(request, NewSession, lambda new, _: new)
    authentication = request.scope[AUTHENTICATION]
    assert isinstance(authentication, Authentication)
    if authentication.asks_nobody:
        raise Conflict("this manager asks nobody who they are, so there is nothing to sign in to")
    return await begin_session(request, await authentication.known(request.scope, lambda: new.token))


async def begin_session(request: HttpRequest, principal: Principal) -> ASGIApp:
    """Begin a session of somebody who is known, and answer who that is."""
    session, cookie = await kept_session(request, principal, is_safe=request.scope["scheme"] == "https")
    headers = {"set-cookie": cookie, "cache-control": "no-store"}
    return answer(principal_view(session.principal), 201, headers)


async def kept_session(request: HttpRequest, principal: Principal, *, is_safe: bool) -> tuple[Token, str]:
    """Begin a session of somebody who is known; give it, and the header for its cookie."""
    keyring = keyring_of(request)
    session, text = new_session(principal, keyring.now(), secrets.token_bytes(RANDOM_BYTES))
    await keyring.add(session)
    seconds = (session.expires_at - session.created_at) // 10**9
    return session, session_cookie(text, seconds, is_safe=is_safe)


@get("/session", action=Action.READ, gives=PrincipalView)
async def get_session(request: HttpRequest) -> ASGIApp:
    """Say who sends the request, and what they may do."""
    return answer(principal_view(principal_of(request)), headers={"cache-control": "no-store"})


@delete("/session", action=Action.OPEN, status=200, gives=PrincipalView, refuses=[401, 429])
async def sign_out(request: HttpRequest) -> ASGIApp:
    """End the session that the cookie has; the browser forgets it."""
    principal = principal_of(request)
    if principal.how != Kind.SESSION:
        raise Unauthenticated("the request has no session, so there is nobody to sign out")
    await keyring_of(request).revoke(principal.key)
    is_safe = request.scope["scheme"] == "https"
    return answer(principal_view(principal), headers={"set-cookie": session_cookie("", 0, is_safe=is_safe)})


ENDPOINTS = [sign_in, get_session, sign_out]
