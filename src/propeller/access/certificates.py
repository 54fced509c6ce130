"""Certificates of clients: who it is that they are about, and what those may do."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from propeller.access.principal import Principal
from propeller.access.roles import Role
from propeller.errors import Forbidden, Unauthenticated

#: How the URIs in the certificates of a fleet's programs begin, which are no clients of the API.
PROGRAM_URIS = "urn:propeller:"
#: All names, in a map of roles.
ANYBODY = "*"


class Grant(NamedTuple):
    """What the one of a certificate may do."""

    role: Role
    #: None for all.
    namespaces: frozenset[str] | None


def grants_of(entries: Iterable[str]) -> dict[str, Grant]:
    """Read entries like ``ci=operator``, ``ada=viewer@team-a@team-b`` and ``*=viewer``, by name.

    Raises:
        ValueError: One is of another form, or a name is there twice.

    """
    found: dict[str, Grant] = {}
    for entry in entries:
        name, mark, rest = entry.rpartition("=")
        role, *namespaces = rest.split("@")
        if not mark or not name or role not in list(Role) or not all(namespaces):
            raise ValueError(
                f"holds {entry!r}; write NAME=ROLE or NAME=ROLE@NAMESPACE, with a role of {', '.join(Role)}"
            )
        if name in found:
            raise ValueError(f"names {name} twice; leave one of them out")
        found[name] = Grant(Role(role), frozenset(namespaces) or None)
    return found


def principal_from(name: str, ends_at: float, grants: Mapping[str, Grant], now_ns: int) -> Principal:
    """Say who shows a certificate that a CA of clients has signed.

    Args:
        name: Its first URI, or its common name where it has none; ``""`` where it has neither.
        ends_at: Until when it is good, Unix time, s.
        grants: By name, or for ``ANYBODY``.
        now_ns: The present, ns since 1970.

    Raises:
        Unauthenticated: It names nobody, or has ended since the connection began.
        Forbidden: Somebody is known, and has no role here.

    """
    if not name or name == ANYBODY or not name.isprintable():
        raise Unauthenticated("certificate: it has neither a URI nor a common name that could name somebody")
    expires_at = int(ends_at) * 10**9
    if expires_at <= now_ns:
        raise Unauthenticated(f"certificate: that of {name} has ended; renew it, and connect again")
    grant = grants.get(name) or grants.get(ANYBODY)
    if grant is None:
        raise Forbidden(
            f"{name} has no role here, which its certificate alone does not give; ask an admin to name it in "
            "MANAGER_CERTIFICATE_ROLES"
        )
    return Principal(
        name=name,
        role=grant.role,
        namespaces=grant.namespaces,
        how="certificate",
        expires_at=expires_at,
    )
