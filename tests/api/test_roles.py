"""Each role at each route: what it may do is answered in some way, and what it may not is refused before all else."""

import itertools

import pytest

from propeller.access.roles import NEEDS, Action, Role, may
from propeller.api.app import all_endpoints
from tests.api.tokens_helpers import play_guarded

ENDPOINTS = all_endpoints(has_page=True)
FOLLOWING = {"accept": "application/json"}


def path_of(endpoint):
    return endpoint.path.replace("{id}", "none").replace("{path:path}", "x")


def has_stream(endpoint):
    return endpoint.path == "/events"


def test_each_route_is_one_action():
    assert all(isinstance(endpoint.action, Action) for endpoint in ENDPOINTS)
    open_ones = {endpoint.path for endpoint in ENDPOINTS if endpoint.action is Action.OPEN}
    assert open_ones == {
        "/health",
        "/ready",
        "/",
        "/openapi.json",
        "/docs",
        "/ui",
        "/ui/{path:path}",
        "/session",
        "/session/oidc",
        "/session/oidc/start",
        "/session/oidc/callback",
    }


def test_what_only_shows_something_needs_no_more_than_a_viewer():
    shown = [
        endpoint for endpoint in ENDPOINTS if endpoint.method == "GET" and endpoint.action is not Action.OPEN
    ]
    needing_more = {endpoint.path for endpoint in shown if NEEDS[endpoint.action] is not Role.VIEWER}
    assert needing_more == {"/tokens", "/tokens/{id}"}


def test_what_changes_something_needs_more_than_a_viewer():
    changing = [one for one in ENDPOINTS if one.method != "GET" and one.action is not Action.OPEN]
    assert not [one.path for one in changing if NEEDS[one.action] is Role.VIEWER]


@pytest.mark.parametrize("role", Role)
def test_each_role_at_each_route(tmp_path, role):
    async def part(site):
        site.use(await site.token(role))
        for endpoint in ENDPOINTS:
            if has_stream(endpoint):
                continue
            response = await site.http.request(endpoint.method, path_of(endpoint))
            where = f"{role} {endpoint.method} {endpoint.path}: {response.status_code} {response.text[:200]}"
            if may(role, endpoint.action):
                assert response.status_code not in (401, 403) or endpoint.action is Action.OPEN, where
            else:
                assert response.status_code == 403, where
                assert response.json()["error"].startswith(f"{endpoint.action}: this needs the role "), where

    play_guarded(part, tmp_path)


def test_without_credentials_only_open_routes_answer(tmp_path):
    async def part(site):
        for endpoint in ENDPOINTS:
            response = await site.http.request(endpoint.method, path_of(endpoint))
            is_let_in = endpoint.action is Action.OPEN and endpoint.path != "/session"
            where = f"{endpoint.method} {endpoint.path}: {response.status_code}"
            assert (response.status_code == 401) is (not is_let_in and endpoint.method != "POST") or (
                endpoint.method == "POST" and response.status_code in (400, 401)
            ), where
            if response.status_code == 401:
                assert response.headers["www-authenticate"] == "Bearer"
                assert list(response.json()) == ["error"]

    play_guarded(part, tmp_path)


def test_whether_a_thing_exists_is_told_to_nobody_who_is_not_known(tmp_path):
    async def part(site):
        site.use(await site.token("admin"))
        await site.post("/tasks", {"id": "there", "name": "f"})
        site.use("")
        for path, method in itertools.product(("/tasks/there", "/tasks/none"), ("GET", "DELETE", "PUT")):
            text = await site.refused(method, path, 401)
            assert "there" not in text

    play_guarded(part, tmp_path)
