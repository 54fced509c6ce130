"""Defines the settings that say who is heard: signed messages, and foreign proplets."""

from propeller.config import values
from propeller.config.setting import Setting

#: Of each program.
SIGNING_KEY = Setting(
    key="signing_key",
    read=values.ed25519_key,
    is_secret=True,
    text="*Extension.* This program's private key, with which it signs its messages (Ed25519).",
)
#: Of a manager.
OF_PROPLETS = (
    Setting(
        key="allow_foreign",
        read=values.names,
        default="*",
        takes_empty=True,
        text="*Extension.* Ids of the foreign proplets (programs of somebody else) that get work, "
        "separated by commas; empty: none, `*`: all.",
    ),
    Setting(
        key="proplet_keys",
        read=values.named_keys,
        text="*Extension.* Public keys of the proplets that sign what they say: `id=key`, separated by "
        "commas. Needs `signing_key`.",
    ),
    Setting(
        key="signatures",
        read=values.choice("off", "seen", "required"),
        default="seen",
        text="*Extension.* seen: a proplet with a key has to sign; required: nobody else is heard, but for "
        "foreign proplets that `allow_foreign` names; off: signatures are not checked.",
    ),
)
#: Of a proplet.
OF_OTHERS = (
    Setting(
        key="manager_key",
        read=values.ed25519_key,
        text="*Extension.* The public key of the only manager that is heeded. Needs `signing_key`.",
    ),
    Setting(
        key="proxy_key",
        read=values.ed25519_key,
        text="*Extension.* The public key of the only proxy that is heeded. Needs `signing_key` or "
        "`join_token`.",
    ),
    Setting(
        key="join_token",
        read=values.join_token,
        is_secret=True,
        text="*Extension.* A token of `propeller proplets token`, in place of keys: at first contact the "
        "proplet and its manager exchange them.",
    ),
)
