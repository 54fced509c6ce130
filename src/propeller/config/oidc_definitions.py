"""Defines the settings about an issuer of OpenID Connect, whose people may use the API."""

import ipaddress
from urllib.parse import urlsplit

from propeller.config import values
from propeller.config.setting import Setting
from propeller.config.values import Raw

_ROLES = ("viewer", "submitter", "operator", "admin")


def issuer(raw: Raw) -> str:
    """Read an issuer as its tokens name it: a URL, by HTTPS unless it is on this machine."""
    address = values.text(raw).strip()
    parts = urlsplit(address)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("has to be the URL that tokens have as iss, like https://login.example/realms/main")
    if parts.scheme == "http" and not _is_here(parts.hostname):
        raise ValueError("is plain http, so anybody on the way could make tokens; write an https URL")
    return address


def roles(raw: Raw) -> tuple[tuple[str, str], ...]:
    """Read which values of a claim are which roles: ``wasm-admins=admin,developers=submitter``."""
    found = []
    for item in values.names(raw):
        value, equals, role = item.rpartition("=")
        if not equals or not value.strip() or role.strip() not in _ROLES:
            raise ValueError(
                f"holds {item!r}; write VALUE=ROLE, with a role out of {', '.join(_ROLES)}, like "
                "wasm-admins=admin,developers=submitter"
            )
        found.append((value.strip(), role.strip()))
    if not found:
        raise ValueError("has no role in it; write VALUE=ROLE, like wasm-admins=admin")
    return tuple(found)


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


OIDC = (
    Setting(
        key="oidc_issuer",
        read=issuer,
        text="*Extension.* With `auth` oidc: the issuer whose tokens are believed, as they name it (`iss`). "
        "Required.",
    ),
    Setting(
        key="oidc_audience",
        read=values.names,
        text="*Extension.* What tokens for the API have as `aud`; several are separated by commas. "
        "This or `oidc_client_id` is required. Tokens for the clients are always good.",
    ),
    Setting(
        key="oidc_client_id",
        read=values.text,
        text="*Extension.* The client at the issuer by which people sign in on the page; without it they "
        "can't.",
    ),
    Setting(
        key="oidc_client_secret",
        read=values.text,
        is_secret=True,
        text="*Extension.* Its secret; leave it out for a public client.",
    ),
    Setting(
        key="oidc_cli_client_id",
        read=values.text,
        computed="`oidc_client_id`, if that has no secret",
        text="*Extension.* The public client by which `propeller login --oidc` signs in.",
    ),
    Setting(
        key="oidc_scopes",
        read=values.names,
        default="openid",
        text="*Extension.* What is asked for at a sign-in, separated by commas, `openid` always. Some "
        "issuers give the roles only with a scope such as `groups`, and let a command line stay signed in "
        "only with `offline_access`.",
    ),
    Setting(
        key="oidc_user_claim",
        read=values.text,
        default="sub",
        text="*Extension.* The claim that says who somebody is; it has to be one that nobody can choose.",
    ),
    Setting(
        key="oidc_roles_claim",
        read=values.text,
        default="roles",
        text="*Extension.* The claim with the roles; `realm_access.roles` is a claim inside of another.",
    ),
    Setting(
        key="oidc_roles",
        read=roles,
        computed="each role by its own name",
        text="*Extension.* Which values of that claim are which roles: "
        "`wasm-admins=admin,developers=submitter`.",
    ),
    Setting(
        key="oidc_namespaces_claim",
        read=values.text,
        text="*Extension.* The claim that lists the namespaces of somebody; `*` in it stands for all. "
        "Without this setting, all are everybody's.",
    ),
    Setting(
        key="oidc_ca_cert",
        read=values.pem_file,
        text="*Extension.* PEM file of the CA of the issuer's certificate; without it, the system's CAs.",
    ),
)
