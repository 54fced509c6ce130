"""Calls that can't be made are refused where the manager has the module, before anything is created or changed."""

import asyncio
import base64
import threading

import msgspec
import pytest
import wasmtime

from propeller.api import submission
from propeller.api.context import Interfaces
from propeller.core.events import PropletSeen
from propeller.core.model import Module
from propeller.core.sandbox import Offer
from propeller.core.states import COMPLETED, RUNNING
from propeller.runtime.core_module import interface
from tests.api.helpers import ADDITION_TEXT, METADATA, play

MIAN = 'name: no function "mian" is exported; exported are: main(i32, i32) -> i32'
ONE = 'inputs: main takes 2 parameters (i32, i32), but 1 input was given: ["1"]'
TEXT = (
    "inputs: parameter 2 of main is of type i32 (a whole number from -2147483648 to 4294967295), "
    'but the input given is "x"'
)


def wasm(text):
    return bytes(wasmtime.wat2wasm(text))


def base64_of(text):
    return base64.b64encode(wasm(text)).decode()


PROGRAM = '(module (func (export "_start")) (func (export "__helper")))'
PROGRAM_AND_MORE = '(module (func (export "_start")) (func (export "helper") (param i32)))'
WITH_ALLOCATOR = """(module (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0))
  (func (export "f") (param i32 i32 i32)))"""
READER = """(module (import "wasi_snapshot_preview1" "fd_read" (func (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1) (func (export "_start")))"""
#: Its pages have 2^(2^63) bytes each, as it says.
NO_SUCH_PAGES = b"\0asm\1\0\0\0" + b"\5\x0d\1\x08\1" + b"\x80" * 9 + b"\1" + b"\7\5\1\1m\2\0"
VECTORS = '(module (func (export "f") (param v128)))'


def bring(site, proplet_id="ours", offer=None, boot=1):
    """Bring a proplet; without an offer one that does not say how it runs guests."""
    metadata = METADATA if offer is None else {**METADATA, "offers": msgspec.to_builtins(offer)}
    site.manager.tell(PropletSeen(proplet_id=proplet_id, boot=boot, slots=2, metadata=metadata))


def task(name="main", *inputs, **more):
    return {"name": name, "file": ADDITION_TEXT, "inputs": list(inputs), **more}


def file_of(module):
    return {"file": ("a.wasm", module, "application/wasm")}


def among_ours(part, directory):
    async def scene(site):
        bring(site, offer=Offer())
        await site.turned()
        await part(site)

    play(scene, directory)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (task("mian", 1, 2), MIAN),
        (task("main", 1), ONE),
        (task("main", 1, "x"), TEXT),
        (task("main", 1, "x", daemon=True), TEXT),
        (task("mian", latent=True), MIAN),
        (task("main", 1, 2, stdin="x"), "stdin: the module reads no standard input (it does not import "),
        (task("main", 1, "${a}", 3), "inputs: main takes 2 parameters (i32, i32), but 3 inputs were given: "),
        (
            task("main", {"from": "a"}, "$${x"),
            "parameter 2 of main is of type i32 (a whole number from -2147",
        ),
        (
            task("memory", file=base64_of('(module (memory (export "memory") 1))')),
            "exported, but as a memory",
        ),
        (task("f", '["', 1, file=base64_of(WITH_ALLOCATOR)), "is neither JSON text nor a list of bytes"),
        (task("f", "[" * 9_000, 1, file=base64_of(WITH_ALLOCATOR)), "is neither JSON text nor a list of"),
        (
            task("other", file=base64_of(PROGRAM_AND_MORE)),
            'no function "other" is exported; exported are: _s',
        ),
    ],
)
def test_a_call_that_can_not_be_made_is_refused(tmp_path, given, error):
    async def part(site):
        parent = task("main", 1, 2, id="a")
        needing = {"depends_on": ["a"]} if "from" in str(given) or "${a}" in str(given) else {}
        for path, body in (
            ("/workflows", {"tasks": [parent, {**given, **needing}]}),
            ("/jobs", {"tasks": [parent, {**given, **needing}]}),
        ):
            said = await site.refused("POST", path, 400, json=body)
            assert said.startswith("tasks[1]."), said
            assert error in said
        if not needing:
            said = await site.refused("POST", "/tasks", 400, json=given)
            assert error in said
            assert said.startswith(("name: ", "inputs: ", "stdin: "))
        assert (await site.get("/tasks"))["total"] == 0

    among_ours(part, tmp_path)


