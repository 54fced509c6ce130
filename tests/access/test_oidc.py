"""Which tokens of an issuer are believed: each wrong one is refused, and says why."""

import base64
import hmac
import json
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from propeller.access.oidc import (
    LEEWAY_S,
    TOKEN_BYTES_MAX,
    Trust,
    check_nonce,
    claims_of,
    fitting,
    head_of,
    keys_from,
    principal_from,
)
from propeller.access.roles import Role
from propeller.errors import Forbidden, Unauthenticated

NOW_S = 1_800_000_000
ISSUER, AUDIENCE = "https://issuer.example", "propeller"
RSA = RSAKey.generate_key(2048, {"use": "sig"}, auto_kid=True)
EC = ECKey.generate_key("P-256", {"use": "sig"}, auto_kid=True)
ED = OKPKey.generate_key("Ed25519", {"use": "sig"}, auto_kid=True)
OTHER = RSAKey.generate_key(2048, {"kid": RSA.kid})
#: Of 1024 bits, which is too short by now.
SHORT = rsa.generate_private_key(65537, 1024)
KEYS = keys_from({"keys": [key.as_dict(private=False) for key in (RSA, EC, ED)]})
TRUST = Trust(issuer=ISSUER, audiences=(AUDIENCE,))
GOOD = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "roles": ["operator"], "iat": NOW_S, "exp": NOW_S + 600}


def signed(key=RSA, algorithm="RS256", head=None, **claims):
    head = {"alg": algorithm, "kid": key.kid} | (head or {})
    claims = {name: value for name, value in (GOOD | claims).items() if value is not None}
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    registry.max_header_length = 100_000
    return jws.serialize_compact(head, json.dumps(claims), key, registry=registry)


def known(token, *, trust=TRUST, keys=KEYS, now_s=NOW_S):
    head = head_of(token)
    claims = claims_of(token, head, fitting(keys, head), trust, now_s * 10**9)
    return principal_from(claims, trust)


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


# -- signatures ----------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(RSA, "RS256"), (EC, "ES256"), (ED, "EdDSA"), (ED, "Ed25519")],
    ids=["RS256", "ES256", "EdDSA", "Ed25519"],
)
def test_a_token_of_the_issuer_says_who_it_is(key, algorithm):
    token = signed(key, algorithm)
    found = known(token)
    assert (found.name, found.role, found.how, found.namespaces) == ("oidc:ann", Role.OPERATOR, "oidc", None)
    assert found.expires_at == (NOW_S + 600 + LEEWAY_S) * 10**9


def test_a_token_without_an_id_of_its_key_is_checked_with_each_that_fits():
    assert known(signed(head={"kid": ""})).name == "oidc:ann"


@pytest.mark.parametrize("word", ["none", "None", "HS256", "RS384", "PS256", "ES512", "", None, 7, ["RS256"]])
def test_other_algorithms_are_refused_before_anything_is_checked(word):
    token = f"{part({'alg': word, 'kid': RSA.kid})}.{part(GOOD)}.c2ln"
    with pytest.raises(Unauthenticated, match="only RS256, ES256"):
        head_of(token)


def test_an_unsigned_token_is_none():
    with pytest.raises(Unauthenticated, match="a part of it is missing"):
        head_of(f"{part({'alg': 'none'})}.{part(GOOD)}.")


@pytest.mark.parametrize(
    ("word", "why"), [("HS256", "only RS256"), ("RS256", "signature"), ("ES256", "signature")]
)
def test_a_public_key_is_no_secret(word, why):
    """Whoever signs with the public key as if it were a secret gets nowhere, whatever the head says."""
    content = f"{part({'alg': word, 'kid': RSA.kid})}.{part(GOOD)}"
    made = hmac.new(RSA.as_pem(private=False), content.encode(), "sha256").digest()
    with pytest.raises(Unauthenticated, match=why):
        known(f"{content}.{base64.urlsafe_b64encode(made).rstrip(b'=').decode()}")


