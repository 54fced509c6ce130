"""People of a real issuer use the API: by its tokens, and by signing in there in a browser."""

import asyncio
import re
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from propeller.access.making import SESSION_NS
from tests.api.oidc_helpers import environ_for, serving
from tests.parts.issuer import CLIENT, SECRET, WEB_CLIENT, RealIssuer, through_forms
from tests.parts.ports import free_port

#: The manager stands there in each of these tests.
PORT = free_port()
CALLBACK = f"http://127.0.0.1:{PORT}/session/oidc/callback"


@pytest.fixture(scope="module")
def issuer(tmp_path_factory):
    with RealIssuer(tmp_path_factory.mktemp("issuer"), redirects=(CALLBACK,)) as made:
        yield made


def play(directory, environ, scene):
    async def played():
        async with serving(directory, PORT, environ) as at:
            await scene(at)

    asyncio.run(played())


async def signed_in(at, person, page=""):
    """Sign somebody in as a browser does; give what the manager answers in the end."""
    begun = await at.get("/session/oidc/start", params={"page": page} if page else {})
    assert begun.status_code == 303, begun.text
    back = await asyncio.to_thread(by_hand, begun.headers["location"], person)
    return await at.get(back.removeprefix(at.url))


def by_hand(address, person):
    with httpx.Client(trust_env=False, timeout=20) as web:
        return through_forms(web, address, None, person, CALLBACK)


# -- tokens --------------------------------------------------------------------------------------------------


def test_a_token_of_the_issuer_does_what_its_role_may(issuer, tmp_path):
    tokens = {name: issuer.tokens_of(name)["access_token"] for name in ("ann", "sue", "vic", "nobody")}

    async def scene(at):
        who = (await at.get("/session", tokens["sue"])).json()
        assert (who["name"], who["role"], who["how"], who["namespaces"]) == (
            "oidc:sue",
            "submitter",
            "oidc",
            ["team-a"],
        )
        assert (await at.get("/tasks", tokens["vic"])).status_code == 200
        assert (await at.get("/tokens", tokens["vic"])).status_code == 403
        assert (await at.get("/tokens", tokens["ann"])).status_code == 200
        stranger = await at.get("/tasks", tokens["nobody"])
        assert stranger.status_code == 403
        assert "nobody has no role here" in stranger.json()["error"]
        assert (await at.get("/health", tokens["nobody"])).status_code == 200

    play(tmp_path, environ_for(issuer), scene)


def test_a_token_that_is_wrong_is_answered_401(issuer, tmp_path):
    good = issuer.token_for_machine()
    head, body, signature = good.split(".")

    async def scene(at):
        assert (await at.get("/tasks", good)).status_code == 200
        for wrong in (f"{head}.{body}.{signature[:-4]}AAAA", f"{head}.{body}.", "a.b.c"):
            response = await at.get("/tasks", wrong)
            assert response.status_code == 401
            assert response.headers["www-authenticate"] == "Bearer"
            assert response.json()["error"].startswith("token: ")
        doubled = [("authorization", f"Bearer {good}")] * 2
        assert (await at.http.get("/tasks", headers=doubled)).status_code == 401

    play(tmp_path, environ_for(issuer), scene)


def test_without_the_mode_its_tokens_are_of_no_use(issuer, tmp_path):
    good = issuer.token_for_machine()

    async def scene(at):
        assert (await at.get("/tasks", good)).status_code == 401
        for path in ("/session/oidc", "/session/oidc/start", "/session/oidc/callback"):
            assert (await at.get(path)).status_code == 404

    play(tmp_path, {"MANAGER_AUTH": "tokens"}, scene)


def test_while_the_issuer_was_never_reached_others_are_let_in_all_the_same(issuer, tmp_path):
    good = issuer.token_for_machine()
    nowhere = f"http://127.0.0.1:{free_port()}"

    async def scene(at):
        response = await at.get("/tasks", good)
        assert response.status_code == 503
        assert "the issuer" in response.json()["error"]
        assert (await at.get("/tasks")).status_code == 401
        assert (await at.get("/health")).status_code == 200
        assert (await at.get("/session/oidc/start")).status_code == 503

    play(tmp_path, environ_for(issuer, MANAGER_OIDC_ISSUER=nowhere), scene)


