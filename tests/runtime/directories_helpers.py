"""A guest that is given a directory: what it is run on, what the owner allows, and what lies there."""

from pathlib import Path

import pytest

from propeller.core.sandbox import Dir, Grants
from propeller.runtime.component.interface import ComponentInterface
from propeller.runtime.guest_run import GuestRun
from tests.guests.helpers import guest
from tests.runtime.helpers import Here, granted, put


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return Here(tmp_path_factory.mktemp("here"))


@pytest.fixture(params=["module", "component on ours", "component on the engine"])
def act(request, here, monkeypatch):
    """Run a guest that is given one directory, as ``/box``; give what it printed or why it failed.

    Some on the WASI that is not theirs here, so that everything is tried on both.
    """
    digest = put(here.directory, guest(f"directories{'' if request.param == 'module' else '_component'}"))
    if request.param == "component on ours":
        monkeypatch.setattr(ComponentInterface, "imports_http", True)
    if request.param == "component on the engine":
        monkeypatch.setattr(ComponentInterface, "imports_links", False)

    def run(*args, host, allowed, mode="rw"):
        grants = Grants(dirs=(Dir(host=str(host), guest="/box", mode=mode),))
        ended = here.execute(granted(GuestRun(1, digest, "_start", list(args), grants=grants), *allowed))
        return ended.results or ended.error

    return run


@pytest.fixture
def top(tmp_path):
    """A directory that is allowed, and a secret beside it."""
    for name in ("allowed/sub/deep", "secret"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_text(f"in {name}")
    return tmp_path / "allowed"


def owner(*paths: Path, mode="rw") -> list[Dir]:
    return [Dir(host=str(path), guest=str(path), mode=mode) for path in paths]