def test_a_shared_secret_among_the_keys_is_left_out():
    secret = OctKey.generate_key(256)
    assert keys_from({"keys": [secret.as_dict()]}) == ()


def test_a_key_of_another_kind_or_for_another_purpose_does_not_fit():
    head = head_of(signed(head={"kid": ""}))
    others = [
        EC.as_dict(private=False),
        RSA.as_dict(private=False) | {"use": "enc"},
        RSA.as_dict(private=False) | {"alg": "RS512"},
        RSAKey(SHORT, SHORT.public_key()).as_dict(private=False),
        {"kty": "RSA", "n": "?", "e": "AQAB"},
        {"kty": 7},
        "no key",
    ]
    assert fitting(keys_from({"keys": others}), head) == []
    p384 = ECKey.generate_key("P-384")
    assert (
        fitting(keys_from({"keys": [p384.as_dict(private=False)]}), head_of(signed(EC, "ES256", {"kid": ""})))
        == []
    )


def test_a_key_that_the_token_brings_along_is_not_believed():
    """Neither the key itself nor an address of it counts, and nobody looks there."""
    for more in (
        {"jwk": OTHER.as_dict(private=False)},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/key.pem"},
    ):
        forged = signed(OTHER, head=more)
        with pytest.raises(Unauthenticated, match="signature"):
            known(forged)
        # One of the issuer may have such a head; that is no reason to refuse it.
        assert known(signed(head=more)).name == "oidc:ann"


@pytest.mark.parametrize("crit", [["b64"], ["exp"], [], "b64"])
def test_an_extension_that_nobody_knows_is_refused(crit):
    token = f"{part({'alg': 'RS256', 'crit': crit, 'exp': 1, 'b64': True})}.{part(GOOD)}.c2ln"
    with pytest.raises(Unauthenticated, match="crit"):
        head_of(token)


@pytest.mark.parametrize("kind", ["logout+jwt", "dpop+jwt", "secevent+jwt", 7])
def test_a_token_for_something_else_lets_nobody_in(kind):
    with pytest.raises(Unauthenticated, match="type"):
        head_of(f"{part({'alg': 'RS256', 'typ': kind})}.{part(GOOD)}.c2ln")


@pytest.mark.parametrize("kind", ["JWT", "at+jwt", "application/at+jwt"])
def test_the_types_of_credentials_are_known(kind):
    assert known(signed(head={"typ": kind})).name == "oidc:ann"


def test_a_token_that_is_too_long_is_not_read():
    with pytest.raises(Unauthenticated, match=str(TOKEN_BYTES_MAX)):
        head_of(signed(more="x" * TOKEN_BYTES_MAX))


def test_what_is_no_token_is_refused_in_words():
    good = signed()
    for broken in ["", ".", "..", "abc", "prp_x_y", good[:-20], good + "x", good[1:], "é.é.é", "a.b.c", "[].e30.e30",
                   f"{part([1])}.{part(GOOD)}.x", f"{part({'alg': 'RS256'})}.%.%", good + ".more"]:  # fmt: skip
        with pytest.raises(Unauthenticated, match=r"^token: "):
            known(broken)


def test_a_changed_token_has_no_signature():
    head, _, signature = signed().split(".")
    with pytest.raises(Unauthenticated, match="signature"):
        known(f"{head}.{part(GOOD | {'roles': ['admin']})}.{signature}")


@pytest.mark.parametrize("document", [None, [], {}, {"keys": {}}, {"keys": [{}] * 101}], ids=str)
def test_what_is_no_set_of_keys_is_refused(document):
    with pytest.raises(ValueError, match="no list"):
        keys_from(document)


