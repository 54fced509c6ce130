"""A sign-in at an issuer of OpenID Connect, from its begin to its end: what the browser keeps meanwhile.

The browser that begins is the one that ends it: it keeps secrets in a cookie, of which the issuer sees none
but ``state`` and ``nonce``, and of the verifier only a hash.
Source: RFC 6749, 4.1 and 10.12; RFC 7636, 4; RFC 9207; OpenID Connect Core 1.0, 3.1.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from propeller.errors import Unauthenticated

#: How long somebody may take at the issuer, s.
SIGN_IN_S = 600
#: How many random bytes a sign-in takes.
RANDOM_BYTES = 96
#: A page of ours, as a browser asks for it.
_PAGE = re.compile(r"/ui/(?!/)[A-Za-z0-9._~/%-]*(\?[A-Za-z0-9._~/%&=+:,-]*)?", re.ASCII)
_FIRST_PAGE = "/ui/"


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """What the browser keeps until it comes back."""

    state: str
    nonce: str
    verifier: str
    #: Where the issuer sends the browser back to.
    redirect: str
    #: The page of ours to go on with.
    page: str


def begin(random: bytes, redirect: str, page: str) -> SignIn:
    """Begin a sign-in.

    Args:
        random: ``RANDOM_BYTES`` of them.
        redirect: Where the issuer sends the browser back to.
        page: The page of ours to go on with; the first one in place of what is none.

    """
    third = RANDOM_BYTES // 3
    state, nonce, verifier = (_text(random[at : at + third]) for at in range(0, RANDOM_BYTES, third))
    is_ours = _PAGE.fullmatch(page) is not None and ".." not in page
    return SignIn(
        state=state, nonce=nonce, verifier=verifier, redirect=redirect, page=page if is_ours else _FIRST_PAGE
    )


def address_of(sign_in: SignIn, endpoint: str, client_id: str, scopes: Sequence[str]) -> str:
    """Give the address at the issuer that the browser goes to."""
    asked = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": sign_in.redirect,
        "scope": " ".join(scopes),
        "state": sign_in.state,
        "nonce": sign_in.nonce,
        "code_challenge": _text(hashlib.sha256(sign_in.verifier.encode()).digest()),
        "code_challenge_method": "S256",
    }
    parts = urlsplit(endpoint)
    return urlunsplit(parts._replace(query=urlencode([*parse_qsl(parts.query), *asked.items()])))


def as_text(sign_in: SignIn) -> str:
    """Write it for a cookie."""
    return _text(msgspec.json.encode(sign_in))


def resumed(text: str) -> SignIn:
    """Read it from a cookie; raise ``Unauthenticated`` if that has none."""
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=SignIn)
    except (ValueError, msgspec.MsgspecError) as error:
        raise Unauthenticated(
            f"this browser has not begun to sign in here, or did so more than {SIGN_IN_S // 60} minutes ago"
        ) from error


def code_of(answer: Mapping[str, str], sign_in: SignIn, issuer: str) -> str:
    """Read the code that the browser brings back from the issuer.

    Raises:
        Unauthenticated: It is the answer to another sign-in or of another issuer, or a refusal.

    """
    if not hmac.compare_digest(answer.get("state", "").encode(), sign_in.state.encode()):
        raise Unauthenticated("this is not the end of the sign-in that this browser began last (state)")
    if answer.get("iss", issuer) != issuer:
        raise Unauthenticated("this sign-in was at another issuer (iss)")
    if "error" in answer:
        told = answer.get("error_description") or answer["error"]
        raise Unauthenticated(f"the issuer did not let you in: {told[:200]}")
    if not answer.get("code"):
        raise Unauthenticated("the issuer sent no code")
    return answer["code"]


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
