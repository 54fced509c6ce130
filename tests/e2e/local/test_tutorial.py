"""The tutorial by curl, against a real manager; ``script/acceptance`` runs the same by hand."""

import subprocess
from pathlib import Path

import pytest

CHECK = Path(__file__).parents[3].parent / "shared" / "acceptance" / "tutorial"


@pytest.mark.skipif(not CHECK.exists(), reason=f"{CHECK} is not on this machine")
def test_tutorial_by_curl(system):
    system.up()
    done = subprocess.run(
        [CHECK, str(system.http.base_url).rstrip("/")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert system.stop() == 0
