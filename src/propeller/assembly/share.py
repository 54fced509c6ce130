"""How many connections each client has: one that opens thousands leaves room for others."""

import ipaddress
from collections import Counter
from collections.abc import Sequence

from propeller.api.gate import is_loopback
from propeller.assembly.heads import network

#: How many one client may have open, which is an address, or a network with IPv6.
EACH_MAX = 256


class Share:
    """Counts connections by client, but not those of this machine and of proxies, which speak for many."""

    def __init__(self, proxies: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> None:
        self._proxies = proxies
        self._by_client: Counter[str] = Counter()

    def take(self, address: str) -> str | None:
        """Count a connection from an address.

        Returns:
            Whose it is, to be given back at its end, ``""`` if that is not counted; None if it may not be.

        """
        if is_loopback(address) or self._is_proxy(address):
            return ""
        client = network(address)
        if self._by_client[client] >= EACH_MAX:
            return None
        self._by_client[client] += 1
        return client

    def give_back(self, client: str) -> None:
        """Count a connection of a client no longer."""
        if client:
            self._by_client[client] -= 1
            if not self._by_client[client]:
                del self._by_client[client]

    def _is_proxy(self, address: str) -> bool:
        return bool(self._proxies) and any(
            ipaddress.ip_address(address.partition("%")[0]) in proxies for proxies in self._proxies
        )
