"""The address of a server, as a task asks for it."""

import ipaddress
import re
import socket
from typing import NamedTuple

from propeller.errors import Invalid
from propeller.runtime.quoting import shown

#: IPv4's name for all addresses of a machine; the contract's default.
ALL = "0.0.0.0"  # noqa: S104
#: An IPv4 address, or a name as the system's resolver takes it (RFC 1123, 2.1; with underscores).
_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*", re.ASCII)


class Address(NamedTuple):
    #: As on a command line: IPv6 in brackets.
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def bare_host(self) -> str:
        return self.host.strip("[]")

    @property
    def family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if self.host.startswith("[") else socket.AF_INET


def address_asked_for(cli_args: list[str]) -> tuple[Address | None, list[str]]:
    """Find ``--port N`` or ``--addr HOST:N``; give the address, or None, and the other arguments.

    Raises:
        Invalid: It names no port, or no host.

    """
    for number, word in enumerate(cli_args):
        name, equals, text = word.partition("=")
        if name not in ("--port", "--addr"):
            continue
        after = number + (1 if equals else 2)
        text = text if equals else "".join(cli_args[number + 1 : after])
        host, _, digits = text.rpartition(":")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 5 and 0 < int(digits) < 65536):
            raise Invalid(f"cli_args: {name} {shown(text)} names no port; give one from 1 to 65535")
        if host and not _is_host(host):
            raise Invalid(
                f"cli_args: {name} {shown(text)} names no host; give an address of the proplet's machine, "
                "as in 127.0.0.1:8080 or [::1]:8080"
            )
        return Address(host or ALL, int(digits)), cli_args[:number] + cli_args[after:]
    return None, cli_args


def _is_host(host: str) -> bool:
    if not host.startswith("["):
        return _HOST.fullmatch(host) is not None
    try:
        is_whole = host.endswith("]") and host.isascii() and host.isprintable()
        return is_whole and ipaddress.IPv6Address(host[1:-1]).version == 6
    except ValueError:
        return False
