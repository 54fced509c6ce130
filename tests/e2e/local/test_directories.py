"""A guest stays in the directories that the owner of its proplet allows, whatever other guests did there."""

import os
import sys
from pathlib import Path

import pytest

from tests.e2e.local.harness import System
from tests.e2e.local.test_residents import ADD, look, start, text
from tests.guests.helpers import guest
from tests.waiting import until

BOTH = pytest.mark.parametrize("form", ["", "_component"], ids=["module", "component"])


@pytest.fixture
def place(tmp_path):
    """What tasks may ask for, and a secret beside it."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("nobody may know this")
    (tmp_path / "allowed").mkdir()
    return tmp_path / "allowed"


@pytest.fixture
def system(tmp_path, place):
    made = System(tmp_path / "data", "--allow-dirs", f"{place}:rw")
    made.up()
    yield made
    made.clean_up()


def ended(system, form, host, *args):
    """Run a guest that is given one directory, and wait for its end."""
    grants = {"dirs": [{"host": str(host), "guest": "/box", "mode": "rw"}]}
    fields = {"name": "_start", "inputs": args, "file": text(guest(f"directories{form}")), "grants": grants}
    task = start(system, **fields)
    return until(lambda: (found := look(system, task))["state"] >= 3 and found)


@BOTH
def test_one_guest_can_not_lead_the_next_one_out(system, place, form):
    made = ended(system, form, place, "symlink", "../secret", "/box/up")
    assert made["results"] == "Operation not permitted"
    assert not (place / "up").is_symlink()
    # As if it had been put there by somebody else.
    (place / "up").symlink_to("../secret")
    out = ended(system, form, place / "up", "read", "/box/key")
    assert (out["state"], out["error"]) == (4, f"grants.dirs: {place / 'up'} leads out of {place}")


def test_no_modules_of_the_working_directory_are_loaded(tmp_path, place):
    """A guest may have put them there. Programs are started as people start them."""
    (place / "msgspec.py").write_text("open('loaded', 'w'); raise ImportError")
    system = System(tmp_path / "data")
    system.program = (str(Path(sys.executable).with_name("propeller")),)
    try:
        system.up(cwd=place)
        task = start(system, name="main", file=ADD, inputs=[1, 2])
        until(lambda: look(system, task)["state"] == 3 or (place / "loaded").exists())
        assert not (place / "loaded").exists()
    finally:
        system.clean_up()


def test_the_name_of_a_module_leads_to_no_file(system, tmp_path):
    """The proplet would wait for ever for somebody to write into this pipe, and run nothing any more."""
    os.mkfifo(tmp_path / "pipe")
    for path in ("../../../pipe", str(tmp_path / "pipe")):
        task = start(system, name="main", image_url=f"sha256:{path}")
        found = until(lambda task=task: (found := look(system, task))["state"] > 2 and found)
        assert (found["state"], found["error"]) == (4, f"the manager has no module sha256:{path}")
    task = start(system, name="main", file=ADD, inputs=[1, 2])
    until(lambda: look(system, task)["state"] == 3)
