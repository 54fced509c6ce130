"""Defines the settings that say who may use the API of a manager."""

from propeller.access.certificates import grants_of
from propeller.config import values
from propeller.config.oidc_definitions import OIDC
from propeller.config.setting import Setting

#: How a manager may know who sends a request.
WAYS = ("none", "tokens", "oidc", "proxy", "certificates")


def _ways(raw: values.Raw) -> tuple[str, ...]:
    """Read words from ``WAYS``, each once; ``none`` stands alone."""
    found = tuple(dict.fromkeys(word.lower() for word in values.names(raw)))
    if not found or not set(found) <= set(WAYS):
        raise ValueError(f"is none of: {', '.join(WAYS)}")
    if "none" in found and len(found) > 1:
        raise ValueError("has none beside others; leave one of them out")
    return found


def _grants(raw: values.Raw) -> tuple[str, ...]:
    """Check a map of roles, and give its entries as they were written."""
    found = values.names(raw)
    grants_of(found)
    return found


ACCESS = (
    Setting(
        key="auth",
        read=_ways,
        computed="`none` on loopback; elsewhere it has to be given",
        text="*Extension.* How the manager knows who sends a request, by words with commas between them. "
        "tokens: by tokens of its own; oidc: by those of an issuer of OpenID Connect; proxy: by what the "
        "proxy before it says (`X-User-Id`, `X-Roles`); certificates: by those that "
        "clients show, see `certificate_roles`; none: all who reach it may do everything.",
    ),
    Setting(
        key="certificate_roles",
        read=_grants,
        text="*Extension.* With `auth` certificates: the role of each client, by the URI or else the common "
        "name in its certificate, separated by commas: `ci=operator,ada=viewer@team-a,*=viewer`. `@` bounds "
        "it to namespaces; `*` is everybody else.",
    ),
    Setting(
        key="insecure_no_auth",
        read=values.boolean,
        default=False,
        text="*Extension.* Let all who reach the manager do everything, also from other machines; the same "
        "as `auth` none.",
    ),
    *OIDC,
)
