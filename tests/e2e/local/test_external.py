"""A real system whose proplets run guests with a program of the machine."""

import os

import httpx
import pytest

from tests.e2e.local.harness import System
from tests.e2e.local.test_residents import ADD, LOOP, TRAP, invoke, is_up, look, start, text
from tests.guests.helpers import guest
from tests.parts.ports import free_port
from tests.parts.wasm import wasmtime_program
from tests.waiting import until

__all__ = ["wasmtime_program"]


@pytest.fixture
def system(tmp_path, wasmtime_program):
    (tmp_path / "files").mkdir()
    made = System(tmp_path / "data", "--concurrency", "2", "--allow-dirs", f"{tmp_path / 'files'}:rw")
    made.up(env={**os.environ, "PROPLET_EXTERNAL_WASM_RUNTIME": wasmtime_program})
    yield made
    made.clean_up()


def test_a_latent_task_is_invoked(system):
    task = start(system, name="main", latent=True, file=ADD, inputs=[1, 2])
    until(lambda: is_up(system, task))
    assert invoke(system, task) == {"invoked": True, "results": "3\n"}
    assert invoke(system, task, inputs=[40, 2])["results"] == "42\n"
    spin = start(system, name="spin", latent=True, file=ADD, timeout="1h")
    until(lambda: is_up(system, spin))
    late = invoke(system, spin, 504, timeout="200ms")
    assert late["error"].endswith("timed out after 0.2s")
    junk = start(system, name="handle", latent=True, file=text(guest("http_server")))
    failed = until(lambda: (found := look(system, junk))["state"] == 4 and found)
    assert "can't be invoked" in failed["error"]


def test_daemons_stay_and_crashes_are_counted(system):
    task = start(system, name="main", daemon=True, file=LOOP)
    assert until(lambda: is_up(system, task))["state"] == 2
    system.call("POST", f"{task}/stop")
    assert look(system, task)["state"] == 6
    crashing = start(system, name="main", daemon=True, file=TRAP)
    found = until(lambda: (found := look(system, crashing)).get("restarts", 0) >= 2 and found)
    assert found["state"] == 2
    assert "Process exited with status" in found["reason"]


def test_a_server_says_where_it_is(system):
    port = free_port()
    # It asks for the environment, which this program gives to servers only where it is told to.
    cli_args = ["--port", str(port), "-S", "cli"]
    task = start(system, name="serve", file=text(guest("http_server")), cli_args=cli_args)
    assert until(lambda: is_up(system, task))["results"] == f"started at port {port}"
    assert httpx.get(f"http://127.0.0.1:{port}/", trust_env=False).text == "Hello from Wasm\n"


def test_a_directory_is_an_option_and_held_to_what_the_owner_allows(system, tmp_path):
    (tmp_path / "files" / "in").write_text("content")
    fields = {"name": "_start", "file": text(guest("files"))}
    for host, inputs, outcome in (
        (tmp_path / "files", ["cat", "/box/in"], (3, "content", None)),
        (tmp_path, ["cat", "/box/files/in"], (4, None, f"cli_args: --dir: {tmp_path} is not allowed")),
    ):
        task = start(system, **fields, inputs=inputs, cli_args=["--dir", f"{host}::/box"])
        found = until(lambda task=task: (found := look(system, task))["state"] > 2 and found)
        error = found.get("error")
        assert (found["state"], found.get("results"), error and error[: len(outcome[2] or "")]) == outcome


def test_what_a_program_can_not_hold_waits_and_says_so(system):
    held = {"timeout": "1m", "limits": {"output": 100}}
    task = start(system, name="main", file=ADD, inputs=[1, 2], **held)
    assert until(lambda: (found := look(system, task))["state"] == 3 and found)["results"] == "3\n"
    for field, asked in (
        ("limits.memory", {"limits": {"memory": "64mib"}}),
        ("grants", {"grants": {"http": ["example.com"]}}),
    ):
        task = start(system, name="main", file=ADD, inputs=[1, 2], **asked)
        assert look(system, task)["reason"].endswith(
            f" does not: {field}: its external runtime can hold a task to a timeout and limits.output, "
            "and to no more"
        )
