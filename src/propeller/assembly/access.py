"""Who may use the API of a manager: the ways in which it knows who sends a request."""

import socket
from collections.abc import Sequence

from propeller.api.authentication import TokenWay, Way
from propeller.api.gate import is_loopback
from propeller.api.sessions import SessionWay
from propeller.errors import CannotListen
from propeller.manager.keyring import Keyring


def ways_of(auth: Sequence[str], keyring: Keyring) -> list[Way] | None:
    """Give the ways that a setting names; None where nobody is asked."""
    made: dict[str, Way] = {"tokens": TokenWay(keyring)}
    return None if set(auth) <= {"none"} else [*(made[word] for word in auth), SessionWay(keyring)]


def refuse_unasked(auth: Sequence[str], listeners: Sequence[socket.socket]) -> None:
    """Refuse to answer everybody on other machines, unless that was said.

    Raises:
        CannotListen: Nothing says who may use the API. The sockets are closed then.

    """
    addresses = [listener.getsockname() for listener in listeners]
    if auth or all(is_loopback(address[0]) for address in addresses):
        return
    for listener in listeners:
        listener.close()
    host, port = addresses[0][:2]
    raise CannotListen(
        f"{f'[{host}]' if ':' in host else host}:{port}: everybody who reaches it could do everything, since "
        "nothing says who may use this manager. Either ask for tokens: --auth tokens (MANAGER_AUTH=tokens), "
        "with a first one from: propeller tokens create --role admin --name NAME --data-dir DIR. Or let "
        "everybody in: --insecure-no-auth (MANAGER_AUTH=none)"
    )
