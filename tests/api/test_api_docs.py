import re

import pytest

from propeller import errors
from propeller.api.answers import STATUSES
from propeller.api.app import create_app
from tests.api.helpers import play

#: Errors that end the program, fail a task, or are defects: they are nobody's request.
NO_ANSWERS = {
    errors.AnotherManager,
    errors.BrokerRefused,
    errors.CannotListen,
    errors.InvalidTransition,
    errors.ModuleUnavailable,
}


def test_every_error_has_a_status():
    # The client has errors of its own below the same root; those never reach the API.
    ours = {kind for kind in errors.PropellerError.__subclasses__() if kind.__module__ == errors.__name__}
    assert {*STATUSES} | NO_ANSWERS == ours


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
            for method in resource.handlers
            if path not in ("/openapi.json", "/docs")
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
                assert {"403", "408", "431", "503"} <= operation["responses"].keys()

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
