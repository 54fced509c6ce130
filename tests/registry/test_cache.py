"""What was fetched, on disk."""

import pytest

from propeller.registry.cache import Cache


@pytest.mark.parametrize("name", ["../file", "sha256:../file", "sha256:", "."])
def test_what_is_no_digest_names_no_file(tmp_path, name):
    """It would be thrown away as damaged."""
    (tmp_path / "file").write_text("somebody's")
    cache = Cache(tmp_path / "images", bytes_max=1000)
    cache.directory.mkdir()
    for look in (cache.open, cache.size):
        with pytest.raises(ValueError, match="is no digest"):
            look(name)
    assert (tmp_path / "file").exists()
