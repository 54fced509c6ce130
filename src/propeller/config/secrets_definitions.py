"""The settings about secrets, of the manager."""

from propeller.config import values
from propeller.config.setting import Setting

#: The name of systemd's credential with the key.
CREDENTIAL = "propeller-secrets-key"

SECRETS = (
    Setting(
        key="secrets_key_file",
        read=values.path,
        computed=f"systemd's credential `{CREDENTIAL}`, else `secrets.key` in `data_dir`, which is made",
        text="*Extension.* File with the key that secrets are encrypted with: 32 bytes in base64, the newest "
        "in the first line. With postgres all managers need the same, and none is made.",
    ),
    Setting(
        key="secrets_key",
        read=values.text,
        is_secret=True,
        text="*Extension.* That key itself, in place of a file.",
    ),
)
