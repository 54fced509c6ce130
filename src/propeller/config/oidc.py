"""Makes the settings about an issuer of OpenID Connect, and checks that they go together."""

from pathlib import Path

import msgspec

from propeller.config.errors import BadSettings
from propeller.config.oidc_definitions import OIDC
from propeller.config.sources import Effective


class OidcSettings(msgspec.Struct, frozen=True, kw_only=True):
    """An issuer whose people may use the API."""

    #: As it stands in ``iss``.
    issuer: str
    #: A token for any of these is for the API.
    audiences: tuple[str, ...] = ()
    #: The client of the page; ``""`` for none, and its secret; ``""`` for none.
    client_id: str = ""
    client_secret: str = ""
    #: The client of the command line; ``""`` for none.
    cli_client_id: str = ""
    scopes: tuple[str, ...] = ("openid",)
    user_claim: str = "sub"
    roles_claim: str = "roles"
    #: Pairs of a value of the claim and a role; empty where each role has its own name.
    roles: tuple[tuple[str, str], ...] = ()
    #: ``""`` for none: then all namespaces are everybody's.
    namespaces_claim: str = ""
    #: In PEM form; None for the system's CAs.
    ca_cert: Path | None = None

    def __repr__(self) -> str:
        return f"OidcSettings(issuer={self.issuer!r}, …)"


def oidc_settings(effective: Effective) -> OidcSettings | None:
    """Put them together; None where no issuer is asked.

    Raises:
        BadSettings: One is missing, or has no effect.

    """
    given = effective.values
    if "oidc" not in (given["auth"] or ()):
        idle = [
            setting.key
            for setting in OIDC
            if given[setting.key] != (setting.default and setting.read(setting.default))
        ]
        if idle:
            raise BadSettings(
                f"MANAGER_{idle[0].upper()}: has no effect without oidc in MANAGER_AUTH; add it there "
                "(MANAGER_AUTH=oidc), or leave this out"
            )
        return None
    if not given["oidc_issuer"]:
        raise BadSettings("MANAGER_OIDC_ISSUER: is missing, and MANAGER_AUTH has oidc; name the issuer")
    if not (given["oidc_audience"] or given["oidc_client_id"]):
        raise BadSettings(
            "MANAGER_OIDC_AUDIENCE: is missing, and so is MANAGER_OIDC_CLIENT_ID; without one of them, "
            "nobody could tell a token for this manager from one for something else"
        )
    if given["oidc_client_secret"] and not given["oidc_client_id"]:
        raise BadSettings(
            "MANAGER_OIDC_CLIENT_SECRET: has no effect without MANAGER_OIDC_CLIENT_ID; give both, or leave "
            "it out"
        )
    client_id, secret = given["oidc_client_id"] or "", given["oidc_client_secret"] or ""
    return OidcSettings(
        issuer=given["oidc_issuer"],
        audiences=given["oidc_audience"] or (),
        client_id=client_id,
        client_secret=secret,
        cli_client_id=given["oidc_cli_client_id"] or ("" if secret else client_id),
        scopes=tuple(dict.fromkeys(("openid", *given["oidc_scopes"]))),
        user_claim=given["oidc_user_claim"],
        roles_claim=given["oidc_roles_claim"],
        roles=given["oidc_roles"] or (),
        namespaces_claim=given["oidc_namespaces_claim"] or "",
        ca_cert=given["oidc_ca_cert"],
    )
