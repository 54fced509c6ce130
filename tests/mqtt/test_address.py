"""Addresses of brokers in the forms of the contract, and TLS files that can't be used."""

import pytest

from propeller.errors import Invalid
from propeller.mqtt.address import Address, parse_address, tls_context
from propeller.mqtt.settings import TlsSettings
from tests.parts.certificates import Certificates


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("tcp://broker:1884", Address("broker", 1884, False)),
        ("mqtt://broker", Address("broker", 1883, False)),
        ("ssl://broker", Address("broker", 8883, True)),
        ("tls://broker:1", Address("broker", 1, True)),
        ("mqtts://broker/", Address("broker", 8883, True)),
        ("broker:1884", Address("broker", 1884, False)),
        ("broker", Address("broker", 1883, False)),
        ("10.0.0.7", Address("10.0.0.7", 1883, False)),
        ("[::1]:1884", Address("::1", 1884, False)),
        ("mqtts://[fe80::1]", Address("fe80::1", 8883, True)),
    ],
)
def test_all_forms(text, address):
    assert parse_address(text) == address


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ws://broker:80", "ws:// is not supported"),
        ("http://broker", "http:// is not supported"),
        ("", "is not a host and a port"),
        ("tcp://", "is not a host and a port"),
        ("tcp://:1883", "is not a host and a port"),
        ("tcp://broker:none", "Port could not be cast"),
        ("tcp://broker:70000", "Port out of range"),
        ("tcp://broker:0", "port 0"),
        ("tcp://broker/path", "is not a host and a port"),
        ("tcp://me:secret@broker", "is not a host and a port"),
        ("[::1", "Invalid IPv6 URL"),
        ("::1", "Port could not be cast"),
        ("tcp://a..b", "a..b names no host"),
        ("ssl://" + "x" * 64, "x names no host"),
    ],
)
def test_what_is_no_address_is_named_with_the_forms_that_are(text, said):
    with pytest.raises(Invalid) as caught:
        parse_address(text)
    assert said in str(caught.value)
    assert "tcp://host:1883" in str(caught.value)


def test_tls_files_that_cannot_be_used_are_named(tmp_path):
    made = Certificates(tmp_path)
    missing, garbage = tmp_path / "missing.pem", tmp_path / "garbage.pem"
    garbage.write_text("no certificate")
    own = {"client_cert": made.client, "client_key": made.client_key}
    assert tls_context(TlsSettings(ca_cert=made.ca, **own)).check_hostname
    for settings, said in [
        (TlsSettings(ca_cert=missing), "missing.pem"),
        (TlsSettings(ca_cert=garbage), "garbage.pem"),
        (TlsSettings(client_cert=made.client), "must be given together"),
        (TlsSettings(client_key=made.client_key), "must be given together"),
        (TlsSettings(client_cert=garbage, client_key=made.client_key), "garbage.pem"),
        (TlsSettings(client_cert=made.client, client_key=made.server_key), "can't be used"),
    ]:
        with pytest.raises(Invalid, match=said):
            tls_context(settings)
