"""Tokens of an issuer of OpenID Connect: which are believed, and who it is that they are about.

Only the keys that the issuer publishes count, and only for the algorithm that fits their kind. So nobody can
have a token checked with a key of their own, nor with a public key as if it were a secret. What a token says
of where its key is (``jku``, ``x5u``, ``jwk``) is not looked at.
Source: RFC 7515, 4.1; RFC 7519, 4.1; RFC 8725, 3; OpenID Connect Core 1.0, 3.1.3.7.
"""

import base64
import copy
import datetime as dt
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from joserfc import jwt
from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError, MissingClaimError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from propeller.access.principal import Principal
from propeller.access.roles import Role, highest
from propeller.errors import Forbidden, Unauthenticated

#: How far the clocks of issuer and manager may be apart, s.
LEEWAY_S = 60
#: The largest token: more does not fit into the headers of a request besides others.
TOKEN_BYTES_MAX = 16 * 1024
#: An issuer publishes a handful; more are no set of keys.
KEYS_MAX = 100
#: All namespaces, in the claim that lists them.
EVERY_NAMESPACE = "*"
#: How they are known. With a colon it also begins their names: names of tokens have none, so that nobody who
#: chooses a name at the issuer owns what a token has created.
HOW = "oidc"
#: 2048 bits, as base64 has them; shorter keys can be broken.
_RSA_CHARS_MIN = 342
_KEYS: Mapping[str, type[RSAKey | ECKey | OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
_KINDS: Mapping[str, tuple[type[RSAKey | ECKey | OKPKey], str]] = {
    "RS256": (RSAKey, ""),
    "ES256": (ECKey, "P-256"),
    "EdDSA": (OKPKey, "Ed25519"),
    "Ed25519": (OKPKey, "Ed25519"),
}
#: What a token may say that it is; others, as those that end a session, are no credentials.
_TYPES = ("", "jwt", "at+jwt", "application/at+jwt")
#: No moment is later than this, s: as ns, it fits into 64 bits.
_MOMENT_S_MAX = 2**33


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """What is believed of an issuer, and what its claims mean here."""

    #: As it stands in ``iss``, and as its discovery document begins.
    issuer: str
    #: A token for any of these is for us.
    audiences: tuple[str, ...]
    #: The claim with the roles; with dots, a claim inside of another (``realm_access.roles``).
    roles_claim: str = "roles"
    #: The claim that says who somebody is.
    user_claim: str = "sub"
    #: Values of the claim with the roles, and what each of them is here.
    roles: Mapping[str, Role] = msgspec.field(default_factory=lambda: {str(role): role for role in Role})
    #: The claim that lists the namespaces; ``""`` for all, for everybody.
    namespaces_claim: str = ""


class Head(msgspec.Struct, frozen=True):
    """What a token says of its signature, before anything of it is believed."""

    algorithm: str
    #: Id of the key; ``""`` for none.
    key_id: str


def head_of(token: str) -> Head:
    """Read the head of a token.

    Raises:
        Unauthenticated: It is no token, or one whose signature can't be checked safely.

    """
    if len(token) > TOKEN_BYTES_MAX:
        raise Unauthenticated(
            f"token: it is longer than {TOKEN_BYTES_MAX} bytes; ask the issuer for a shorter one"
        )
    parts = token.split(".")
    if len(parts) != 3 or not all(parts):
        raise Unauthenticated("token: it is no signed token of an issuer, or a part of it is missing")
    head = _object(parts[0])
    algorithm, key_id, kind = (head.get(name, "") for name in ("alg", "kid", "typ"))
    if not isinstance(algorithm, str) or algorithm not in _KINDS:
        raise Unauthenticated(
            f"token: it is signed with {str(algorithm)[:40]!r}, and only {', '.join(_KINDS)} are believed"
        )
    if "crit" in head:
        raise Unauthenticated("token: it asks for an extension (crit), and none is known here")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise Unauthenticated(f"token: it is of the type {str(kind)[:40]!r}, which lets nobody in")
    if not isinstance(key_id, str):
        raise Unauthenticated("token: the id of its key (kid) is no text")
    return Head(algorithm, key_id)


def keys_from(document: object) -> tuple[Key, ...]:
    """Read the keys that an issuer publishes, those that a token may be signed with; leave out others.

    Args:
        document: A set of keys (RFC 7517, 5), as JSON has it.

    Raises:
        ValueError: It is no set of keys.

    """
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list) or len(listed) > KEYS_MAX:
        raise ValueError(f"is no list of at most {KEYS_MAX} keys")
    return tuple(key for one in listed if (key := _key(one)) is not None)


def fitting(keys: Sequence[Key], head: Head) -> list[Key]:
    """Give those of the keys that a token with this head may be signed with."""
    kind, curve = _KINDS[head.algorithm]
    return [
        key
        for key in keys
        if isinstance(key, kind)
        and (not curve or key.get("crv") == curve)
        and key.get("alg", head.algorithm) == head.algorithm
        and (not head.key_id or key.get("kid") == head.key_id)
    ]


def claims_of(token: str, head: Head, keys: Sequence[Key], trust: Trust, now_ns: int) -> dict[str, Any]:
    """Check a token and give what it says.

    Args:
        token: The token.
        head: Its head.
        keys: Those that it may be signed with (``fitting``).
        trust: Whose tokens are believed.
        now_ns: The present, ns since 1970.

    Raises:
        Unauthenticated: Its signature is wrong, or it is not for us, or not for now.

    """
    claims = _signed(token, head, keys)
    rules = jwt.JWTClaimsRegistry(
        now=now_ns // 10**9,
        leeway=LEEWAY_S,
        iss={"essential": True, "value": trust.issuer},
        aud={"essential": True, "values": list(trust.audiences)},
        exp={"essential": True},
    )
    try:
        rules.validate(claims)
    except ExpiredTokenError as error:
        raise Unauthenticated(f"token: it expired at {_moment(claims['exp'])}; sign in again") from error
    except MissingClaimError as error:
        raise Unauthenticated(
            f"token: it has no claim {error.claim}, and so does not say what it is for"
        ) from error
    except InvalidClaimError as error:
        raise Unauthenticated(_wrong(error.claim, claims)) from error
    return claims


def check_nonce(claims: Mapping[str, Any], nonce: str) -> None:
    """Refuse a token that was not made for the sign-in that began with this nonce."""
    found = claims.get("nonce")
    if not isinstance(found, str) or not hmac.compare_digest(found.encode(), nonce.encode()):
        raise Unauthenticated("token: it is not of this sign-in (nonce); sign in again")


def check_party(claims: Mapping[str, Any], client_id: str) -> None:
    """Refuse a token that another client was given, though it is for this one too."""
    if claims.get("azp", client_id) != client_id:
        raise Unauthenticated("token: it was given to another client (azp); sign in again")


def principal_from(claims: Mapping[str, Any], trust: Trust) -> Principal:
    """Say who a token is about.

    Raises:
        Unauthenticated: It does not name anybody.
        Forbidden: Somebody is known, and has no role or no namespace here.

    """
    name = _claim(claims, trust.user_claim)
    if not isinstance(name, str) or not name or len(name) > 256 or not name.isprintable():
        raise Unauthenticated(f"token: its claim {trust.user_claim} names nobody")
    given = _texts(_claim(claims, trust.roles_claim))
    role = highest(trust.roles[value] for value in given if value in trust.roles)
    if role is None:
        raise Forbidden(
            f"{name} has no role here: the claim {trust.roles_claim} of the token has "
            f"{_listed(given)}, and it has to have one of {_listed(list(trust.roles))}"
        )
    return Principal(
        name=f"{HOW}:{name}",
        role=role,
        namespaces=_namespaces(name, claims, trust),
        how=HOW,
        expires_at=min(int(claims["exp"]) + LEEWAY_S, _MOMENT_S_MAX) * 10**9,
    )


def _namespaces(name: str, claims: Mapping[str, Any], trust: Trust) -> frozenset[str] | None:
    if not trust.namespaces_claim:
        return None
    given = _texts(_claim(claims, trust.namespaces_claim))
    if not given:
        raise Forbidden(
            f"{name} has no namespace here: the claim {trust.namespaces_claim} of the token lists none"
        )
    return None if EVERY_NAMESPACE in given else frozenset(given)


def _signed(token: str, head: Head, keys: Sequence[Key]) -> dict[str, Any]:
    """Give the claims of a token that one of these keys has signed."""
    for key in keys:
        try:
            return jwt.decode(token, key, registry=_REGISTRIES[head.algorithm]).claims
        except (JoseError, ValueError, RecursionError):
            continue
    raise Unauthenticated("token: its signature is not of the issuer that this manager believes")


def _wrong(claim: str, claims: Mapping[str, Any]) -> str:
    value = claims.get(claim)
    if claim in ("nbf", "iat") and isinstance(value, int | float) and not isinstance(value, bool):
        return (
            f"token: it is for later ({claim} is {_moment(value)}); if it is new, the clocks of the issuer "
            f"and of this manager are more than {LEEWAY_S} s apart"
        )
    if claim == "iss":
        return f"token: it is of {_listed(_texts(value))}, which is not the issuer that this manager believes"
    if claim == "aud":
        return f"token: it is for {_listed(_texts(value))} (aud), and not for this manager"
    return f"token: its claim {claim} can't be read"


def _key(document: object) -> Key | None:
    """Read a key; None for one that no token that we believe is signed with."""
    if not isinstance(document, dict) or document.get("use", "sig") != "sig":
        return None
    kind = next((kind for name, kind in _KEYS.items() if document.get("kty") == name), None)
    if kind is None or (kind is RSAKey and len(str(document.get("n"))) < _RSA_CHARS_MIN):
        return None
    try:
        return kind.import_key(document)
    except (JoseError, ValueError, TypeError):
        return None


def _object(part: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(base64.b64decode(part + "=" * (-len(part) % 4), b"-_", validate=True))
    except (ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise Unauthenticated("token: its head can't be read") from error
    if not isinstance(found, dict):
        raise Unauthenticated("token: its head can't be read")
    return found


def _claim(claims: Mapping[str, Any], name: str) -> object:
    """Find a claim by its name, or step by step between its dots."""
    if name in claims:
        return claims[name]
    found: object = claims
    for step in name.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(step)
    return found


def _texts(value: object) -> list[str]:
    """Give the texts of a claim: a list, or words with spaces between them."""
    if isinstance(value, str):
        return value.split()
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words)[:200] or "none"


def _moment(seconds: float) -> str:
    try:
        return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (OverflowError, ValueError, OSError):
        return "a moment out of range"


def _registry(algorithm: str) -> JWSRegistry:
    # What a head has besides is to be ignored (RFC 7515, 4).
    registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    registry.max_header_length = TOKEN_BYTES_MAX  # some send the certificate of their key along
    registry.max_payload_length = TOKEN_BYTES_MAX
    registry.algorithms = {algorithm: copy.copy(JWSRegistry.algorithms[algorithm])}
    # Issuers still say EdDSA, which RFC 9864 replaces; `fitting` lets it mean one curve alone.
    registry.algorithms[algorithm].security_warning = None
    return registry


_REGISTRIES = {algorithm: _registry(algorithm) for algorithm in _KINDS}
