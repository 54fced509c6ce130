"""The address of a server in a program of this machine, and whether it listens there yet."""

import asyncio
import socket
from collections.abc import Container
from typing import NamedTuple

from propeller.errors import Invalid
from propeller.runtime.quoting import shown

#: How many ports after the first are tried, where the task names none.
_OTHER_PORTS = 99
_ALL = "0.0.0.0"  # noqa: S104  the contract's address
_LOOK_AGAIN_S = 0.02


class Address(NamedTuple):
    #: As on a command line: IPv6 in brackets.
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def address_asked_for(cli_args: list[str]) -> tuple[Address | None, list[str]]:
    """Find ``--port N`` or ``--addr HOST:N``; give the address, or None, and the other arguments.

    Raises:
        Invalid: It names no port.

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
        return Address(host or _ALL, int(digits)), cli_args[:number] + cli_args[after:]
    return None, cli_args


def free_address(first_port: int, taken: Container[int]) -> Address:
    """Find a free port from this one on, except those that are ``taken`` and may not be used yet.

    Raises:
        Invalid: There is no free port.

    """
    last = min(first_port + _OTHER_PORTS, 65535)
    for port in range(first_port, last + 1):
        address = Address(_ALL, port)
        if port not in taken and not obstacle_at(address):
            return address
    raise Invalid(f"no port from {first_port} to {last} is free; name another with --port")


def obstacle_at(address: Address) -> str:
    """Say why the address can't be listened on; ``""`` where it can."""
    family = socket.AF_INET6 if address.host.startswith("[") else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host.strip("[]"), address.port))
        except OSError as error:
            return error.strerror or str(error)
    return ""


async def answering(address: Address) -> None:
    """Wait until a server listens there, however long that takes."""
    while True:
        try:
            _, writer = await asyncio.open_connection(address.host.strip("[]"), address.port)
        except OSError:
            await asyncio.sleep(_LOOK_AGAIN_S)
        else:
            writer.close()
            return
