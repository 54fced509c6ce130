"""Settings for fetching modules: trust, credentials and bounds."""

from pathlib import Path

import httpx
import msgspec

from propeller.registry.reference import api_host

#: Registries that have their token service on another host.
_TOKEN_HOSTS = {"registry-1.docker.io": frozenset({"auth.docker.io"})}


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """For one registry: a user name with a password, or a token in their place."""

    username: str = ""
    password: str = ""
    token: str = ""
    #: Hosts besides the registry's own that are given the password when they are asked for a token.
    token_hosts: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"Credentials(username={self.username!r}, …)"


class RegistrySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of a ``Fetcher``.

    A host that the operator named, for credentials or plain HTTP, may have a private address; any other may
    not, as whoever may start a task chooses it.
    """

    #: Fetched modules are kept here by digest; the least recently used go when the bound is reached.
    cache_dir: Path
    cache_bytes_max: int = 1 << 30
    #: By registry as references name it, with the port if that is not the usual one.
    credentials: dict[str, Credentials] = {}
    #: Hosts that are spoken to without TLS: ``host:port``, or ``host`` for each of its ports.
    plain_http: frozenset[str] = frozenset()
    #: In PEM form; counts besides those of the system.
    ca_cert: Path | None = None
    insecure_skip_verify: bool = False
    #: Let any name lead to private, link-local and loopback addresses.
    allow_private_addresses: bool = False
    #: The largest module.
    module_bytes_max: int = 104_857_600
    #: Longest wait for an answer, or for the next bytes of one.
    timeout_s: float = 30.0
    #: Longest fetch from an ``http(s)`` address, with all its tries.
    url_timeout_s: float = 30.0
    #: Longest request to a registry, with all its tries.
    image_timeout_s: float = 300.0
    #: How often a request is made while its faults are transient, and the first wait between two.
    tries: int = 4
    backoff_s: float = 0.2

    def credentials_for(self, host: str) -> Credentials | None:
        """Look them up by the host that a registry answers at."""
        return next((found for name, found in self.credentials.items() if api_host(name) == host), None)

    def may_see_credentials_of(self, host: str) -> frozenset[str]:
        """Hosts that are given a registry's password."""
        credentials = self.credentials_for(host)
        listed = credentials.token_hosts if credentials else frozenset[str]()
        return _TOKEN_HOSTS.get(host, frozenset()) | listed | {host}

    def is_plain(self, url: httpx.URL) -> bool:
        """Say whether the host of this address is asked without TLS."""
        return bool(self.plain_http & {_bare_host(url), f"{_bare_host(url)}:{url.port or 80}"})

    def may_be_private(self, url: httpx.URL) -> bool:
        """Say whether the host of this address may have a private address."""
        if self.allow_private_addresses or self.is_plain(url):
            return True
        named = {api_host(name) for name in self.credentials}
        named.update(*(credentials.token_hosts for credentials in self.credentials.values()))
        return netloc(url) in named


def netloc(url: httpx.URL) -> str:
    """Host, and port if that is not the scheme's own."""
    return url.netloc.decode()


def _bare_host(url: httpx.URL) -> str:
    host = url.raw_host.decode()
    return f"[{host}]" if ":" in host else host
