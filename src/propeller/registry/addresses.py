"""Connecting only to allowed addresses.

A user who chooses a host name must not reach the machines next to the proxy. The name is resolved here, all
its addresses are checked, and the connection goes to one of those: resolved a second time, the name could
lead elsewhere. TLS still asks for the name.
"""

import asyncio
import ipaddress
import socket
import ssl

import httpx

from propeller.errors import ModuleUnavailable
from propeller.registry.retry import Transient
from propeller.registry.settings import RegistrySettings

_PORT_MAX = 65_535
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")


class CheckedTransport(httpx.AsyncBaseTransport):
    """Sends requests to checked addresses; the connections of one host serve no other."""

    def __init__(self, settings: RegistrySettings, tls: ssl.SSLContext) -> None:
        self._settings = settings
        self._tls = tls
        self._by_host: dict[str, httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.raw_host.decode()
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        if port > _PORT_MAX:
            raise ModuleUnavailable(f"{host} can't have the port {port}: ports end at {_PORT_MAX}")
        addresses = await _resolve(host, port)
        if not self._settings.may_be_private(request.url):
            for address in addresses:
                if not is_public(address):
                    raise ModuleUnavailable(
                        f"{host} has the address {address}, which is not a public one; the operator can "
                        "set allow_private_addresses, or name the host in registry_plain_http"
                    )
        transport = self._by_host.get(host)
        if transport is None:
            # By address alone the pool would give one name's connection, with its certificate, to another.
            transport = self._by_host[host] = httpx.AsyncHTTPTransport(verify=self._tls, trust_env=False)
        return await _first_that_connects(transport, request, host, addresses)

    async def aclose(self) -> None:
        for transport in self._by_host.values():
            await transport.aclose()


def is_public(address: str) -> bool:
    """Say whether an address is one of the public internet, also when it stands for another.

    Source: the registries of special-purpose addresses (RFC 6890), as far as Python knows them, and of IPv6
    only what is given out as global unicast (RFC 4291, 2.4): all else is of this site, or of nobody.
    """
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = _stands_for(ip)
        if inner:
            return all(is_public(str(one)) for one in inner)
        if ip not in _GLOBAL_UNICAST:
            return False
    return ip.is_global and not ip.is_multicast


def _stands_for(ip: ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """Find the IPv4 addresses that packets to it go to: mapped, NAT64, 6to4, and both ends of Teredo."""
    if ip in _NAT64:
        return [ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)]
    inner = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
    return [one for one in inner if one is not None]


async def _resolve(host: str, port: int) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        kind = Transient if error.errno == socket.EAI_AGAIN else ModuleUnavailable
        raise kind(f"host {host} is not known: {error.strerror}") from error
    except UnicodeError as error:
        raise ModuleUnavailable(f"{host[:80]!r} is not a host name") from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def _first_that_connects(
    transport: httpx.AsyncHTTPTransport, request: httpx.Request, host: str, addresses: list[str]
) -> httpx.Response:
    """Send to the first address that takes a connection."""
    for address in addresses[:-1]:
        try:
            return await transport.handle_async_request(_sent_to(address, request, host))
        except (httpx.ConnectError, httpx.ConnectTimeout):
            continue
    return await transport.handle_async_request(_sent_to(addresses[-1], request, host))


def _sent_to(address: str, request: httpx.Request, host: str) -> httpx.Request:
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,  # with the name as Host already
        extensions={**request.extensions, "sni_hostname": host},
    )
