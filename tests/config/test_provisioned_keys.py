"""The keys that programs sign with, as `propeller provision` writes them."""

import re
import tomllib

import pytest

from propeller.config.definitions import MANAGER
from propeller.config.errors import BadFiles
from propeller.config.programs import manager_settings
from propeller.config.provision import add_proplets, provision, renew
from propeller.config.sources import resolve
from propeller.wire.fleet.keys import new_key, public_of


def test_each_program_gets_a_key_and_the_public_keys_of_those_whom_it_hears(tmp_path):
    config = tmp_path / "config.toml"
    provision(config, proplets=2, foreign=["gate"])
    add_proplets(config, 1)
    found = tomllib.loads(config.read_text())
    keys = {name: public_of(table["signing_key"]) for name, table in found.items() if name != "foreign1"}
    assert len(set(keys.values())) == 5
    assert "signing_key" not in found["foreign1"]
    for name in ("proplet1", "proplet2", "proplet3"):
        assert (found[name]["manager_key"], found[name]["proxy_key"]) == (keys["manager"], keys["proxy"])
    environ = {"HOME": str(tmp_path)}
    settings = manager_settings(resolve(MANAGER, environ, file=config), environ)
    assert settings.proplet_keys == {
        found[name]["entity_id"]: keys[name] for name in ("proplet1", "proplet2", "proplet3")
    }
    assert settings.signatures == "seen"


def test_a_fleet_of_an_earlier_version_gets_keys_by_a_renewal_and_keeps_those_that_it_has(tmp_path):
    config = tmp_path / "config.toml"
    provision(config, proplets=2)
    fresh = config.read_text()
    without = re.sub(r"(?m)^(signing_key|manager_key|proxy_key|proplet_keys) .*\n", "", fresh)
    config.write_text(without.replace("[proplet2]\n", "[proplet2]\n# mine\nslots = 9\n"))
    renew(config)
    once = config.read_text()
    assert {key for table in tomllib.loads(once).values() for key in table} > {"signing_key", "slots"}
    assert "# mine\nslots = 9\n" in once
    renew(config)
    assert config.read_text() == once


def test_keys_of_proplets_from_elsewhere_stay_and_what_is_no_key_is_named(tmp_path):
    config = tmp_path / "config.toml"
    provision(config, proplets=1)
    other = f"far={public_of(new_key())}"
    config.write_text(config.read_text().replace('proplet_keys = "', f'proplet_keys = "{other},'))
    add_proplets(config, 1)
    assert tomllib.loads(config.read_text())["manager"]["proplet_keys"].startswith(f"{other},")
    config.write_text(re.sub(r'signing_key = "[^"]+', 'signing_key = "short', config.read_text(), count=1))
    with pytest.raises(BadFiles, match=r"\[manager\] signing_key: is no key; delete the line to get one"):
        renew(config)