def test_values_of_a_claim_are_the_roles_that_the_settings_say(issuer, tmp_path):
    token = issuer.tokens_of("vic")["access_token"]

    async def scene(at):
        assert (await at.get("/session", token)).json()["role"] == "operator"

    play(tmp_path, environ_for(issuer, MANAGER_OIDC_ROLES="something else=operator"), scene)


# -- signing in in a browser ---------------------------------------------------------------------------------


def test_the_page_is_told_where_to_sign_in(issuer, tmp_path):
    async def scene(at):
        assert (await at.get("/session/oidc")).json() == {
            "issuer": issuer.address,
            "has_page": True,
            "cli_client_id": CLIENT,
            "scopes": ["openid"],
        }

    play(tmp_path, environ_for(issuer), scene)


@pytest.mark.parametrize(
    "client",
    [{}, {"MANAGER_OIDC_CLIENT_ID": WEB_CLIENT, "MANAGER_OIDC_CLIENT_SECRET": SECRET}],
    ids=["public", "secret"],
)
def test_a_browser_signs_in_by_a_code_and_gets_a_session(issuer, tmp_path, client):
    async def scene(at):
        end = await signed_in(at, "oskar", "/ui/tasks?state=failed")
        assert end.status_code == 303, end.text
        assert end.headers["location"] == "../../ui/tasks?state=failed"
        session = next(one for one in end.headers.get_list("set-cookie") if one.startswith("propeller="))
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in session.split(";")}
        assert int(re.search(r"Max-Age=(\d+)", session)[1]) == SESSION_NS // 10**9, "and not the token's"
        assert "propeller-sign-in" not in at.http.cookies
        who = (await at.get("/session")).json()
        assert (who["name"], who["role"], who["how"]) == ("oidc:oskar", "operator", "session")
        assert (await at.http.delete("/session")).status_code == 200
        assert (await at.get("/session")).status_code == 401

    play(tmp_path, environ_for(issuer, **client), scene)


def test_a_wrong_secret_of_the_client_lets_nobody_in(issuer, tmp_path):
    async def scene(at):
        end = await signed_in(at, "ann")
        assert end.status_code == 401
        assert "refuses it" in end.text

    client = {"MANAGER_OIDC_CLIENT_ID": WEB_CLIENT, "MANAGER_OIDC_CLIENT_SECRET": "wrong"}
    play(tmp_path, environ_for(issuer, **client), scene)


def test_a_command_line_is_sent_to_a_client_of_its_own_where_the_page_has_a_secret(issuer, tmp_path):
    async def scene(at):
        told = (await at.get("/session/oidc")).json()
        assert (told["cli_client_id"], told["scopes"]) == (CLIENT, ["openid", "groups"])

    client = {
        "MANAGER_OIDC_CLIENT_ID": WEB_CLIENT,
        "MANAGER_OIDC_CLIENT_SECRET": SECRET,
        "MANAGER_OIDC_CLI_CLIENT_ID": CLIENT,
        "MANAGER_OIDC_SCOPES": "groups",
    }
    play(tmp_path, environ_for(issuer, **client), scene)


def test_the_issuer_is_asked_with_a_challenge_and_gets_no_secret(issuer, tmp_path):
    async def scene(at):
        begun = await at.get("/session/oidc/start")
        asked = parse_qs(urlsplit(begun.headers["location"]).query)
        assert asked["code_challenge_method"] == ["S256"]
        assert asked["redirect_uri"] == [CALLBACK]
        cookie = begun.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=Lax", "Max-Age=600"} <= {part.strip() for part in cookie.split(";")}

    play(tmp_path, environ_for(issuer), scene)


def test_who_has_no_role_gets_no_session(issuer, tmp_path):
    async def scene(at):
        end = await signed_in(at, "nobody")
        assert end.status_code == 403
        assert end.headers["content-type"].startswith("text/html")
        assert "nobody has no role here" in end.text
        assert "propeller" not in at.http.cookies

    play(tmp_path, environ_for(issuer), scene)


