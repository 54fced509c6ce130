"""Calls of components that can't be made are refused as those of core modules are."""

import base64

import pytest

from propeller.runtime.component import wave
from tests.api.test_api_calls import among_ours, base64_of, task
from tests.guests.helpers import guest

GREET = guest("greet_component")
HANDLER = """(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
  (func $f (canon lift (core func $i "f"))) (instance $handler (export "handle" (func $f)))
  (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))"""
RUN = HANDLER.replace('"handle"', '"run"').replace("wasi:http/incoming-handler", "wasi:cli/run")
OPENER = """(component (type $r (resource (rep i32))) (export $shown "res" (type $r))
  (core module $m (func (export "f") (param i32))) (core instance $i (instantiate $m))
  (func $f (param "a" (own $r)) (canon lift (core func $i "f")))
  (export "open" (func $f) (func (param "a" (own $shown)))))"""


def greeting(name, *inputs, **more):
    return task(name, *inputs, file=base64.b64encode(GREET).decode(), **more)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (
            greeting("gret", '"Jo"'),
            'name: no function "gret" is exported; exported are: greet: func(name: string) -> string',
        ),
        (
            greeting("greet", '"Jo"', 2),
            "inputs: Argument count mismatch for 'greet': expected 1 but got 2; it is greet: func(name: string)",
        ),
        (
            greeting("greet", "Jo"),
            "inputs: parameter 1 (name) of greet is of type string: expected a string in double quotes at cha",
        ),
        (greeting("gret", latent=True), 'name: no function "gret" is exported'),
        (greeting("greet", '"Jo"', stdin="x"), "stdin: the module reads no standard input (it does not im"),
        (task("open", 1, file=base64_of(OPENER)), "inputs: values of own<res> have no text form, so this c"),
        (task("open", latent=True, file=base64_of(OPENER)), "name: values of own<res> have no text form, "),
    ],
)
def test_a_call_that_a_component_does_not_allow_is_refused(tmp_path, given, error):
    async def part(site):
        said = await site.refused("POST", "/tasks", 400, json=given)
        assert said.startswith(error)
        said = await site.refused("POST", "/jobs", 400, json={"tasks": [greeting("greet", '"Jo"'), given]})
        assert said.startswith(f"tasks[1].{error}")
        assert (await site.get("/tasks"))["total"] == 0

    among_ours(part, tmp_path)


@pytest.mark.parametrize(
    "given",
    [
        greeting("greet", '"Jo"'),
        greeting("greet"),
        greeting("greet", "Jo", latent=True),
        greeting("gret", cli_args=["--invoke", "greet"]),
        task("anything", "a", "b", file=base64_of(RUN)),
        task("anything", "a", "b", file=base64_of(HANDLER)),
    ],
)
def test_what_a_component_takes_or_may_take_is_accepted(tmp_path, given):
    async def part(site):
        await site.post("/tasks", given)

    among_ours(part, tmp_path)


def test_results_of_parents_may_be_any_value_but_are_counted(tmp_path):
    async def part(site):
        parent = greeting("greet", '"Jo"', id="a")
        child = greeting("greet", "${a}", depends_on=["a"])
        await site.post("/workflows", {"tasks": [parent, child]})
        child["inputs"] = ["${a}", 2]
        said = await site.refused("POST", "/workflows", 400, json={"tasks": [parent, child]})
        assert said.startswith("tasks[1].inputs: Argument count mismatch for 'greet': expected 1 but got 2")

    among_ours(part, tmp_path)


def test_the_exports_of_a_large_component_are_known_while_all_of_it_is_there(tmp_path):
    """They stand behind its code, and so not in the head that is read from the store."""
    large = GREET[:8] + b"\0\xff\xff\x3f" + b"\1x" + bytes(0xFFFFF - 2) + GREET[8:]

    async def part(site):
        for number, module in enumerate((GREET, large)):
            await site.post("/tasks", {"id": f"{number}", "name": "greet", "inputs": ["Jo"]})
            files = {"file": ("a.wasm", module, "application/wasm")}
            said = await site.refused("PUT", f"/tasks/{number}/upload", 400, files=files)
            assert said.startswith("inputs: parameter 1 (name) of greet is of type string: expected a string")
            await site.put(f"/tasks/{number}", {"inputs": ['"Jo"']})
            await site.upload(f"{number}", module)
            await site.put(f"/tasks/{number}", {"name": "gret"})
        said = await site.refused("POST", "/tasks/0/start", 400)
        assert said.startswith('name: no function "gret" is exported')
        await site.post("/tasks/1/start", status=200)

    among_ours(part, tmp_path)


def test_what_reads_the_inputs_of_a_component_is_made_once(tmp_path, monkeypatch):
    made = []

    def counted(type_, plain=wave.parser_of):
        made.append(type_)
        return plain(type_)

    monkeypatch.setattr("propeller.runtime.component.wave.parser_of", counted)

    async def part(site):
        tasks = [greeting("greet", f'"{number}"') for number in range(300)]
        tasks.append(greeting("greet", "Jo"))
        said = await site.refused("POST", "/jobs", 400, json={"tasks": tasks})
        assert said.startswith("tasks[300].inputs: parameter 1 (name) of greet is of type string")
        assert len(made) == 1

    among_ours(part, tmp_path)
