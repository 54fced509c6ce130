"""Where the settings of the manager that say whom it believes have their effect."""

from ipaddress import ip_network

from tests.config.entry_helpers import There

OF_SIGN_IN = {
    "trusted_proxies": There(
        "10.0.0.7,10.1.0.0/16",
        {"http.trusted_proxies": (ip_network("10.0.0.7/32"), ip_network("10.1.0.0/16"))},
        "tests/api/test_proxies.py::answers",
    ),
}
