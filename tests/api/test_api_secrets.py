"""Secrets over HTTP: set, shown without their values, referred to by tasks."""

import json

import pytest

from propeller.vault.master_keys import KeySource
from tests.api.helpers import play as play_app

VALUE = "correct horse"


def play(part, directory, **options):
    async def with_key(site):
        site.manager.secrets._key = KeySource(own=directory / "secrets.key")
        await part(site)

    return play_app(with_key, directory, **options)


def test_a_secret_is_set_listed_and_deleted_and_no_answer_has_its_value(tmp_path):
    async def part(site):
        answers = [await site.put("/secrets/KEY", {"value": VALUE})]
        answers.append(await site.put("/secrets/KEY", {"value": VALUE + "!"}))
        assert [answer["version"] for answer in answers] == [1, 2]
        assert answers[1].items() >= {"name": "KEY", "namespace": "default", "created_by": "local"}.items()
        answers.append(await site.put("/secrets/KEY?namespace=team", {"value": VALUE}))
        answers.append(await site.get("/secrets"))
        assert [(one["namespace"], one["name"], one["version"]) for one in answers[-1]["secrets"]] == [
            ("default", "KEY", 2),
            ("team", "KEY", 1),
        ]
        answers.append(await site.get("/secrets?namespace=team"))
        assert len(answers[-1]["secrets"]) == 1
        await site.delete("/secrets/KEY")
        answers.append(await site.get("/secrets/KEY"))
        assert [one["version"] for one in answers[-1]["versions"]] == [2, 1]
        assert "deleted_at" in answers[-1]["versions"][0]
        answers.append(await site.post("/secret-keys", status=200))
        assert answers[-1]["secrets"] == 1
        assert VALUE not in json.dumps(answers)
        assert "not found: there is no secret KEY" in await site.refused("DELETE", "/secrets/KEY", 404)
        assert "not found: there is no secret ZERO" in await site.refused("GET", "/secrets/ZERO", 404)

    play(part, tmp_path)


@pytest.mark.parametrize(
    ("name", "body", "why"),
    [
        ("KEY", {}, "missing required field value"),
        ("KEY", {"value": "abc"}, "value: it has fewer than 4 characters"),
        ("KEY", {"value": 12345}, "value: expected string, got integer"),
        ("KEY", {"value": VALUE, "vaule": ""}, "vaule: there is no such field; did you mean value?"),
        ("a b", {"value": VALUE}, "name: not a name of a secret"),
        (".key", {"value": VALUE}, "name: not a name of a secret"),
        ("k" * 129, {"value": VALUE}, "name: not a name of a secret"),
    ],
)
def test_what_can_be_no_secret_is_refused(tmp_path, name, body, why):
    async def part(site):
        assert why in await site.refused("PUT", f"/secrets/{name}", 400, json=body)
        assert (await site.get("/secrets"))["secrets"] == []

    play(part, tmp_path)


IMAGE = {"name": "main", "image_url": "registry.test/m:1"}
REFERS = {"name": "main", "env": {"LANG": "en", "API_KEY": {"secret": "KEY"}}}
NONE = (
    "env.API_KEY.secret: there is no secret KEY in namespace default; set it first: propeller secrets set KEY"
)


def test_a_task_refers_to_a_secret_that_is_there(tmp_path):
    async def part(site):
        assert await site.refused("POST", "/tasks", 400, json=REFERS) == NONE
        await site.put("/secrets/KEY", {"value": VALUE})
        task = await site.post("/tasks", REFERS)
        assert task["env"] == REFERS["env"]
        assert (await site.get(f"/tasks/{task['id']}"))["env"] == REFERS["env"]
        changed = {"env": {"API_KEY": {"secret": "OTHER"}}}
        assert NONE.replace("KEY in", "OTHER in").replace("set KEY", "set OTHER") == await site.refused(
            "PUT", f"/tasks/{task['id']}", 400, json=changed
        )

    play(part, tmp_path)


@pytest.mark.parametrize(
    ("path", "body", "at"),
    [
        ("/workflows", {"tasks": [{"name": "main"}, REFERS]}, "tasks[1]."),
        ("/jobs", {"name": "j", "tasks": [REFERS]}, "tasks[0]."),
        (
            "/tasks",
            {"name": "outer", "workflow": {"tasks": [{"id": "a", **IMAGE}, {**REFERS, **IMAGE, "id": "b"}]}},
            "workflow.tasks[1].",
        ),
    ],
)
def test_so_does_one_in_a_group(tmp_path, path, body, at):
    async def part(site):
        assert await site.refused("POST", path, 400, json=body) == at + NONE
        await site.put("/secrets/KEY", {"value": VALUE})
        await site.post(path, body)

    play(part, tmp_path)


@pytest.mark.parametrize(
    ("variable", "why"),
    [
        ({"secret": 5}, "secret: expected string, got integer"),
        ({"secret": ""}, "env.API_KEY.secret: not a name of a secret"),
        ({"secret": "KEY", "version": 1}, "there is no such field"),
        ({}, "secret"),
        (5, "expected object or string, got integer"),
    ],
)
def test_a_variable_is_text_or_a_secret(tmp_path, variable, why):
    async def part(site):
        body = {"name": "main", "env": {"API_KEY": variable}}
        assert why in (await site.refused("POST", "/tasks", 400, json=body)).replace(
            "string or object", "object or string"
        )

    play(part, tmp_path)


def test_variables_of_an_invocation_are_text(tmp_path):
    async def part(site):
        task = await site.post("/tasks", {"name": "main", "latent": True})
        body = {"env": {"API_KEY": {"secret": "KEY"}}}
        assert "expected string" in await site.refused("POST", f"/tasks/{task['id']}/invoke", 400, json=body)

    play(part, tmp_path)
