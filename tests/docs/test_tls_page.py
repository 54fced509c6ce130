"""The blocks of the page about TLS, run as a reader would type them, with all machines on this one."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tests.parts.ports import answers, free_port
from tests.parts.programs import path_of
from tests.waiting import until

PAGE = (Path(__file__).parents[2] / "docs" / "tls.md").read_text()
#: Programs that run until they are stopped.
STAYING = ("mosquitto ", "propeller manager", "propeller proplet\n")


def lines():
    return [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


@pytest.fixture
def shell(tmp_path):
    """Make a function that runs a line where its machine would be, and gives what it printed."""
    broker, manager = free_port(), free_port()
    path = f"{Path(sys.executable).parent}:{Path(path_of('mosquitto')).parent}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "HOME": str(tmp_path), "MANAGER_HTTP_PORT": str(manager)}
    env |= {"MANAGER_HTTP_HOST": "localhost", "PROPLET_LIVELINESS_INTERVAL": "1s"}
    running = []

    def run(line, directory=tmp_path):
        line = re.sub(r"(broker|manager)\.example:(\d+)", r"localhost:\2", line).replace('--http-host ""', "")
        line = line.replace(":8883", f":{broker}").replace(":7070", f":{manager}")
        if not f"{line}\n".startswith(STAYING):
            done = subprocess.run(
                line, shell=True, cwd=directory, env=env, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            return done.stdout
        with (tmp_path / f"{len(running)}.log").open("w") as log:
            running.append(
                subprocess.Popen(f"exec {line}", shell=True, cwd=directory, env=env, stdout=log, stderr=log)
            )
        port = broker if "mosquitto" in line else manager
        until(lambda: answers(port, "localhost"))
        return ""

    yield run
    for program in reversed(running):
        program.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(20)
        program.kill()
    for log in sorted(tmp_path.glob("*.log")):
        print(log.name, log.read_text()[-3000:])


def test_the_blocks_of_the_page_lead_to_a_fleet(shell, tmp_path):
    machine = tmp_path / "machine"
    for line in lines():
        if line == "propeller proplet":
            (machine / "tls").mkdir(parents=True)
            shutil.copy(tmp_path / "keys" / "proplet1.toml", machine / "config.toml")
            text = (machine / "config.toml").read_text()
            for name in ("ca.crt", "proplet1.pem"):
                shutil.copy(tmp_path / "keys" / "tls" / name, machine / "tls" / name)
                assert f"tls/{name}" in text
            shell(line, machine)
        elif line.startswith("propeller proplets list"):
            name = tomllib.loads((machine / "config.toml").read_text())["proplet"]["entity_id"]
            until(lambda line=line, name=name: name in shell(line))
        else:
            shell(line)
    assert "pass" in shell(lines()[-1])
