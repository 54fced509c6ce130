"""Authorization at a registry: Basic, or a token that another service gives.

Credentials go to the registry they are for, and to the token service if that is the same host or one that
the settings allow: a registry must not be able to send a password wherever it likes.
"""

import base64
from collections.abc import Sequence

import httpx
import msgspec

from propeller.errors import ModuleUnavailable
from propeller.registry.challenge import Challenge
from propeller.registry.reference import Reference
from propeller.registry.settings import Credentials, RegistrySettings, netloc
from propeller.registry.web import Web, shown, status_line

_TOKEN_BYTES_MAX = 1 << 20


class _Token(msgspec.Struct):
    token: str = ""
    access_token: str = ""


async def authorization(
    web: Web, settings: RegistrySettings, reference: Reference, challenges: Sequence[Challenge]
) -> str:
    """Make the header that answers a registry's challenge.

    Raises:
        Transient: The token service does not answer now.
        ModuleUnavailable: There are no credentials for this registry, or the token service refuses them.

    """
    credentials = settings.credentials_for(reference.api_host)
    by_scheme = {challenge.scheme: challenge for challenge in challenges}
    bearer = by_scheme.get("bearer")
    if bearer is not None and credentials is not None and credentials.token:
        return f"Bearer {credentials.token}"
    if bearer is not None and "realm" in bearer.parameters:
        return f"Bearer {await _ask_for_token(web, settings, reference, bearer)}"
    if "basic" not in by_scheme:
        wanted = ", ".join(by_scheme) or "nothing that it names"
        raise ModuleUnavailable(
            f"{reference.registry} wants to be shown {wanted}; Basic and Bearer are known"
        )
    if credentials is None:
        raise ModuleUnavailable(
            f"{reference.registry} wants credentials for {reference.repository}, and there are none for it"
        )
    return _basic(credentials)


async def _ask_for_token(
    web: Web, settings: RegistrySettings, reference: Reference, challenge: Challenge
) -> str:
    realm = _realm(settings, reference, challenge)
    credentials = settings.credentials_for(reference.api_host)
    if credentials is not None and netloc(realm) not in settings.may_see_credentials_of(reference.api_host):
        raise ModuleUnavailable(
            f"{reference.registry} leaves its tokens to {netloc(realm)}, which is not among the hosts that "
            "may be given its credentials (token_hosts)"
        )

    def headers_for(hop: httpx.URL) -> dict[str, str]:
        is_home = (hop.scheme, netloc(hop)) == (realm.scheme, netloc(realm))
        return {"Authorization": _basic(credentials)} if credentials is not None and is_home else {}

    answer = await web.read(realm, headers_for, bytes_max=_TOKEN_BYTES_MAX)
    if answer.status != 200:
        who = "its credentials" if credentials is not None else "a request without credentials"
        raise ModuleUnavailable(
            f"{shown(realm)} gives no token for {reference.repository} to {who} "
            f"({status_line(answer.status)})"
        )
    try:
        found = msgspec.json.decode(answer.body, type=_Token)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ModuleUnavailable(f"{shown(realm)} sends what is no token: {error}") from error
    token = found.token or found.access_token
    if not token:
        raise ModuleUnavailable(f"{shown(realm)} sends an answer without a token")
    return token


def _realm(settings: RegistrySettings, reference: Reference, challenge: Challenge) -> httpx.URL:
    text = challenge.parameters["realm"]
    try:
        realm = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise ModuleUnavailable(
            f"{reference.registry} leaves its tokens to {text[:200]!r}: {error}"
        ) from error
    if realm.scheme != "https" and not (realm.scheme == "http" and settings.is_plain(realm)):
        raise ModuleUnavailable(
            f"{reference.registry} leaves its tokens to {text[:200]!r}, which is not an https address"
        )
    scope = challenge.parameters.get("scope", f"repository:{reference.repository}:pull")
    service = challenge.parameters.get("service")
    return realm.copy_merge_params({"scope": scope} | ({"service": service} if service else {}))


def _basic(credentials: Credentials) -> str:
    # A registry that takes tokens by Basic takes them as a password, with any name.
    pair = f"{credentials.username or 'token'}:{credentials.password or credentials.token}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"
