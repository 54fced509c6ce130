"""Where the settings about secrets have their effect."""

from pathlib import Path

from tests.config.entry_helpers import There

_KEYS = "tests/vault/test_master_keys.py::test_a_key_is_read_from_where_it_is_given"
OF_SECRETS = {
    "secrets_key_file": There("/far/key", {"manager.secrets_key.file": Path("/far/key")}, _KEYS, "file"),
    "secrets_key": There("a key", {"manager.secrets_key.text": "a key"}, _KEYS, "text"),
}
