"""What programs load: the time until each has begun, and memory of each proplet."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("part", ["client.api", "proplet.__main__", "assembly.manager_parts"])
def test_no_program_loads_the_command_line_of_httpx(part):
    look = f"import sys, propeller.{part}; print('httpx' in sys.modules, 'pygments' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", look], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["True", "False"]
