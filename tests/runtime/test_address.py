"""The addresses that tasks ask for: whatever passes can be listened on, or is refused by the system."""

import socket

import pytest

from propeller.errors import Invalid
from propeller.runtime.address import ALL, Address, address_asked_for


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("8080", Address(ALL, 8080)),
        (":8080", Address(ALL, 8080)),
        ("127.0.0.1:8080", Address("127.0.0.1", 8080)),
        ("localhost:65535", Address("localhost", 65535)),
        ("my_host.example-1:1", Address("my_host.example-1", 1)),
        ("[::1]:8080", Address("[::1]", 8080)),
        ("[fe80::1%lo]:8080", Address("[fe80::1%lo]", 8080)),
    ],
)
def test_an_address_is_taken_from_the_arguments(text, address):
    assert address_asked_for(["-v", f"--addr={text}", "x"]) == (address, ["-v", "x"])
    assert address_asked_for(["--port", text]) == (address, [])


@pytest.mark.parametrize(
    "host",
    [
        "::1",
        "[::1",
        "[localhost]",
        "[]",
        "ü",
        "ü" * 100,
        "a" * 64,
        ".".join("a" * 50 for _ in range(6)),
        "a..b",
        ".",
        "a b",
        "a\0b",
        "\ud800",
        "[::1%\0]",
        "[::1%ü]",
    ],
)
def test_a_host_that_nothing_can_listen_on_is_refused(host):
    """Sockets do not refuse it: they raise errors that stand for a fault of the program."""
    with pytest.raises(Invalid, match=r"names no host; give an address of the proplet's machine"):
        address_asked_for(["--addr", f"{host}:8080"])


@pytest.mark.parametrize("host", ["a.invalid", "256.1.1.1", "-", "[fe80::1%none]", "_" * 63])
def test_a_host_that_is_not_there_is_refused_by_the_system(host):
    address, _ = address_asked_for(["--addr", f"{host}:8080"])
    with socket.socket(address.family) as end, pytest.raises(OSError, match=r"."):
        end.bind((address.bare_host, address.port))
