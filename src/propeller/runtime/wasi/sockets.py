"""Sockets: ``wasi:sockets``, in the words of the engine's WASI to guests that may not use the network.

A guest gets an error code when it makes a socket or looks up a name: that it only has a library in it which
would use one is no reason to end it. As no guest ever has a socket, no function takes one.
"""

from collections.abc import Callable
from typing import Any

from propeller.runtime.component.variants import Err
from propeller.runtime.wasi.session import Session


class Network:
    """The network, which no guest may use."""


def _refuse(session: Session, *_: object) -> Err:
    return Err("access-denied")


FUNCTIONS: dict[str, dict[str, Callable[..., Any]]] = {
    "wasi:sockets/network": {"network-error-code": lambda session, error: None},
    "wasi:sockets/instance-network": {"instance-network": lambda session: session.add(Network())},
    "wasi:sockets/ip-name-lookup": {
        "resolve-addresses": lambda session, network, name: Err("permanent-resolver-failure"),
    },
    "wasi:sockets/tcp-create-socket": {"create-tcp-socket": _refuse},
    "wasi:sockets/udp-create-socket": {"create-udp-socket": _refuse},
}