# -- claims --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"exp": NOW_S - LEEWAY_S}, "it expired at 2027-01-15T07:59:00Z"),
        ({"exp": NOW_S - 600}, "it expired"),
        ({"exp": None}, "no claim exp"),
        ({"exp": "soon"}, "exp can't be read"),
        ({"exp": True}, "exp can't be read"),
        ({"nbf": NOW_S + LEEWAY_S + 1}, "clocks of the issuer"),
        ({"iat": NOW_S + 600, "exp": NOW_S + 1200}, "clocks of the issuer"),
        ({"iss": "https://issuer.example/"}, "not the issuer that"),
        ({"iss": [ISSUER]}, "not the issuer that"),
        ({"iss": None}, "no claim iss"),
        ({"aud": "somebody else"}, "not for this manager"),
        ({"aud": []}, "not for this manager"),
        ({"aud": None}, "no claim aud"),
        ({"sub": None}, "names nobody"),
        ({"sub": 7}, "sub can't be read"),
        ({"sub": ""}, "names nobody"),
        ({"sub": "a\nb"}, "names nobody"),
    ],
)
def test_a_token_that_is_not_for_us_or_not_for_now_is_refused(claims, why):
    with pytest.raises(Unauthenticated, match=why):
        known(signed(**claims))


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": NOW_S - LEEWAY_S + 1},
        {"nbf": NOW_S + LEEWAY_S, "iat": NOW_S + LEEWAY_S},
        {"aud": ["other", AUDIENCE]},
        {"exp": 10**400},
    ],
    ids=str,
)
def test_clocks_may_differ_a_little_and_tokens_be_for_several(claims):
    assert known(signed(**claims)).name == "oidc:ann"


def test_a_sign_in_takes_its_own_token_only():
    check_nonce({"nonce": "n1"}, "n1")
    for claims in ({"nonce": "n2"}, {}, {"nonce": None}):
        with pytest.raises(Unauthenticated, match="not of this sign-in"):
            check_nonce(claims, "n1")


# -- roles ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("roles", "role"),
    [
        (["viewer", "admin", "submitter"], Role.ADMIN),
        ("submitter viewer", Role.SUBMITTER),
        (["other", "viewer", 7], Role.VIEWER),
    ],
)
def test_the_highest_role_counts(roles, role):
    assert known(signed(roles=roles)).role is role


@pytest.mark.parametrize("roles", [[], None, "superuser", {"admin": True}, 7, ["Admin"]])
def test_who_has_no_role_here_is_refused_by_name(roles):
    with pytest.raises(Forbidden, match=r"^ann has no role here: the claim roles"):
        known(signed(roles=roles))


def test_values_of_the_claim_are_mapped_and_it_may_lie_inside_of_another():
    trust = Trust(
        issuer=ISSUER,
        audiences=(AUDIENCE,),
        roles_claim="realm_access.roles",
        roles={"wasm-admins": Role.ADMIN},
    )
    assert known(signed(realm_access={"roles": ["wasm-admins"]}), trust=trust).role is Role.ADMIN
    with pytest.raises(Forbidden):
        known(signed(realm_access={"roles": ["admin"]}), trust=trust)
    with pytest.raises(Forbidden):
        known(signed(realm_access="admin"), trust=trust)
    named = Trust(issuer=ISSUER, audiences=(AUDIENCE,), roles_claim="https://x.example/roles")
    assert known(signed(**{"https://x.example/roles": ["admin"]}), trust=named).role is Role.ADMIN


def test_another_claim_may_say_who_somebody_is():
    trust = Trust(issuer=ISSUER, audiences=(AUDIENCE,), user_claim="email")
    assert known(signed(email="ann@x.example"), trust=trust).name == "oidc:ann@x.example"
    with pytest.raises(Unauthenticated, match="email names nobody"):
        known(signed(), trust=trust)


def test_namespaces_are_those_of_their_claim():
    trust = Trust(issuer=ISSUER, audiences=(AUDIENCE,), namespaces_claim="teams")
    assert known(signed(teams=["a", "b"]), trust=trust).namespaces == {"a", "b"}
    assert known(signed(teams="*"), trust=trust).namespaces is None
    with pytest.raises(Forbidden, match="ann has no namespace here"):
        known(signed(), trust=trust)


def test_checking_costs_little():
    token = signed()
    began = time.perf_counter()
    for _ in range(100):
        known(token)
    assert (time.perf_counter() - began) / 100 < 0.01
