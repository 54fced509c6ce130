"""The session of the page: its cookie, how long it lasts, and that it is no more than its token."""

from propeller.access.making import SESSION_NS
from tests.api.tokens_helpers import NOW, play_guarded


async def signed_in(site, text):
    response = await site.http.post("/session", json={"token": text})
    assert response.status_code == 201, response.text
    return response


def test_the_cookie_is_for_this_site_and_no_script(tmp_path):
    async def part(site):
        response = await signed_in(site, await site.token("viewer", name="ann"))
        name, *rest = (piece.strip() for piece in response.headers["set-cookie"].split(";"))
        assert name.startswith("propeller=prs_")
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(rest)
        assert "Secure" not in rest
        assert response.json()["name"] == "ann"
        who = await site.get("/session")
        assert (who["name"], who["how"]) == ("ann", "session")

    play_guarded(part, tmp_path)


def test_over_https_the_cookie_is_secure_and_the_hosts_own(tmp_path):
    async def part(site):
        site.http.base_url = "https://manager"
        response = await signed_in(site, await site.token())
        assert response.headers["set-cookie"].startswith("__Host-propeller=prs_")
        assert "Secure" in response.headers["set-cookie"]
        await site.get("/session")

    play_guarded(part, tmp_path)


def test_signing_out_ends_the_session_also_where_its_cookie_was_copied(tmp_path):
    async def part(site):
        await signed_in(site, await site.token())
        copied = dict(site.http.cookies)
        response = await site.http.delete("/session")
        assert response.status_code == 200
        assert "Max-Age=0" in response.headers["set-cookie"]
        await site.refused("GET", "/session", 401)
        site.http.cookies.update(copied)
        assert "was revoked" in await site.refused("GET", "/session", 401)

    play_guarded(part, tmp_path)


def test_a_session_ends_with_its_token_and_by_itself(tmp_path):
    async def part(site):
        text = await site.token()
        await signed_in(site, text)
        await site.get("/tasks")
        await site.keyring.revoke(text.split("_")[1])
        assert "was revoked" in await site.refused("GET", "/tasks", 401)
        site.http.cookies.clear()
        session = await signed_in(site, await site.token(expires_at=NOW + 2 * SESSION_NS))
        site.clock.now += SESSION_NS + 3600 * 10**9
        assert session.json()["expires_at"]
        assert "sign in again" in await site.refused("GET", "/tasks", 401)

    play_guarded(part, tmp_path)


def test_a_bad_token_begins_no_session(tmp_path):
    async def part(site):
        response = await site.http.post("/session", json={"token": "prp_x"})
        assert response.status_code == 401
        assert "set-cookie" not in response.headers
        assert await site.manager.store.tokens() == []

    play_guarded(part, tmp_path)


def test_a_session_of_the_cookie_is_no_bearer_of_more(tmp_path):
    async def part(site):
        await signed_in(site, await site.token("viewer"))
        await site.refused("POST", "/tokens", 403, json={"name": "x", "role": "admin"})
        await site.refused("POST", "/tasks", 403, json={"name": "f"})

    play_guarded(part, tmp_path)


def test_a_header_counts_more_than_a_cookie(tmp_path):
    async def part(site):
        await signed_in(site, await site.token("viewer", name="page"))
        site.use(await site.token("admin", name="ci"))
        assert (await site.get("/session"))["name"] == "ci"

    play_guarded(part, tmp_path)


def test_a_request_with_a_token_has_no_session_to_end(tmp_path):
    async def part(site):
        site.use(await site.token())
        await site.refused("DELETE", "/session", 401)

    play_guarded(part, tmp_path)
