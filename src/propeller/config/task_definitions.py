"""Settings of a manager about which tasks may run, and where."""

from propeller.config import values
from propeller.config.setting import Setting

TASKS: tuple[Setting, ...] = (
    Setting(
        key="placement",
        read=values.choice("round-robin", "least-loaded"),
        default="round-robin",
        text="*Extension.* Choice of the next proplet: round-robin or least-loaded.",
    ),
    Setting(
        key="module_policy",
        read=values.choice("any", "pinned", "signed"),
        default="any",
        text="*Extension.* Which modules tasks may run: any, pinned (uploaded, or an image by digest) or "
        "signed (by a key of `module_keys`).",
    ),
    Setting(
        key="module_keys",
        read=values.key_files,
        text="*Extension.* Public keys that sign modules, in PEM: files, or directories of files `*.pub` and "
        "`*.pem`, separated by commas. The name of a key is that of its file.",
    ),
)
