import html
import json
import re

import jsonschema
import openapi_spec_validator
import pytest

from propeller import errors
from propeller.api.answers import STATUSES
from propeller.api.app import create_app
from propeller.core.events import ConnectionLost, ConnectionRestored
from tests.api.helpers import play, serving

#: Errors that end the program, fail a task, or are defects: they are nobody's request.
NO_ANSWERS = {
    errors.AnotherManager,
    errors.BrokerRefused,
    errors.CannotListen,
    errors.BadCertificate,
    errors.InvalidTransition,
    errors.ModuleUnavailable,
}


def test_every_error_has_a_status():
    # The client has errors of its own below the same root; those never reach the API.
    ours = {
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.PropellerError)
    }
    assert {*STATUSES} | NO_ANSWERS == ours - {errors.PropellerError}


def test_every_route_is_in_the_document(tmp_path):
    async def part(site):
        document = (await site.http.get("/openapi.json")).json()
        documented = {
            (method.upper(), path) for path, operations in document["paths"].items() for method in operations
        }
        app = create_app(site.manager, instance_id="i")
        routes = {
            (method, path)
            for path, resource in app.resources.items()
            for method in resource.endpoints
            if path not in ("/", "/openapi.json", "/docs", "/ui", "/ui/{path:path}")
        }
        assert documented == routes
        assert len({o["operationId"] for path in document["paths"].values() for o in path.values()}) == len(
            routes
        )
        assert all(o["summary"] for path in document["paths"].values() for o in path.values())

    play(part, tmp_path)


def test_what_may_become_of_any_request_is_in_the_document(tmp_path):
    """Also what is answered before a handler sees the request."""

    async def part(site):
        document = (await site.http.get("/openapi.json")).json()
        for path in document["paths"].values():
            for operation in path.values():
                assert {"400", "403", "408", "431", "503"} <= operation["responses"].keys()

    play(part, tmp_path)


def described(shape, document):
    """Make a validator of a schema, with all shapes of the document beside it."""
    text = json.dumps({**shape, "$defs": document["components"]["schemas"]})
    return jsonschema.Draft202012Validator(json.loads(text.replace("#/components/schemas/", "#/$defs/")))


def test_the_document_is_valid_and_so_are_its_examples(tmp_path):
    async def part(site):
        document = (await site.http.get("/openapi.json")).json()
        openapi_spec_validator.validate(document)
        count = 0
        for path in document["paths"].values():
            for operation in path.values():
                bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
                for kind in (kind for body in bodies for kind in body.get("content", {}).values()):
                    if "example" in kind:
                        described(kind["schema"], document).validate(kind["example"])
                        count += 1
        assert count > 50

    play(part, tmp_path)


def test_what_a_generator_of_clients_needs(tmp_path):
    async def part(site):
        document = (await site.http.get("/openapi.json")).json()
        form = document["paths"]["/tasks/{id}/upload"]["put"]["requestBody"]["content"]["multipart/form-data"]
        assert form["schema"]["properties"]["file"]["format"] == "binary"
        shapes = document["components"]["schemas"]
        assert shapes["TaskView"]["properties"]["state"] == {"$ref": "#/components/schemas/TaskState"}
        assert shapes["TaskState"]["enum"] == [*range(7)]
        assert shapes["TaskState"]["x-enum-varnames"][3] == "COMPLETED"
        # Of a choice inside of a shape they would make a type for each place where one stands.
        for name, shape in shapes.items():
            assert '"enum"' not in json.dumps(shape.get("properties", {})), name

    play(part, tmp_path)


def test_the_example_of_a_workflow_can_be_created(tmp_path):
    async def part(site):
        paths = (await site.http.get("/openapi.json")).json()["paths"]
        for path in ("/tasks", "/workflows", "/jobs"):
            content = paths[path]["post"]["requestBody"]["content"]
            await site.post(path, content["application/json"]["example"])

    play(part, tmp_path)


def test_the_first_page_says_where_to_go(tmp_path):
    async def part(site):
        response = await site.http.get("/")
        assert response.headers["content-type"].startswith("text/html")
        assert "Propeller manager" in response.text
        places = re.findall(r"href='([^']*)'", response.text)
        assert {"/docs", "/openapi.json", "/health", "/ready"} <= set(places)
        for place in places:
            found = await site.http.get(html.unescape(place))
            assert found.status_code == (503 if place == "/ready" else 200), place
        assert "<script" not in response.text

    play(part, tmp_path)


