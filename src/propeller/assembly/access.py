"""Who may use the API of a manager: the ways in which it knows who sends a request."""

import socket
import ssl
import time
from collections.abc import Mapping, Sequence

from propeller.access.certificates import Grant
from propeller.access.roles import Role
from propeller.api.authentication import TokenWay, Way
from propeller.api.certified import CertificateWay
from propeller.api.gate import is_loopback
from propeller.api.issuing import Clients, Issuing
from propeller.api.proxies import ProxyWay
from propeller.api.sessions import SessionWay
from propeller.config.oidc import OidcSettings
from propeller.errors import CannotListen
from propeller.manager.keyring import Keyring


def ways_of(
    auth: Sequence[str],
    keyring: Keyring,
    *,
    oidc: OidcSettings | None = None,
    certificates: Mapping[str, Grant] | None = None,
) -> list[Way] | None:
    """Give the ways that a setting names; None where nobody is asked."""
    if set(auth) <= {"none"}:
        return None
    made: dict[str, Way] = {
        "tokens": TokenWay(keyring),
        "proxy": ProxyWay(),
        "certificates": CertificateWay(certificates or {}),
    }
    if oidc is not None:
        made["oidc"] = _issuer_way(oidc)
    return [*(made[word] for word in auth), SessionWay(keyring)]


async def close_ways(ways: Sequence[Way] | None) -> None:
    """End what ways have under way."""
    for way in ways or ():
        if isinstance(way, Issuing):
            await way.close()


def _issuer_way(oidc: OidcSettings) -> Way:
    from propeller.access.oidc import Trust  # noqa: PLC0415  loaded where there is an issuer: both load much
    from propeller.api.issued import IssuerWay  # noqa: PLC0415
    from propeller.api.issuer import Issuer  # noqa: PLC0415

    clients = Clients(
        page=oidc.client_id, secret=oidc.client_secret, cli=oidc.cli_client_id, scopes=oidc.scopes
    )
    trust = Trust(
        issuer=oidc.issuer,
        audiences=tuple(filter(None, dict.fromkeys((*oidc.audiences, clients.page, clients.cli)))),
        roles_claim=oidc.roles_claim,
        user_claim=oidc.user_claim,
        roles={value: Role(role) for value, role in oidc.roles} or {str(role): role for role in Role},
        namespaces_claim=oidc.namespaces_claim,
    )
    trusted = ssl.create_default_context(cafile=oidc.ca_cert)
    return IssuerWay(trust, Issuer(oidc.issuer, trusted=trusted), time.time_ns, clients)


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
