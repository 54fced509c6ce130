"""Defines the settings of a program's HTTP: where it listens, its certificate, and the limits of clients."""

from propeller.config import values
from propeller.config.setting import Setting


def http_address(host: str, port: int) -> tuple[Setting, ...]:
    """Say where a program listens, with these defaults."""
    return (
        Setting(
            key="http_host",
            read=values.text,
            default=host,
            takes_empty=True,
            text="Name or address to listen on; empty means all.",
        ),
        Setting(
            key="http_port",
            read=values.whole(0, 65535),
            default=port,
            text="Port to listen on; 0 takes a free one, which is printed.",
        ),
    )


def http_clients() -> tuple[Setting, ...]:
    """Limits of HTTP clients that are slow or send too much."""
    return (
        Setting(
            key="http_server_read_header_timeout",
            read=values.duration(),
            default="10s",
            text="How long a request may take to send its headers.",
        ),
        Setting(
            key="http_server_read_timeout",
            read=values.duration(),
            default="15s",
            text="How long the body of a request may pause.",
        ),
        Setting(
            key="http_server_write_timeout",
            read=values.duration(),
            default="60s",
            text="How long a client may read nothing of its answer, if more of it waits.",
        ),
        Setting(
            key="http_server_idle_timeout",
            read=values.duration(),
            default="60s",
            text="How long a connection stays open between two requests.",
        ),
        Setting(
            key="http_server_max_header_bytes",
            read=values.size(least="1KiB"),
            default="64KiB",
            text="Largest size of a request's headers.",
        ),
    )


def http_proxies() -> tuple[Setting, ...]:
    """Say which proxies before the program are believed."""
    return (
        Setting(
            key="trusted_proxies",
            read=values.networks,
            text="*Extension.* Addresses and networks of the proxies before the manager, separated by commas."
            " Only what these say in `X-Forwarded-For` and `X-Forwarded-Proto` counts; from elsewhere such "
            "headers are dropped.",
        ),
    )


def http_tls() -> tuple[Setting, ...]:
    """Say by which certificate HTTPS is served, and what clients have to show."""
    return (
        Setting(
            key="http_server_cert",
            read=values.pem_file,
            text="Certificate of the API; with it the API is HTTPS.",
        ),
        Setting(
            key="http_server_key",
            read=values.pem_file,
            text="The key of that certificate; give both or neither.",
        ),
        Setting(
            key="http_server_ca_certs",
            read=values.pem_file,
            text="PEM file of the CAs that sign the certificates of clients.",
        ),
        Setting(
            key="http_client_auth",
            read=values.choice("none", "optional", "required"),
            computed="required with `http_server_ca_certs`, otherwise none",
            text="*Extension.* Certificates of clients. required: nobody connects without one; optional: "
            "who has one shows it; none: nobody is asked. The first two need `http_server_ca_certs`.",
        ),
    )
