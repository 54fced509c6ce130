"""Files of single programs, made of the file of all."""

import tomllib

import pytest

from propeller.config.errors import BadFiles
from propeller.config.provision import add_foreign, add_proplets, provision, renew, split


def test_a_part_of_the_file_has_all_of_its_section_and_nothing_of_others(tmp_path):
    config = tmp_path / "config.toml"
    provision(config, proplets=2, foreign=["gate"])
    text = config.read_text().replace("[proplet2]\n", '[proplet2]\n# at the gate\ntags = ["edge"]\n')
    config.write_text(text)
    files = split(config)
    assert [path.name for path in files] == ["manager.toml", "proplet1.toml", "proplet2.toml", "proxy.toml"]
    whole = tomllib.loads(text)
    for path in files:
        assert (path.parent.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)
        assert tomllib.loads(path.read_text()) == {path.stem.rstrip("12"): whole[path.stem]}
    assert "# at the gate" in files[2].read_text()
    config.write_text("[manager]\n" + text.replace("[manager]\n", "").replace("[proxy]", "[ proxy ]"))
    with pytest.raises(BadFiles, match="put each section's header on a line of its own"):
        split(config)


def test_the_parts_follow_the_whole(tmp_path):
    """Whoever has split the file is told which parts changed; the others stay as they are."""
    config = tmp_path / "config.toml"
    assert provision(config, proplets=1).keys == []
    assert add_proplets(config, 1).keys == [], "it is not split"
    before = {path: path.read_text() for path in split(config)}

    def matches():
        whole = tomllib.loads(config.read_text())
        parts = {path.stem: tomllib.loads(path.read_text()) for path in (tmp_path / "keys").iterdir()}
        return all([*part.values()] == [whole[name]] for name, part in parts.items())

    def names(paths):
        return sorted(path.stem for path in paths)

    assert names(add_proplets(config, 1).keys) == ["manager", "proplet3"]
    assert names(add_foreign(config, ["gate"]).keys) == ["manager"]
    assert matches()
    assert all(path.read_text() == text for path, text in before.items() if path.stem != "manager")
    config.write_text(config.read_text().replace('allow_foreign = "gate"', 'allow_foreign = ""'))
    assert names(renew(config).keys) == []
    config.write_text(config.read_text().replace("[proplet]\n", '[proplet]\ntags = "edge"\n'))
    assert names(renew(config).keys) == ["proplet"]
    assert matches()
    made = provision(config, proplets=3, force=True)
    assert names(made.keys) == ["manager", "proplet1", "proplet2", "proplet3", "proxy"]
    assert names((tmp_path / "keys").iterdir()) == names(made.keys), "a key of nobody is no use"
    assert matches()
