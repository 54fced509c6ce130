"""Who sends a request."""

import msgspec

from propeller.access.roles import Role


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is known, by whichever means."""

    #: Name of the token, subject at the issuer, or name in the client certificate.
    name: str
    role: Role
    #: Those that are seen and changed; None for all.
    namespaces: frozenset[str] | None
    #: How they are known: ``none``, ``token``, ``oidc``, ``certificate``, ``proxy`` or ``session``.
    how: str
    #: Id of the token or of the session; ``""`` if there is none.
    key: str = ""
    #: When this ends, ns since 1970; 0 for never.
    expires_at: int = 0

    def sees(self, namespace: str) -> bool:
        """Say whether a namespace is one of theirs."""
        return self.namespaces is None or namespace in self.namespaces


#: Everybody, where the manager asks nobody who they are.
LOCAL = Principal(name="local", role=Role.ADMIN, namespaces=None, how="none")