@pytest.mark.parametrize(
    "given",
    [
        task("main", 1, 4294967295),
        task("main", "0x10", " -3 "),
        task("main", 2.0, "7"),
        task("main", "x", latent=True),
        task("mian", cli_args=["--invoke", "main"]),
        task("fl-round-3", 1, 2, 3, file=base64_of(PROGRAM_AND_MORE)),
        task("anything", "a", "b", file=base64_of(PROGRAM)),
        task("f", '"text"', 1, file=base64_of(WITH_ALLOCATOR)),
        task("f", 1, 2, 3, file=base64_of(WITH_ALLOCATOR)),
        task("main", stdin="x", file=base64_of(READER)),
        task("f", "1 2 3", file=base64_of(VECTORS)),
        task("f", file=base64.b64encode(b"\0asm\x0d\0\1\0damaged").decode()),
        task("f", file=base64.b64encode(b"\0asm\1\0\0\0damaged").decode()),
        task("f", file=base64.b64encode(NO_SUCH_PAGES).decode()),
        {"name": "f", "image_url": "registry.example/f:1"},
    ],
)
def test_what_a_runner_would_take_or_may_take_is_accepted(tmp_path, given):
    async def part(site):
        await site.post("/tasks", given)

    among_ours(part, tmp_path)


@pytest.mark.parametrize("inputs", [["${a}", 2], [{"from": "a"}, "${a}0"], ["${a}${a}", 1]])
def test_results_of_parents_may_be_any_value(tmp_path, inputs):
    async def part(site):
        child = task("main", *inputs, depends_on=["a"])
        unread = task("main", 1, 2, stdin={"from": "a"}, depends_on=["a"])
        text = task("f", "${a}", "[1]", depends_on=["a"], file=base64_of(WITH_ALLOCATOR))
        await site.post("/workflows", {"tasks": [task("main", 1, 2, id="a"), child, unread, text]})

    among_ours(part, tmp_path)


@pytest.mark.parametrize(
    "proplets",
    [
        [],
        [{"boot": 0}],
        [{"offer": Offer()}, {"proplet_id": "foreign", "boot": 0}],
        [{"offer": Offer(is_external=True)}],
        [{}],
    ],
    ids=["none", "foreign", "foreign too", "external", "silent"],
)
def test_nothing_is_refused_that_another_kind_of_proplet_may_run(tmp_path, proplets):
    async def part(site):
        for given in proplets:
            bring(site, **given)
        await site.turned()
        made = await site.post("/tasks", task("mian", 1))
        await site.put(f"/tasks/{made['id']}", {"name": "nothing"})

    play(part, tmp_path)


def test_an_upload_that_does_not_fit_changes_nothing(tmp_path):
    async def part(site):
        await site.post("/tasks", {"id": "a", "name": "mian", "inputs": [1, 2]})
        before = await site.get("/tasks/a")
        files = file_of(base64.b64decode(ADDITION_TEXT))
        said = await site.refused("PUT", "/tasks/a/upload", 400, files=files)
        assert said == f"{MIAN}; upload another module, or first change the task for this one: PUT /tasks/a"
        assert await site.get("/tasks/a") == before
        await site.refused("GET", "/tasks/a/file", 404)
        changed = await site.put("/tasks/a", {"name": "main", "file": ADDITION_TEXT})
        assert (changed["name"], changed["file"]) == ("main", ADDITION_TEXT)

    among_ours(part, tmp_path)


def test_inputs_may_come_after_the_module_but_before_the_start(tmp_path):
    async def part(site):
        await site.post("/tasks", {"id": "a", "name": "main", "inputs": []})
        await site.upload("a")
        said = await site.refused("POST", "/tasks/a/start", 400)
        assert said == (
            "inputs: main takes 2 parameters (i32, i32), but 0 inputs were given; "
            "change the task with PUT /tasks/a"
        )
        assert (await site.get("/tasks/a"))["state"] == 0
        await site.put("/tasks/a", {"inputs": [1, 2]})
        await site.post("/tasks/a/start", status=200)
        await site.post("/tasks", {"id": "b", "name": "_start", "file": base64_of(PROGRAM)})
        await site.post("/tasks/b/start", status=200)
        await site.reached(COMPLETED, "a", "b")
        await site.post("/tasks/b/start", status=200)

    among_ours(part, tmp_path)


ADD_THREE = wasm(
    '(module (func (export "sub") (param i32 i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))'
)


def test_fields_and_then_the_module_that_they_are_for_may_come_one_after_the_other(tmp_path):
    async def part(site):
        await site.post("/tasks", task("main", 1, 2, id="a"))
        said = await site.refused("PUT", "/tasks/a/upload", 400, files=file_of(ADD_THREE))
        assert said == (
            'name: no function "main" is exported; exported are: sub(i32, i32, i32) -> i32; '
            "upload another module, or first change the task for this one: PUT /tasks/a"
        )
        await site.put("/tasks/a", {"name": "sub", "inputs": [1, 2, 3]})
        await site.upload("a", ADD_THREE)
        await site.post("/tasks/a/start", status=200)
        await site.reached(COMPLETED, "a")

    among_ours(part, tmp_path)