def test_head_is_get_without_the_body(tmp_path):
    async def part(site):
        await site.post("/tasks", {"id": "a", "name": "f"})
        async with serving(site.manager) as http:
            for path in ("/", "/health", "/tasks", "/tasks/a", "/docs", "/openapi.json", "/tasks/none"):
                shown, head = await http.get(path), await http.head(path)
                assert (head.status_code, head.content) == (shown.status_code, b"")
                for name in ("content-type", "content-length"):
                    assert head.headers[name] == shown.headers[name]
            for path in ("/events", "/tasks/a/logs?follow=true"):
                head = await http.head(path)
                assert (head.status_code, head.content) == (200, b"")
                assert head.headers["content-type"].startswith("text/event-stream")

    play(part, tmp_path)


def test_ready_says_that_the_database_is_away(tmp_path, monkeypatch):
    async def part(site):
        site.bring_proplet()
        await site.turned()
        monkeypatch.setattr(site.manager.store, "outage", "it does not answer")
        expected = {"ready": False, "obstacles": ["the database: it does not answer"], "warnings": []}
        assert await site.get("/ready", 503) == expected
        monkeypatch.setattr(site.manager.store, "outage", "")
        assert (await site.get("/ready"))["ready"]

    play(part, tmp_path)


def test_ready_says_what_is_in_the_way(tmp_path):
    async def part(site):
        none = "proplets: none is alive and takes new tasks"
        assert await site.get("/ready", 503) == {"ready": False, "obstacles": [none], "warnings": []}
        site.bring_proplet()
        await site.turned()
        assert await site.get("/ready") == {"ready": True, "obstacles": [], "warnings": []}
        site.manager.tell(ConnectionLost())
        await site.turned()
        (said,) = (await site.get("/ready", 503))["obstacles"]
        assert said.startswith("the broker: there is no connection to it")
        assert (await site.get("/health"))["status"] == "pass", "it lives all the same"
        site.bring_proplet("here", is_local=True)
        await site.turned()
        assert await site.get("/ready") == {"ready": True, "obstacles": [said], "warnings": []}, (
            "local proplets need no broker"
        )
        await site.post("/proplets/here/cordon", status=200)
        assert await site.get("/ready", 503) == {"ready": False, "obstacles": [said], "warnings": []}
        site.manager.tell(ConnectionRestored())
        await site.turned()
        assert (await site.get("/ready"))["ready"]
        await site.post("/proplets/p-9/cordon", status=200)
        assert (await site.get("/ready", 503))["obstacles"] == [none]

    play(part, tmp_path)


def test_the_page_shows_every_route_and_needs_nothing_from_elsewhere(tmp_path):
    async def part(site):
        response = await site.http.get("/docs")
        assert response.headers["content-type"].startswith("text/html")
        document = (await site.http.get("/openapi.json")).json()
        for path in document["paths"]:
            assert f"<code>{path}</code>" in response.text
        for shape in document["components"]["schemas"]:
            assert f"id='{shape}'" in response.text
        assert not re.search(r"(src|href)=['\"]?(https?:)?//", response.text)
        assert "<script" not in response.text

    play(part, tmp_path)


class Failing:
    """A store that fails, or has a defect."""

    def __init__(self, error):
        self.error = error

    async def task(self, task_id):
        raise self.error


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (errors.Invalid("that is wrong"), 400, "that is wrong"),
        (errors.NotFound("not found"), 404, "not found"),
        (errors.Conflict("it runs"), 409, "it runs"),
        (errors.TooLarge("too large"), 413, "too large"),
        (errors.StoreUnusable("the disk is full"), 503, "the disk is full"),
        (errors.Invalid("half of a pair: \ud800"), 400, "half of a pair: ?"),
        (errors.Invalid("x" * 5000), 400, "x" * 2000 + "…"),
    ],
)
def test_errors_become_answers(tmp_path, error, status, message):
    async def part(site):
        site.manager.store = Failing(error)
        assert await site.refused("GET", "/tasks/a", status) == message

    play(part, tmp_path)


@pytest.mark.parametrize(
    "error", [errors.InvalidTransition("from here to there"), ZeroDivisionError("secret")]
)
def test_defects_are_logged_and_not_shown(tmp_path, error):
    async def part(site):
        site.manager.store = Failing(error)
        assert await site.refused("GET", "/tasks/a", 500) == "internal error"

    (logged,) = play(part, tmp_path, errors_expected=1)
    assert "GET /tasks/a failed" in logged
    assert "Traceback" in logged
    assert str(error) in logged
