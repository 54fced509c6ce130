"""Where the settings of a manager about certificates have their effects."""

from pathlib import Path

from tests.config.entry_helpers import There

from propeller.access.certificates import Grant
from propeller.access.roles import Role

HTTPS = "tests/e2e/fleet/test_https.py::test_who_asks_checks_the_certificate_unless_he_says_not_to"
TLS = "tests/api/test_certificate.py::"
OF_CERTIFICATES = {
    "certificate_roles": There(
        "ci=operator@a,*=viewer",
        {
            "manager.certificates": {
                "ci": Grant(Role.OPERATOR, frozenset({"a"})),
                "*": Grant(Role.VIEWER, None),
            }
        },
        "tests/e2e/fleet/test_https.py::test_a_manager_knows_clients_by_their_certificates",
        "MANAGER_CERTIFICATE_ROLES",
        {
            "AUTH": "certificates",
            "CERTIFICATE_ROLES": "x=viewer",
            "HTTP_SERVER_CERT": "key.pem",
            "HTTP_SERVER_KEY": "key.pem",
            "HTTP_SERVER_CA_CERTS": "key.pem",
        },
    ),
    "http_server_cert": There(
        "file.pem",
        {"http.server_cert": Path("file.pem")},
        HTTPS,
        "the certificate of {manager.url}",
        {"HTTP_SERVER_KEY": "key.pem"},
    ),
    "http_server_key": There(
        "file.pem",
        {"http.server_key": Path("file.pem")},
        HTTPS,
        "the certificate of {manager.url}",
        {"HTTP_SERVER_CERT": "key.pem"},
    ),
    "http_server_ca_certs": There(
        "file.pem",
        {"http.client_ca": Path("file.pem"), "http.client_auth": "required"},
        f"{TLS}test_a_client_without_a_certificate_is_let_in_only_where_it_is_optional",
        "client_ca",
        {"HTTP_SERVER_CERT": "key.pem", "HTTP_SERVER_KEY": "key.pem"},
    ),
    "http_client_auth": There(
        "optional",
        {"http.client_auth": "optional"},
        f"{TLS}test_a_client_without_a_certificate_is_let_in_only_where_it_is_optional",
        more={"HTTP_SERVER_CERT": "key.pem", "HTTP_SERVER_KEY": "key.pem", "HTTP_SERVER_CA_CERTS": "key.pem"},
    ),
}