def test_fields_that_came_alone_are_held_to_the_module_at_the_start(tmp_path):
    large = wasm('(module (func (export "f") (param i64)) (func (export "g")))')
    large += b"\0\xff\xff\x3f" + b"\1x" + bytes(0xFFFFF - 2)

    async def part(site):
        async def refused(task_id, changes):
            await site.put(f"/tasks/{task_id}", changes)
            said = await site.refused("POST", f"/tasks/{task_id}/start", 400)
            assert said.endswith(f"; change the task with PUT /tasks/{task_id}")
            return said

        await site.post("/tasks", task("main", 1, 2, id="a"))
        assert MIAN in await refused("a", {"name": "mian"})
        assert ONE in await refused("a", {"name": "main", "inputs": [1]})
        assert "stdin: the module reads no" in await refused("a", {"inputs": [3, 4], "stdin": "x"})
        said = await site.refused("PUT", "/tasks/a", 400, json={"name": "mian", "file": ADDITION_TEXT})
        assert said == MIAN
        await site.put("/tasks/a", {"stdin": "", "priority": 7})
        await site.post("/tasks/a/start", status=200)
        await site.reached(COMPLETED, "a")
        assert ONE in await refused("a", {"inputs": [1]})
        await site.post("/tasks", {"id": "b", "name": "f", "inputs": ["9"]})
        await site.upload("b", large)
        assert "parameter 1 of f is of type i64" in await refused("b", {"inputs": [1.5]})
        said = await refused("b", {"name": "g", "inputs": ["9"]})
        assert said.startswith('inputs: g takes 0 parameters, but 1 input was given: ["9"]; ')

    among_ours(part, tmp_path)


NONE = "inputs: main takes 2 parameters (i32, i32), but 0 inputs were given"


@pytest.mark.parametrize("path", ["/workflows", "/jobs"])
def test_the_start_of_a_group_refuses_what_the_start_of_its_tasks_would(tmp_path, path):
    async def part(site):
        tasks = [task("main", id="a"), task("main", id="b", depends_on=["a"])]
        made = await site.post(path, {"tasks": tasks})
        start = f"{path}/{made.get('job_id') or made['tasks'][0]['workflow_id']}/start"

        async def refused(task_id, error):
            said = await site.refused("POST", start, 400)
            assert said == f"task {task_id}: {error}; change the task with PUT /tasks/{task_id}"

        await refused("a", NONE)
        await site.put("/tasks/a", {"inputs": [1, 2]})
        await site.put("/tasks/b", {"name": "mian"})
        await refused("b", MIAN)
        assert [one["state"] for one in (await site.get("/tasks"))["tasks"]] == [0, 0]
        # Its inputs may come until it begins.
        await site.put("/tasks/b", {"name": "main"})
        site.is_slow = True
        await site.post(start, status=200)
        assert "is running already" in await site.refused("POST", start, 409)
        await site.put("/tasks/b", {"inputs": [3, 4]})
        await site.reached(RUNNING, "a")
        site.is_slow = False
        site.end(site.started[0])
        await site.reached(COMPLETED, "a", "b")
        await site.put("/tasks/a", {"inputs": [1]})
        await refused("a", ONE)
        assert "not found" in await site.refused("POST", f"{path}/other/start", 404)

    among_ours(part, tmp_path)


def test_of_many_modules_of_a_group_some_are_looked_at_when_it_is_started(tmp_path, monkeypatch):
    monkeypatch.setattr(submission, "_MODULES_MAX", 1)

    async def part(site):
        other = base64_of('(module (func (export "main") (param i64)))')
        tasks = [task("main", 1, 2, id="a"), task("main", id="b", file=other), task("main", 1, 2, id="c")]
        made = await site.post("/jobs", {"tasks": tasks})
        await site.put("/tasks/c", {"inputs": [1]})
        said = await site.refused("POST", f"/jobs/{made['job_id']}/start", 400)
        assert said == f"task c: {ONE}; change the task with PUT /tasks/c"
        await site.put("/tasks/c", {"inputs": [1, 2]})
        await site.post(f"/jobs/{made['job_id']}/start", status=200)

    among_ours(part, tmp_path)


@pytest.mark.parametrize(("tasks_max", "status"), [(1, 200), (2, 400)])
def test_a_large_group_that_has_ended_is_not_looked_at(tmp_path, monkeypatch, tasks_max, status):
    monkeypatch.setattr(submission, "PORTION", tasks_max)

    async def part(site):
        made = await site.post("/jobs", {"tasks": [task("main", 1, 2, id="a"), task("main", 3, 4, id="b")]})
        start = f"/jobs/{made['job_id']}/start"
        await site.post(start, status=200)
        await site.reached(COMPLETED, "a", "b")
        await site.put("/tasks/b", {"inputs": [1]})
        assert (await site.http.post(start)).status_code == status

    among_ours(part, tmp_path)


