"""Addresses of this machine: free ones, and whether a server listens there yet."""

import asyncio
import socket
from collections.abc import Container

from propeller.errors import Invalid
from propeller.runtime.address import ALL, Address

#: How many ports after the first are tried, where the task names none.
_OTHER_PORTS = 99
_LOOK_AGAIN_S = 0.02


def free_address(first_port: int, taken: Container[int]) -> Address:
    """Find a free port from this one on, except those that are ``taken`` and may not be used yet.

    Raises:
        Invalid: There is no free port.

    """
    last = min(first_port + _OTHER_PORTS, 65535)
    for port in range(first_port, last + 1):
        address = Address(ALL, port)
        if port not in taken and not obstacle_at(address):
            return address
    raise Invalid(f"no port from {first_port} to {last} is free; name another with --port")


def obstacle_at(address: Address) -> str:
    """Say why the address can't be listened on; ``""`` where it can."""
    with socket.socket(address.family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.bare_host, address.port))
        except OSError as error:
            return error.strerror or str(error)
    return ""


async def answering(address: Address) -> None:
    """Wait until a server listens there, however long that takes."""
    while True:
        try:
            _, writer = await asyncio.open_connection(address.bare_host, address.port)
        except OSError:
            await asyncio.sleep(_LOOK_AGAIN_S)
        else:
            writer.close()
            return
