"""Token services, which the real registry has none of."""

import json

import pytest

from propeller.errors import ModuleUnavailable
from propeller.registry.challenge import Challenge, parse_challenges
from propeller.registry.settings import Credentials
from tests.registry.helpers import (
    PASSWORD,
    USER,
    WASM,
    Server,
    basic,
    described,
    get,
    module,
    settings,
)

DATA = module("behind a token")
MANIFEST = json.dumps({"layers": [described(DATA, WASM)]}).encode()
CREDENTIALS = Credentials(username=USER, password=PASSWORD)


def refusal(told, reference):
    with pytest.raises(ModuleUnavailable) as caught:
        get(told, reference)
    return str(caught.value)


def registry_with_tokens(realm, *, blob_at=None):
    """A registry that takes the token ``good``, which ``realm`` gives."""

    def answer(request):
        if request.path.startswith("/token"):
            return token_service(request)
        if request.headers["Authorization"] != "Bearer good":
            where = realm or f"http://{request.headers['Host']}/token"
            wants = f'Bearer realm="{where}",service="reg",scope="repository:acme/sum:pull"'
            return 401, {"WWW-Authenticate": wants}, b"{}"
        if "/manifests/" in request.path:
            return 200, {"Content-Type": "application/json"}, MANIFEST
        return (307, {"Location": blob_at}, b"") if blob_at else (200, {}, DATA)

    return Server(answer)


def token_service(request):
    if request.headers["Authorization"] not in (None, basic()):
        return 401, {}, b"{}"
    return 200, {}, b'{"access_token":"good"}'


def test_asks_for_a_token_and_shows_it_again(tmp_path):
    with registry_with_tokens(None) as server:
        told = settings(tmp_path, credentials={server.host: CREDENTIALS})
        assert get(told, f"{server.host}/acme/sum:v1") == DATA
        asked = [request for request in server.requests if request.path.startswith("/token")]
        assert [request.path for request in asked] == [
            "/token?scope=repository%3Aacme%2Fsum%3Apull&service=reg"
        ]
        assert asked[0].headers["Authorization"] == basic()


def test_asks_for_a_token_without_credentials(tmp_path):
    with Server(token_service) as tokens, registry_with_tokens(f"http://{tokens.host}/token") as server:
        assert get(settings(tmp_path), f"{server.host}/acme/sum:v1") == DATA
        assert [request.headers["Authorization"] for request in tokens.requests] == [None]


def test_shows_credentials_to_a_token_service_elsewhere_only_if_told_so(tmp_path):
    with Server(token_service) as tokens, registry_with_tokens(f"http://{tokens.host}/token") as server:
        reference = f"{server.host}/acme/sum:v1"
        told = settings(tmp_path, credentials={server.host: CREDENTIALS})
        assert f"leaves its tokens to {tokens.host}" in refusal(told, reference)
        assert tokens.requests == []
        allowed = Credentials(username=USER, password=PASSWORD, token_hosts=frozenset({tokens.host}))
        assert get(settings(tmp_path, credentials={server.host: allowed}), reference) == DATA
        assert [request.headers["Authorization"] for request in tokens.requests] == [basic()]


def test_shows_a_token_of_the_settings_itself(tmp_path):
    with registry_with_tokens(None) as server:
        told = settings(tmp_path, credentials={server.host: Credentials(token="good")})
        assert get(told, f"{server.host}/acme/sum:v1") == DATA
        assert not any(path.startswith("/token") for path in server.paths)


def test_says_at_once_that_credentials_are_refused(tmp_path):
    with registry_with_tokens(None) as server:
        wrong = {server.host: Credentials(username=USER, password="wrong")}
        why = refusal(settings(tmp_path, credentials=wrong), f"{server.host}/acme/sum:v1")
        assert "gives no token for acme/sum to its credentials (HTTP 401 Unauthorized)" in why
        assert len(server.requests) == 2


@pytest.mark.parametrize("credentials", [CREDENTIALS, Credentials(token="good")])
def test_credentials_stay_behind_when_a_blob_is_elsewhere(tmp_path, credentials):
    with (
        Server(lambda _: (200, {}, DATA)) as storage,
        registry_with_tokens(None, blob_at=f"http://{storage.host}/blob?signature=1") as server,
    ):
        told = settings(tmp_path, credentials={server.host: credentials})
        assert get(told, f"{server.host}/acme/sum:v1") == DATA
        (request,) = storage.requests
        assert request.path == "/blob?signature=1"
        assert request.headers["Authorization"] is None


def test_a_token_is_not_asked_for_over_plain_http_elsewhere(tmp_path):
    with registry_with_tokens("http://tokens.example/token") as server:
        assert "which is not an https address" in refusal(settings(tmp_path), f"{server.host}/acme/sum:v1")


def test_a_registry_can_not_be_told_who_asks_by_a_way_we_do_not_know(tmp_path):
    with Server(lambda _: (401, {"WWW-Authenticate": "Negotiate"}, b"")) as server:
        why = refusal(settings(tmp_path), f"{server.host}/acme/sum:v1")
        assert "wants to be shown negotiate; Basic and Bearer are known" in why


@pytest.mark.parametrize(
    ("headers", "challenges"),
    [
        (['Basic realm="a, b"'], [Challenge("basic", {"realm": "a, b"})]),
        (
            ['Bearer realm="https://a/t",service=s , scope="x:y:pull,push"'],
            [Challenge("bearer", {"realm": "https://a/t", "service": "s", "scope": "x:y:pull,push"})],
        ),
        (
            ['Negotiate, Basic realm="r", Bearer realm="q\\"q"'],
            [
                Challenge("negotiate", {}),
                Challenge("basic", {"realm": "r"}),
                Challenge("bearer", {"realm": 'q"q'}),
            ],
        ),
        (["Negotiate", 'Basic realm=""'], [Challenge("negotiate", {}), Challenge("basic", {"realm": ""})]),
        (["", ',,="'], []),
    ],
)
def test_reads_challenges(headers, challenges):
    assert parse_challenges(headers) == challenges
