"""``/tokens``: made, listed and revoked by admins, who give no more than they have."""

import pytest

from tests.api.tokens_helpers import play_guarded


def test_a_token_is_made_shown_once_listed_and_revoked(tmp_path):
    async def part(site):
        site.use(await site.token("admin", name="root"))
        made = await site.post(
            "/tokens", {"name": "ci", "role": "operator", "namespaces": ["b", "a"], "expires_in": "90d"}
        )
        text = made.pop("token")
        assert text.startswith(f"prp_{made['id']}_")
        assert made["namespaces"] == ["a", "b"]
        assert made["created_by"] == "root"
        assert made["expires_at"][:10] != made["created_at"][:10]
        assert await site.get(f"/tokens/{made['id']}") == made
        page = await site.get("/tokens?offset=1")
        assert (page["total"], page["tokens"]) == (2, [made])
        await site.delete(f"/tokens/{made['id']}")
        assert "revoked_at" in await site.get(f"/tokens/{made['id']}")
        await site.delete(f"/tokens/{made['id']}")
        await site.refused("DELETE", "/tokens/none", 404)

    play_guarded(part, tmp_path)


WRONG = [
    ({"role": "viewer"}, "name"),
    ({"name": "", "role": "viewer"}, "name: '' is none"),
    ({"name": "a b", "role": "viewer"}, "name: 'a b' is none"),
    ({"name": "a" * 65, "role": "viewer"}, "name: "),
    ({"name": "a", "role": "boss"}, "role: 'boss' is unknown; use viewer, submitter, operator, admin"),
    ({"name": "a", "role": "viewer", "namespaces": []}, "namespaces: there are none"),
    ({"name": "a", "role": "viewer", "namespaces": ["A"]}, "namespaces: 'A' is none"),
    ({"name": "a", "role": "viewer", "expires_in": "soon"}, "expires_in: 'soon' is no duration"),
    ({"name": "a", "role": "viewer", "expires_in": "0d"}, "expires_in: '0d' is no time at all"),
    ({"name": "a", "role": "viewer", "secret": "x"}, "secret"),
]


@pytest.mark.parametrize(("body", "why"), WRONG)
def test_a_field_that_is_wrong_is_named(tmp_path, body, why):
    async def part(site):
        site.use(await site.token())
        assert why in await site.refused("POST", "/tokens", 400, json=body)
        assert (await site.get("/tokens"))["total"] == 1

    play_guarded(part, tmp_path)


def test_an_admin_of_some_namespaces_gives_and_sees_no_more(tmp_path):
    async def part(site):
        every = await site.token("admin", name="every")
        site.use(every)
        others = await site.post("/tokens", {"name": "others", "role": "viewer", "namespaces": ["b"]})
        site.use(await site.token("admin", name="some", namespaces=["a"]))
        made = await site.post("/tokens", {"name": "ci", "role": "admin"})
        assert made["namespaces"] == ["a"]
        for namespaces in (["b"], ["a", "b"]):
            body = {"name": "x", "role": "viewer", "namespaces": namespaces}
            assert "may not make a token for more" in await site.refused("POST", "/tokens", 403, json=body)
        assert [token["name"] for token in (await site.get("/tokens"))["tokens"]] == ["some", "ci"]
        await site.refused("DELETE", f"/tokens/{others['id']}", 404)
        await site.refused("GET", f"/tokens/{every.split('_')[1]}", 404)

    play_guarded(part, tmp_path)


def test_an_idempotency_key_is_refused_since_an_answer_with_a_secret_is_not_kept(tmp_path):
    async def part(site):
        site.use(await site.token())
        body = {"name": "ci", "role": "viewer"}
        await site.refused("POST", "/tokens", 400, json=body, headers={"idempotency-key": "k"})

    play_guarded(part, tmp_path)
