"""``propeller inspect``, as a process."""

import json
import os
import subprocess
import sys

import pytest
import wasmtime

from tests.registry.helpers import WASM, Registry, Server

ADD = '(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))'
SHOUT = """(component
  (core module $m (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64))
    (func (export "same") (param i32 i32) (result i32)
      (i32.store (i32.const 8) (local.get 0)) (i32.store (i32.const 12) (local.get 1)) (i32.const 8)))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $memory))
  (alias core export $i "realloc" (core func $realloc))
  (func $f (param "it" string) (result string)
    (canon lift (core func $i "same") (memory $memory) (realloc $realloc)))
  (instance $n (export "shout" (func $f)))
  (export "example:voice/loud@0.1.0" (instance $n)))"""

SERVER = """(component
  (core module $m (func (export "handle")))
  (core instance $i (instantiate $m))
  (func $handle (canon lift (core func $i "handle")))
  (instance $n (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.0" (instance $n)))"""


@pytest.fixture
def inspect(tmp_path):
    (tmp_path / "add.wasm").write_bytes(wasmtime.wat2wasm(ADD))
    (tmp_path / "shout it.wat").write_text(SHOUT)
    (tmp_path / "odd.wat").write_text(
        '(module (import "en\\1bv" "x" (func)) (func (export "_start")) (memory (export "memory") 1))'
    )
    (tmp_path / "text.wasm").write_text("hello")
    (tmp_path / "server.wat").write_text(SERVER)

    def run(*arguments, **variables):
        command = [sys.executable, "-m", "propeller", "inspect", *arguments]
        env = {**os.environ, **variables}
        return subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False
        )

    return run


def test_it_shows_what_a_file_is(inspect):
    done = inspect("add.wasm")
    assert (done.returncode, done.stderr) == (0, "")
    assert "core module" in done.stdout
    assert "41 B" in done.stdout
    assert "propeller run add.wasm --name add 1 2" in done.stdout
    assert [line.split() for line in done.stdout.splitlines()][
        -1
    ] == "add function func(i32, i32) -> i32".split()


def test_it_shows_how_values_of_components_are_written(inspect):
    shown = inspect("shout it.wat").stdout
    assert """propeller run 'shout it.wat' --name shout '"text"'""" in shown
    assert "func(it: string) -> string" in shown


def test_it_says_what_is_not_offered_and_obeys_no_control_characters(inspect):
    shown = inspect("odd.wat").stdout
    assert r"it imports x from en\x1bv, which is not offered" in shown
    assert "call it" not in shown


def test_it_shows_how_a_server_is_run(inspect):
    assert "propeller run server.wat --listen" in inspect("server.wat").stdout


def test_as_json(inspect):
    found = json.loads(inspect("shout it.wat", "--json").stdout)
    assert found["kind"] == "component"
    assert found["digest"].startswith("sha256:")
    assert found["exports"] == [
        {"name": "example:voice/loud@0.1.0#shout", "kind": "function", "type": "func(it: string) -> string"}
    ]
    assert found["example"] == {"name": "shout", "inputs": ['"text"']}
    assert found["command"].startswith("propeller run ")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("missing.wasm", "missing.wasm: can't be read"),
        ("dir.d/missing.wasm", "missing.wasm: can't be read"),
        ("text.wasm", "text.wasm: this is no WebAssembly"),
        (".", "can't be read"),
        ("registry.example/A:v1", "is not an image reference"),
    ],
)
def test_failures_end_it_as_elsewhere(inspect, file, message):
    done = inspect(file)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert message in done.stderr


def test_a_module_of_the_web(inspect):
    wasm = bytes(wasmtime.wat2wasm(ADD))
    with Server(lambda _: (200, {"Content-Type": WASM}, wasm)) as server:
        done = inspect(f"http://{server.host}/modules/add")
    assert done.returncode == 0, done.stderr
    assert "propeller run FILE --name add 1 2" in done.stdout


def test_an_image(inspect, tmp_path):
    wasm = bytes(wasmtime.wat2wasm(ADD))
    registry = Registry(tmp_path)
    try:
        registry.push("acme/sum", "v1", (wasm, WASM))
        done = inspect(f"{registry.host}/acme/sum:v1", "--json", PROXY_REGISTRY_PLAIN_HTTP="127.0.0.1")
    finally:
        registry.stop()
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["size"] == len(wasm)
