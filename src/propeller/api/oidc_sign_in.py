"""``/session/oidc``: sign in at an issuer of OpenID Connect, and come back with a session.

The manager is the client: it sends the browser to the issuer, and exchanges the code that the browser brings
back (with PKCE). What comes of it is the session that a token gives too. What the browser keeps meanwhile is
in a cookie that no script reads, and which it sends along when the issuer sends it back.
"""

import html
import secrets
from http.cookies import CookieError, SimpleCookie

from starlette.responses import Response
from starlette.types import ASGIApp, Scope

from propeller.access.principal import Principal
from propeller.access.roles import Action
from propeller.access.sign_in import RANDOM_BYTES, SIGN_IN_S, SignIn, as_text, begin, code_of, resumed
from propeller.api.answers import STATUSES, answer
from propeller.api.authentication import AUTHENTICATION, Authentication
from propeller.api.context import HttpRequest
from propeller.api.endpoints import get
from propeller.api.issuing import Issuing
from propeller.api.page import POLICY
from propeller.api.proxies import outside_url
from propeller.api.queries import Query
from propeller.api.sessions import kept_session
from propeller.errors import NotFound, PropellerError, Unauthenticated
from propeller.wire.http.oidc import IssuerView

_COOKIE, _SAFE_COOKIE = "propeller-sign-in", "__Host-propeller-sign-in"
_CALLBACK = "/session/oidc/callback"
_PROBLEM = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Not signed in - Propeller</title></head>
<body><main><h1>You are not signed in</h1><p>{why}</p><p><a href="start">Try again</a>,
or <a href="../../ui/">go to the first page</a>.</p></main></body></html>
"""


@get("/session/oidc", action=Action.OPEN, gives=IssuerView, refuses=[404], anywhere=True)
async def get_issuer(request: HttpRequest) -> ASGIApp:
    """Say at which issuer people sign in, and as which client."""
    issuing = _issuing(request)
    clients = issuing.clients
    return answer(
        IssuerView(
            issuer=issuing.name,
            has_page=bool(clients.page),
            cli_client_id=clients.cli,
            scopes=list(clients.scopes),
        )
    )


@get(
    "/session/oidc/start",
    action=Action.OPEN,
    query=[Query("page", "The page to go on with, such as `/ui/tasks`.", {"type": "string"})],
    status=303,
    refuses=[404],
    anywhere=True,
)
async def start_sign_in(request: HttpRequest) -> ASGIApp:
    """Send the browser to the issuer, to sign in there."""
    issuing = _issuing(request)
    if not issuing.clients.page:
        raise NotFound("not found: nobody can sign in on this page; an admin can name a client of the issuer")
    sign_in = begin(
        secrets.token_bytes(RANDOM_BYTES),
        f"{outside_url(request.scope)}{_CALLBACK}",
        request.query_params.get("page", ""),
    )
    headers = {
        "location": await issuing.address(sign_in),
        "set-cookie": _cookie(sign_in.redirect, as_text(sign_in), SIGN_IN_S),
        "cache-control": "no-store",
    }
    return Response(b"", 303, headers)


@get(_CALLBACK, action=Action.OPEN, status=303, refuses=[401, 404], takes_any_query=True)
async def end_sign_in(request: HttpRequest) -> ASGIApp:
    """Take in the browser that comes back from the issuer, and begin its session."""
    issuing = _issuing(request)
    sign_in: SignIn | None = None
    try:
        sign_in = _kept(request.scope)
        code = code_of(dict(request.query_params), sign_in, issuing.name)
        principal = await issuing.signed_in(sign_in, code)
    except PropellerError as error:
        return _problem(error, sign_in)
    return await _welcome(request, principal, sign_in)


async def _welcome(request: HttpRequest, principal: Principal, sign_in: SignIn) -> Response:
    _, cookie = await kept_session(request, principal, is_safe=_is_safe(sign_in.redirect))
    # Relative, so that it holds behind the prefix of a proxy too.
    response = Response(b"", 303, {"location": f"../..{sign_in.page}", "cache-control": "no-store"})
    response.headers.append("set-cookie", cookie)
    response.headers.append("set-cookie", _cookie(sign_in.redirect, "", 0))
    return response


def _problem(error: PropellerError, sign_in: SignIn | None) -> Response:
    """Say to a person in a browser why it did not work."""
    headers = {
        "content-security-policy": POLICY,
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
    }
    if sign_in is not None:
        headers["set-cookie"] = _cookie(sign_in.redirect, "", 0)
    content = _PROBLEM.format(why=html.escape(str(error)))
    return Response(content, STATUSES[type(error)], headers, media_type="text/html")


def _issuing(request: HttpRequest) -> Issuing:
    authentication = request.scope[AUTHENTICATION]
    assert isinstance(authentication, Authentication)
    issuing = authentication.issuing
    if issuing is None:
        raise NotFound("not found: this manager knows nobody by an issuer; sign in with a token")
    return issuing


def _is_safe(redirect: str) -> bool:
    return redirect.startswith("https://")


def _cookie(redirect: str, text: str, seconds: int) -> str:
    """Write the header that keeps a sign-in for so long; 0 to forget it.

    It comes along when the issuer sends the browser back, which a stricter one would not.
    """
    is_safe = _is_safe(redirect)
    name, secure = (_SAFE_COOKIE, "; Secure") if is_safe else (_COOKIE, "")
    return f"{name}={text}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}"


def _kept(scope: Scope) -> SignIn:
    """Read the sign-in among the cookies; raise ``Unauthenticated`` if there is none.

    One that began by HTTPS is in the cookie that only HTTPS can set, so nobody on the way plants another.
    """
    found: dict[str, str] = {}
    for key, value in scope["headers"]:
        if key == b"cookie":
            cookies: SimpleCookie = SimpleCookie()
            try:
                cookies.load(value.decode("latin-1"))
            except CookieError:
                continue
            found |= {name: morsel.value for name, morsel in cookies.items()}
    is_safe = _SAFE_COOKIE in found
    sign_in = resumed(found[_SAFE_COOKIE] if is_safe else found.get(_COOKIE, ""))
    if _is_safe(sign_in.redirect) != is_safe:
        raise Unauthenticated("this browser began to sign in at another address; begin again")
    return sign_in


ENDPOINTS = [get_issuer, start_sign_in, end_sign_in]
