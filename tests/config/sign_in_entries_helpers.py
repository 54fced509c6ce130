"""Where the settings of the manager that say whom it believes have their effect."""

from ipaddress import ip_network
from pathlib import Path

from tests.config.entry_helpers import There

_ISSUER = {
    "AUTH": "oidc",
    "OIDC_ISSUER": "https://other.example",
    "OIDC_AUDIENCE": "a",
    "OIDC_CLIENT_ID": "c",
}
_TOKENS = "tests/access/test_oidc.py::"
_FOREIGN = "tests/api/test_issuer.py::test_a_token_for_another_audience_or_of_another_issuer_is_refused"
_SIGN_IN = "tests/api/test_oidc.py::"
_CLI = f"{_SIGN_IN}test_a_command_line_is_sent_to_a_client_of_its_own_where_the_page_has_a_secret"


def _oidc(name, raw, wanted, test, word=""):
    """An entry of a setting about the issuer."""
    return There(raw, {f"manager.oidc.{name}": wanted}, test, word, _ISSUER)


OF_SIGN_IN = {
    "oidc_issuer": _oidc("issuer", "https://a.example", "https://a.example", _FOREIGN),
    "oidc_audience": _oidc("audiences", "b,c", ("b", "c"), _FOREIGN),
    "oidc_client_id": _oidc("client_id", "b", "b", _CLI, "MANAGER_OIDC_CLIENT_ID"),
    "oidc_client_secret": _oidc("client_secret", "s", "s", _CLI, "MANAGER_OIDC_CLIENT_SECRET"),
    "oidc_cli_client_id": _oidc("cli_client_id", "b", "b", _CLI),
    "oidc_scopes": _oidc("scopes", "groups", ("openid", "groups"), _CLI),
    "oidc_user_claim": _oidc(
        "user_claim", "email", "email", f"{_TOKENS}test_another_claim_may_say_who_somebody_is"
    ),
    "oidc_roles_claim": _oidc(
        "roles_claim",
        "a.b",
        "a.b",
        f"{_TOKENS}test_values_of_the_claim_are_mapped_and_it_may_lie_inside_of_another",
    ),
    "oidc_roles": _oidc(
        "roles",
        "a=admin,b c=viewer",
        (("a", "admin"), ("b c", "viewer")),
        f"{_SIGN_IN}test_values_of_a_claim_are_the_roles_that_the_settings_say",
        "MANAGER_OIDC_ROLES",
    ),
    "oidc_namespaces_claim": _oidc(
        "namespaces_claim", "teams", "teams", f"{_TOKENS}test_namespaces_are_those_of_their_claim"
    ),
    "oidc_ca_cert": _oidc(
        "ca_cert",
        "file.pem",
        Path("file.pem"),
        "tests/api/test_issuer.py::test_an_issuer_by_https_has_to_show_a_certificate_that_is_trusted",
    ),
    "trusted_proxies": There(
        "10.0.0.7,10.1.0.0/16",
        {"http.trusted_proxies": (ip_network("10.0.0.7/32"), ip_network("10.1.0.0/16"))},
        "tests/api/test_proxies.py::answers",
    ),
}
