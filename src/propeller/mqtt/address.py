"""Broker addresses, in all the forms that the contract knows (``mqtt``, section 1)."""

import ssl
from typing import NamedTuple
from urllib.parse import urlsplit

from propeller.errors import Invalid
from propeller.mqtt.settings import MqttSettings, TlsSettings

_PLAIN = ("tcp", "mqtt")
_TLS = ("ssl", "tls", "mqtts")


class Address(NamedTuple):
    host: str
    port: int
    is_tls: bool


def parse_address(text: str) -> Address:
    """Read an address; raise ``Invalid`` with the fault and the known forms."""
    forms = "use tcp://host:1883, mqtts://host:8883 or host:port"
    scheme, mark, rest = text.partition("://")
    if not mark:
        scheme, rest = "tcp", text
    if scheme not in (*_PLAIN, *_TLS):
        raise Invalid(f"broker address {text}: {scheme}:// is not supported; {forms}")
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname, parts.port
        (host or "").encode("idna")  # as the system does when it connects
    except UnicodeError:
        raise Invalid(f"broker address {text}: {rest[:80]} names no host; {forms}") from None
    except ValueError as error:
        raise Invalid(f"broker address {text}: {error}; {forms}") from error
    if port == 0:
        raise Invalid(f"broker address {text}: nobody listens on port 0; {forms}")
    if not host or parts.path not in ("", "/") or parts.query or parts.username:
        raise Invalid(f"broker address {text} is not a host and a port; {forms}")
    is_tls = scheme in _TLS
    return Address(host, (8883 if is_tls else 1883) if port is None else port, is_tls)


def tls_for(settings: MqttSettings) -> ssl.SSLContext | None:
    """Read the files for TLS; None where the broker is spoken to without. Raise ``Invalid``."""
    return tls_context(settings.tls) if parse_address(settings.address).is_tls else None


def tls_context(settings: TlsSettings) -> ssl.SSLContext:
    """Make a client's context; raise ``Invalid`` with the name of a file that can't be used."""
    if (settings.client_cert is None) != (settings.client_key is None):
        raise Invalid("TLS: the client certificate and its key must be given together")
    try:
        context = ssl.create_default_context(cafile=settings.ca_cert)
    except OSError as error:
        raise Invalid(f"TLS: CA certificate {settings.ca_cert} can't be used: {error}") from error
    if settings.client_cert is not None:
        try:
            context.load_cert_chain(settings.client_cert, settings.client_key)
        except OSError as error:
            raise Invalid(
                f"TLS: client certificate {settings.client_cert} with key {settings.client_key} "
                f"can't be used: {error}"
            ) from error
    if settings.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