def test_an_end_without_its_begin_is_refused(issuer, tmp_path):
    """Nobody can make a browser sign in as somebody else: neither its code nor its answer fits there."""

    async def scene(at):
        begun = await at.get("/session/oidc/start")
        back = await asyncio.to_thread(by_hand, begun.headers["location"], "ann")
        path = back.removeprefix(at.url)
        own_cookies = dict(at.http.cookies)
        at.http.cookies.clear()
        alone = await at.get(path)
        assert alone.status_code == 401
        assert "has not begun to sign in" in alone.text
        await at.get("/session/oidc/start")
        other = await at.get(path)
        assert other.status_code == 401
        assert "(state)" in other.text
        changed = re.sub(r"state=[^&]+", f"state={parse_qs(urlsplit(path).query)['code'][0]}", path)
        at.http.cookies.clear()
        at.http.cookies.update(own_cookies)
        assert (await at.get(changed)).status_code == 401
        assert "propeller" not in at.http.cookies

    play(tmp_path, environ_for(issuer), scene)


def test_a_code_counts_once(issuer, tmp_path):
    async def scene(at):
        begun = await at.get("/session/oidc/start")
        cookies = dict(at.http.cookies)
        path = (await asyncio.to_thread(by_hand, begun.headers["location"], "ann")).removeprefix(at.url)
        assert (await at.get(path)).status_code == 303
        at.http.cookies.clear()
        at.http.cookies.update(cookies)
        again = await at.get(path)
        assert again.status_code == 401
        assert "refuses it" in again.text

    play(tmp_path, environ_for(issuer), scene)


def test_a_refusal_of_the_issuer_is_shown_as_text(issuer, tmp_path):
    async def scene(at):
        begun = await at.get("/session/oidc/start")
        state = parse_qs(urlsplit(begun.headers["location"]).query)["state"][0]
        told = {"error": "access_denied", "error_description": "<script>alert(1)</script>", "state": state}
        end = await at.get("/session/oidc/callback", params=told)
        assert end.status_code == 401
        assert "&lt;script&gt;" in end.text
        assert "<script" not in end.text
        assert "script-src 'self'" in end.headers["content-security-policy"]

    play(tmp_path, environ_for(issuer), scene)


def test_a_sign_in_by_https_is_not_ended_with_a_cookie_that_plain_http_can_set(issuer, tmp_path):
    async def scene(at):
        behind = {"x-forwarded-proto": "https"}
        begun = await at.http.get("/session/oidc/start", headers=behind)
        name, _, text = begun.headers["set-cookie"].partition(";")[0].partition("=")
        assert name == "__Host-propeller-sign-in"
        assert "Secure" in begun.headers["set-cookie"]
        at.http.cookies.clear()
        planted = {"cookie": f"propeller-sign-in={text}"} | behind
        end = await at.http.get("/session/oidc/callback?state=s&code=c", headers=planted)
        assert end.status_code == 401
        assert "at another address" in end.text

    play(tmp_path, environ_for(issuer, MANAGER_TRUSTED_PROXIES="127.0.0.1"), scene)


# -- a proxy that lets people in -----------------------------------------------------------------------------


def test_a_proxy_lets_people_in_and_nobody_else_does(tmp_path):
    said = {"x-user-id": "ann", "x-roles": "operator"}

    async def trusted(at):
        who = (await at.http.get("/session", headers=said)).json()
        assert (who["name"], who["role"], who["how"]) == ("ann", "operator", "proxy")
        assert (await at.http.get("/tokens", headers=said)).status_code == 403
        assert (await at.get("/tasks")).status_code == 401
        twice = [*said.items(), ("x-user-id", "root")]
        assert (await at.http.get("/tasks", headers=twice)).status_code == 401

    async def untrusted(at):
        assert (await at.http.get("/tasks", headers=said)).status_code == 401

    play(tmp_path / "1", {"MANAGER_AUTH": "proxy", "MANAGER_TRUSTED_PROXIES": "127.0.0.1"}, trusted)
    play(tmp_path / "2", {"MANAGER_AUTH": "proxy", "MANAGER_TRUSTED_PROXIES": "10.0.0.0/8"}, untrusted)