def test_what_does_not_fit_already_may_be_changed_in_other_ways(tmp_path):
    """Its module came while nobody could say what it would do there."""

    async def part(site):
        made = await site.post("/tasks", task("mian", 1, id="a"))
        bring(site, offer=Offer())
        await site.turned()
        await site.put("/tasks/a", {"priority": 7, "file": ADDITION_TEXT})
        said = await site.refused("PUT", "/tasks/a", 400, json={"inputs": [1, 2], "file": ADDITION_TEXT})
        assert said == MIAN
        await site.put("/tasks/a", {"name": "main", "inputs": [1, 2], "file": ADDITION_TEXT})
        assert made["state"] == 0

    play(part, tmp_path)


def watch_threads(monkeypatch):
    """Note which modules and calls are looked at, and whether beside the loop."""
    beside = []

    def noted(head, plain=interface.interface_in):
        beside.append(threading.current_thread() is not threading.main_thread())
        return plain(head)

    monkeypatch.setattr("propeller.api.calls.interface_in", noted)
    return beside


MANY = 1000
FLOATS = base64_of(f'(module (func (export "f") (param {"f32 " * MANY})))')


@pytest.mark.parametrize(
    ("given", "is_beside"),
    [
        ({"tasks": [task("main", 1, 2)] * 100}, False),
        ({"tasks": [task("main", 1, 2)] * 200}, True),
        ({"tasks": [task("f", *["0.1"] * MANY, file=FLOATS)]}, True),
        ({"tasks": [task("main", "1" * 1500, "1" * 1500)]}, True),
    ],
    ids=["few", "tasks", "inputs", "long inputs"],
)
def test_many_inputs_are_looked_at_beside_the_loop(tmp_path, monkeypatch, given, is_beside):
    beside = watch_threads(monkeypatch)

    async def part(site):
        await site.http.post("/jobs", json=given)
        assert beside == [is_beside]

    among_ours(part, tmp_path)


def test_no_module_is_looked_at_where_nothing_can_be_known_of_calls(tmp_path, monkeypatch):
    beside = watch_threads(monkeypatch)

    async def part(site):
        made = await site.post("/tasks", task("mian", 1))
        await site.put(f"/tasks/{made['id']}", {"name": "nothing"})
        assert beside == []

    play(part, tmp_path)


def test_the_first_task_that_can_not_be_called_is_named_whatever_module_it_has(tmp_path):
    other = base64_of('(module (func (export "f") (param i64)))')

    async def part(site):
        tasks = [task("main", 1, 2), task("f", 1, file=other), task("f", file=other), task("main", 1)]
        tasks += [task("f", 1, 2, file=other), task("mian")]
        said = await site.refused("POST", "/jobs", 400, json={"tasks": tasks})
        assert said == f"tasks[3].{ONE}"
        tasks[1]["inputs"] = ["x"]
        said = await site.refused("POST", "/jobs", 400, json={"tasks": tasks})
        assert said.startswith("tasks[1].inputs: parameter 1 of f is of type i64")

    among_ours(part, tmp_path)


class Shelf:
    """A store of one module, which notes when it is read."""

    def __init__(self, data):
        self.data = data
        self.reads = 0

    async def module_part(self, digest, start, size_bytes):
        self.reads += 1
        return len(self.data), self.data[start:size_bytes]


@pytest.mark.parametrize(("imports", "reads"), [(500, 1), (600, 2)])
def test_an_interface_of_many_names_is_not_kept(imports, reads):
    names = "".join(f'(import "m" "g{number}" (global i32))' for number in range(imports))
    shelf = Shelf(wasm(f'(module {names} (func (export "f")))'))

    async def scene():
        interfaces = Interfaces(shelf)
        for _ in range(2):
            assert "f" in (await interfaces.of(Module("digest", 1))).functions

    asyncio.run(scene())
    assert shelf.reads == reads


def test_one_module_of_many_tasks_is_read_once(tmp_path, monkeypatch):
    read = []

    def counted(head, plain=interface.interface_in):
        read.append(len(head))
        return plain(head)

    monkeypatch.setattr("propeller.api.calls.interface_in", counted)

    async def part(site):
        tasks = [task("main", number, 1) for number in range(3000)]
        await site.post("/jobs", {"tasks": tasks})
        assert len(read) == 1
        tasks[-1]["inputs"] = [1]
        said = await site.refused("POST", "/jobs", 400, json={"tasks": tasks})
        assert said == f"tasks[2999].{ONE}"

    among_ours(part, tmp_path)
