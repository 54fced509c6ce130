"""A sign-in at an issuer ends in the browser that began it, and nowhere else."""

import base64
import hashlib
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from propeller.access.oidc import check_party
from propeller.access.sign_in import RANDOM_BYTES, address_of, as_text, begin, code_of, resumed
from propeller.errors import Unauthenticated

ISSUER = "https://issuer.example"
RANDOM = bytes(range(RANDOM_BYTES))
SIGN_IN = begin(RANDOM, "https://manager.example/session/oidc/callback", "/ui/tasks")


def test_the_issuer_is_told_no_secret_of_the_browser():
    address = address_of(SIGN_IN, f"{ISSUER}/auth?tenant=t", "page", ("openid", "groups"))
    asked = {name: value[0] for name, value in parse_qs(urlsplit(address).query).items()}
    digest = hashlib.sha256(SIGN_IN.verifier.encode()).digest()
    assert asked == {
        "tenant": "t",
        "response_type": "code",
        "client_id": "page",
        "redirect_uri": SIGN_IN.redirect,
        "scope": "openid groups",
        "state": SIGN_IN.state,
        "nonce": SIGN_IN.nonce,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    assert len({SIGN_IN.state, SIGN_IN.nonce, SIGN_IN.verifier}) == 3
    assert len(SIGN_IN.verifier) == 43
    assert SIGN_IN.verifier not in address


def test_the_browser_keeps_all_of_it():
    assert resumed(as_text(SIGN_IN)) == SIGN_IN


@pytest.mark.parametrize(
    "text", ["", "x", "é", "e30", as_text(SIGN_IN)[:-9], base64.b64encode(b"[]").decode()]
)
def test_a_cookie_that_holds_no_sign_in_is_none(text):
    with pytest.raises(Unauthenticated, match="has not begun to sign in"):
        resumed(text)


@pytest.mark.parametrize(
    "page",
    ["//evil.example", "https://evil.example", "/ui/../tasks", "/ui//evil.example", "/uix", "javascript:1", "", "/",
     "/ui/\nx", "/ui/a\\b", "/tasks"],
)  # fmt: skip
def test_it_leads_to_no_page_but_ours(page):
    assert begin(RANDOM, SIGN_IN.redirect, page).page == "/ui/"


@pytest.mark.parametrize("page", ["/ui/", "/ui/tasks", "/ui/tasks?state=failed&search=a%20b", "/ui/jobs/a-1"])
def test_it_goes_on_with_the_page_where_it_began(page):
    assert begin(RANDOM, SIGN_IN.redirect, page).page == page


def test_the_end_gives_the_code():
    assert code_of({"state": SIGN_IN.state, "code": "c"}, SIGN_IN, ISSUER) == "c"
    assert code_of({"state": SIGN_IN.state, "code": "c", "iss": ISSUER}, SIGN_IN, ISSUER) == "c"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"code": "c"}, "state"),
        ({"code": "c", "state": ""}, "state"),
        ({"code": "c", "state": "é"}, "state"),
        ({"code": "c", "state": SIGN_IN.nonce}, "state"),
        ({"error": "access_denied", "state": "other"}, "state"),
        ({"code": "c", "state": SIGN_IN.state, "iss": "https://evil.example"}, "another issuer"),
        ({"error": "access_denied", "state": SIGN_IN.state}, "did not let you in: access_denied"),
        ({"state": SIGN_IN.state}, "no code"),
        ({"state": SIGN_IN.state, "code": ""}, "no code"),
    ],
)
def test_an_end_that_does_not_fit_the_begin_is_refused(answer, why):
    with pytest.raises(Unauthenticated, match=why):
        code_of(answer, SIGN_IN, ISSUER)


def test_no_two_sign_ins_are_alike_in_anything():
    other = begin(bytes(reversed(RANDOM)), SIGN_IN.redirect, SIGN_IN.page)
    secret = ("state", "nonce", "verifier")
    assert not {getattr(SIGN_IN, name) for name in secret} & {getattr(other, name) for name in secret}
    assert msgspec.structs.replace(other, state="", nonce="", verifier="") == msgspec.structs.replace(
        SIGN_IN, state="", nonce="", verifier=""
    )


def test_a_token_that_another_client_was_given_is_refused():
    check_party({}, "page")
    check_party({"azp": "page"}, "page")
    with pytest.raises(Unauthenticated, match="azp"):
        check_party({"azp": "other"}, "page")
