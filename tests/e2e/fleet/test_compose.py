"""The stack of ``examples/fleet/compose.yaml``, piece by piece and without Docker: as root, and as anybody."""

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import httpx
import pytest
import yaml

from propeller.config.provision import provision, split
from tests.e2e.fleet.harness import ADDITION, PROPELLER, Program
from tests.parts.ports import answers, free_port
from tests.parts.programs import path_of
from tests.waiting import until

ROOT = Path(__file__).parent.parent.parent.parent
EXAMPLE = ROOT / "examples" / "fleet"
SERVICES = yaml.safe_load((EXAMPLE / "compose.yaml").read_text())["services"]
#: Nobody in particular: there is no such user on the machine, as there is none in an image.
SOMEBODY = 12345


class Stack:
    """Runs services as Compose would: their commands, as their user, with what they mount and nothing else."""

    def __init__(self, directory: Path, uid: int) -> None:
        self.directory = directory
        self._uid = uid
        self.programs: dict[str, Program] = {}

    def as_user(self, *command: str) -> list[str]:
        if self._uid == os.getuid():
            return list(command)
        return ["setpriv", f"--reuid={self._uid}", f"--regid={self._uid}", "--clear-groups", *command]

    def run(self, *arguments: str) -> str:
        command = self.as_user(*PROPELLER, *arguments)
        return subprocess.run(command, cwd=self.directory, capture_output=True, text=True, check=True).stdout

    @property
    def has_propeller(self) -> bool:
        """Whether this user can start Propeller's programs."""
        command = self.as_user(*PROPELLER, "--version")
        return subprocess.run(command, cwd=self.directory, capture_output=True, check=False).returncode == 0

    @property
    def has_python(self) -> bool:
        """Whether a program of this user can start Python: here it may lie in root's own directory."""
        return subprocess.run(self.as_user("env", sys.executable, "-c", ""), check=False).returncode == 0

    def run_in(self, service: str, *arguments: str) -> str:
        """Run a command as ``docker compose run`` does, with what the service mounts."""
        places = dict(self._mounted(volume) for volume in SERVICES[service]["volumes"])
        return self.run(*(self._placed(word, places) for word in arguments))

    def start(self, service: str, **env: str) -> Program:
        spec = SERVICES[service]
        assert self._filled(spec["user"]) == f"{self._uid}:{self._uid}"
        places = dict(self._mounted(volume) for volume in spec["volumes"])
        command = [self._placed(word, places) for word in shlex.split(self._filled(spec["command"]))]
        program = [path_of("mosquitto"), *command[1:]] if service == "broker" else [*PROPELLER, *command]
        home = str(places.get("/data", self.directory))
        log = self.directory.with_name(f"{self.directory.name}-{service}.log")
        self.programs[service] = Program(self.as_user(*program), log, {"HOME": home, **env})
        return self.programs[service]

    def _filled(self, text: str) -> str:
        text = text.replace("${PWD}", str(self.directory))
        return re.sub(r"\$\{FLEET_USER:\?[^}]*\}", f"{self._uid}:{self._uid}", text)

    def _mounted(self, volume: str) -> tuple[str, Path]:
        """Tell where in a container something is, and where here; a volume is made as the image has it."""
        source, target = self._filled(volume).removesuffix(":ro").split(":")
        if source.startswith("./"):
            assert (self.directory / source).exists(), f"Docker would make a directory of {source}"
            return target, self.directory / source
        place = self.directory.with_name(f"{self.directory.name}-{source}")
        if not place.exists():
            place.mkdir()
            place.chmod(0o1777)
        return target, place

    def _placed(self, word: str, places: dict[str, Path]) -> str:
        return str(places.get(word, word))

    def end(self) -> None:
        for program in self.programs.values():
            program.kill()
        for service, program in self.programs.items():
            print(f"-- {service}\n{program.said[-2000:]}")
        for path in self.directory.parent.glob(f"{self.directory.name}*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.fixture(params=["root", "anybody"])
def stack(request):
    if request.param == "root" and os.getuid() != 0:
        pytest.skip("only root can be root")
    uid = 0 if request.param == "root" else os.getuid() or SOMEBODY
    directory = Path(tempfile.mkdtemp(prefix="propeller-compose-"))
    os.chown(directory, uid, uid if os.getuid() == 0 else -1)
    made = Stack(directory, uid)
    if not made.has_propeller:
        made.end()
        pytest.skip("no other user can read this checkout, as in root's own directory")
    yield made
    made.end()


def test_the_stack_starts_and_runs_a_task(stack):
    port, http_port = free_port(), free_port()
    stack.run("provision", "--proplets", "2", "--mqtt-address", f"tcp://127.0.0.1:{port}")
    stack.run("provision", "split")
    create = ("tokens", "create", "--name", "me", "--role", "admin", "--data-dir", "/data", "--json")
    token = json.loads(stack.run_in("manager", *create))["token"]
    stack.start("broker")
    until(lambda: answers(port))
    stack.start("manager", MANAGER_HTTP_PORT=str(http_port))
    stack.start("proplet1")
    proxy = stack.start("proxy", PROXY_HTTP_PORT="0")
    with httpx.Client(base_url=f"http://127.0.0.1:{http_port}", trust_env=False) as http:
        until(lambda: answers(http_port))
        until(lambda: http.get("/health").is_success)
        assert http.get("/proplets").status_code == 401
        http.headers["authorization"] = f"Bearer {token}"
        until(lambda: http.get("/proplets?status=active").json()["total"] == 1)
        if stack.has_python:
            task = http.post("/tasks", json={"name": "main", "file": ADDITION, "inputs": [20, 22]}).json()
            http.post(f"/tasks/{task['id']}/start")
            until(lambda: http.get(f"/tasks/{task['id']}").json().get("results") == "42\n")
    until(lambda: "connected as" in proxy.said)


def test_each_container_has_its_own_key_and_no_other(tmp_path):
    provision(tmp_path / "config.toml", proplets=2)
    split(tmp_path / "config.toml")
    keys = {
        name: one["api_key"] for name, one in tomllib.loads((tmp_path / "config.toml").read_text()).items()
    }
    for service, spec in SERVICES.items():
        sources = [volume.split(":")[0] for volume in spec["volumes"] if volume.startswith("./")]
        seen = "".join(path.read_text() for path in (tmp_path / one for one in sources) if path.is_file())
        assert [name for name, key in keys.items() if key in seen] == [
            name for name in keys if name == service
        ]


def test_no_key_gets_into_git_or_into_an_image(tmp_path):
    provision(tmp_path / "config.toml", proplets=1)
    split(tmp_path / "config.toml")
    assert (tmp_path / ".gitignore").read_text() == (EXAMPLE / ".gitignore").read_text()
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    shown = subprocess.run(
        ["git", "status", "--porcelain", "-uall"], cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout
    assert shown.split() == ["??", ".gitignore", "??", "mosquitto.conf"]
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    assert rules[1] == "*", "nothing gets in that is not named"
    named = [rule[1:] for rule in rules if rule.startswith("!")]
    assert not any(fnmatch.fnmatch("examples", one) for one in named)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {project["readme"], *project["license-files"], "pyproject.toml", "src"} == set(named)
