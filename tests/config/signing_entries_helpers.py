"""Where each setting for signed messages has its effect."""

from tests.config.entry_helpers import There

from propeller.wire.fleet.joining import ID_BYTES, join_token

#: Any key, private or public.
KEY = "A" * 43
JOIN_TOKEN = join_token(KEY, KEY, bytes(ID_BYTES), 1)
SIGNED = "tests/manager/test_fleet_signatures.py::"
HEEDED = "tests/proplet/test_proplet_signatures.py::"
SIGNING_KEY = There(
    KEY, {"mqtt.signing_key": KEY}, f"{SIGNED}test_what_goes_to_a_proplet_with_a_key_is_signed"
)
KEYS_OF_PROXY = {"signing_key": SIGNING_KEY}
KEYS_OF_MANAGER = {
    "signing_key": SIGNING_KEY,
    "proplet_keys": There(
        f"p={KEY}",
        {"manager.proplet_keys": {"p": KEY}},
        f"{SIGNED}test_a_proplet_with_a_key_is_heard_by_its_signature_alone",
        more={"SIGNING_KEY": KEY},
    ),
    "signatures": There(
        "required",
        {"manager.signatures": "required"},
        f"{SIGNED}test_who_is_heard_without_a_signature",
        "required",
        more={"SIGNING_KEY": KEY},
    ),
}
KEYS_OF_PROPLET = {
    "signing_key": SIGNING_KEY._replace(more={"MANAGER_KEY": KEY}),
    "manager_key": There(
        KEY, {"manager_key": KEY}, f"{HEEDED}test_only_its_own_manager_is_heeded", more={"SIGNING_KEY": KEY}
    ),
    "proxy_key": There(
        KEY,
        {"proxy_key": KEY},
        f"{HEEDED}test_modules_come_from_its_own_proxy",
        more={"SIGNING_KEY": KEY, "MANAGER_KEY": KEY},
    ),
    "join_token": There(
        JOIN_TOKEN,
        {"join_token": JOIN_TOKEN},
        "tests/e2e/fleet/test_joining.py::test_a_proplet_joins_with_a_token_and_signs_from_then_on",
        "PROPLET_JOIN_TOKEN",
    ),
}


def names_of_keys(made):
    return list(getattr(made.at("manager.policy.trust.keys"), "texts", ()))
