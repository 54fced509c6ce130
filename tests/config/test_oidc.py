"""Settings about an issuer: those that do not go together are refused, by name and with what to do."""

import pytest

from propeller.config.definitions import MANAGER
from propeller.config.errors import BadSettings
from propeller.config.programs import manager_settings
from propeller.config.sources import resolve

GOOD = {
    "MANAGER_AUTH": "oidc",
    "MANAGER_OIDC_ISSUER": "https://login.example/realms/main/",
    "MANAGER_OIDC_AUDIENCE": "propeller",
}


def settings(**environ):
    return manager_settings(resolve(MANAGER, environ), environ, has_broker=False)


def test_an_issuer_is_kept_as_it_is_written():
    """Its tokens have it so, with the slash at its end or without."""
    assert settings(**GOOD).oidc.issuer == "https://login.example/realms/main/"


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"MANAGER_OIDC_ISSUER": ""}, "MANAGER_OIDC_ISSUER: is missing"),
        ({"MANAGER_OIDC_ISSUER": "http://login.example"}, "MANAGER_OIDC_ISSUER: is plain http"),
        ({"MANAGER_OIDC_ISSUER": "login.example"}, "MANAGER_OIDC_ISSUER: has to be the URL"),
        ({"MANAGER_OIDC_AUDIENCE": ""}, "MANAGER_OIDC_AUDIENCE: is missing"),
        ({"MANAGER_OIDC_CLIENT_SECRET": "s"}, "MANAGER_OIDC_CLIENT_SECRET: has no effect"),
        ({"MANAGER_OIDC_ROLES": "root"}, "MANAGER_OIDC_ROLES: holds 'root'; write VALUE=ROLE"),
        ({"MANAGER_OIDC_ROLES": "a=root"}, "MANAGER_OIDC_ROLES: holds 'a=root'"),
        ({"MANAGER_OIDC_ROLES": ","}, "MANAGER_OIDC_ROLES: has no role in it"),
        ({"MANAGER_OIDC_CA_CERT": "nowhere.pem"}, "MANAGER_OIDC_CA_CERT: is no file"),
        ({"MANAGER_AUTH": "tokens"}, "MANAGER_OIDC_ISSUER: has no effect without oidc in MANAGER_AUTH"),
        ({"MANAGER_AUTH": ""}, "MANAGER_OIDC_ISSUER: has no effect without oidc in MANAGER_AUTH"),
        ({"MANAGER_AUTH": "oidc,proxy"}, "MANAGER_TRUSTED_PROXIES: is missing"),
        ({"MANAGER_AUTH": "oidc,none"}, "MANAGER_AUTH: "),
    ],
)
def test_what_does_not_go_together_is_refused(more, problem):
    with pytest.raises(BadSettings) as refused:
        settings(**GOOD | more)
    name, text = problem.split(": ")
    assert str(refused.value).startswith(f"{name}: ")
    assert text in str(refused.value)


def test_a_plain_issuer_may_be_on_this_machine():
    for host in ("localhost:8080", "127.0.0.1:8080", "[::1]:8080"):
        assert settings(**GOOD | {"MANAGER_OIDC_ISSUER": f"http://{host}"}).oidc.issuer == f"http://{host}"


def test_no_secret_is_shown():
    made = settings(**GOOD | {"MANAGER_OIDC_CLIENT_ID": "c", "MANAGER_OIDC_CLIENT_SECRET": "hush"}).oidc
    assert made.client_secret == "hush"
    assert "hush" not in repr(made)
    assert not made.cli_client_id, "a command line can keep no secret"


def test_proxies_are_addresses_and_networks():
    with pytest.raises(BadSettings, match=r"MANAGER_TRUSTED_PROXIES: .* holds '10\.0\.0\.0/33'"):
        settings(MANAGER_TRUSTED_PROXIES="10.0.0.0/33")
