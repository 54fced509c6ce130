"""Certificates of clients: who it is that they are about, and what those may do."""

from collections.abc import Mapping

from propeller.access.principal import Principal
from propeller.access.roles import Role
from propeller.errors import Forbidden, Unauthenticated

#: How the URIs in the certificates of a fleet's programs begin, which are no clients of the API.
PROGRAM_URIS = "urn:propeller:"
#: All names, in a map of roles.
ANYBODY = "*"


def principal_from(name: str, ends_at: float, roles: Mapping[str, Role], now_ns: int) -> Principal:
    """Say who shows a certificate that a CA of clients has signed.

    Args:
        name: Its first URI, or its common name where it has none; ``""`` where it has neither.
        ends_at: Until when it is good, Unix time, s.
        roles: The role of each name, or of ``ANYBODY``.
        now_ns: The present, ns since 1970.

    Raises:
        Unauthenticated: It names nobody, or has ended since the connection began.
        Forbidden: Somebody is known, and has no role here.

    """
    if not name or not name.isprintable():
        raise Unauthenticated("certificate: it has neither a URI nor a common name, and so names nobody")
    expires_at = int(ends_at) * 10**9
    if expires_at <= now_ns:
        raise Unauthenticated(f"certificate: that of {name} has ended; renew it, and connect again")
    role = roles.get(name, roles.get(ANYBODY))
    if name.startswith(PROGRAM_URIS) or role is None:
        raise Forbidden(
            f"{name} has no role here, which its certificate alone does not give; ask an admin to name it in "
            "MANAGER_CERTIFICATE_ROLES"
        )
    return Principal(name=name, role=role, namespaces=None, how="certificate", expires_at=expires_at)
