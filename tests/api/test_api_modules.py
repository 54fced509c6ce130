"""What modules are: ``POST /modules/inspect``, ``GET /tasks/{id}/module``, and uploads of text."""

import asyncio
import base64
from hashlib import sha256

import msgspec
import pytest

from propeller.api import inspections, turns
from propeller.client.api import Client
from propeller.runtime.inspection import inspect
from tests.api.helpers import ADDITION, ADDITION_TEXT, a_manager, play, serving

FOUND = msgspec.to_builtins(inspect(ADDITION))
WAT = b'(module (func (export "half") (param f32) (result f32) (f32.mul (local.get 0) (f32.const 0.5))))'
#: Valid by its first bytes only.
DAMAGED = base64.b64encode(ADDITION[:-4]).decode()


def test_a_module_is_inspected_as_body_or_in_a_form(tmp_path):
    async def part(site):
        found = await site.http.post("/modules/inspect", content=ADDITION)
        assert found.status_code == 200
        assert found.headers["content-type"] == "application/json"
        assert found.json() == FOUND
        assert (found.json()["digest"], found.json()["size"]) == (
            f"sha256:{sha256(ADDITION).hexdigest()}",
            len(ADDITION),
        )
        assert found.json()["functions"] == [
            {
                "name": "main",
                "params": [
                    {"name": "", "type": "i32", "example": "1"},
                    {"name": "", "type": "i32", "example": "2"},
                ],
                "results": ["i32"],
            }
        ]
        form = await site.http.post("/modules/inspect", files={"file": ("any name", ADDITION)})
        assert form.json() == found.json()
        assert (await site.get("/tasks"))["total"] == 0

    play(part, tmp_path)


def test_text_is_inspected_and_comes_back_compiled(tmp_path):
    async def part(site):
        text = (await site.http.post("/modules/inspect", content=WAT)).json()
        wasm = base64.b64decode(text.pop("wasm"))
        assert text == msgspec.to_builtins(inspect(wasm))
        assert (await site.http.post("/modules/inspect", content=wasm)).json() == text

    play(part, tmp_path)


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        ({"content": b""}, "body: it is empty; send a module"),
        ({"content": b"(module (fun))"}, "body: it is no WebAssembly, and as text it is not valid"),
        ({"content": b"\x7fELF\xff"}, "body: it is neither WebAssembly"),
        ({"content": ADDITION[:-4]}, "body: not valid: "),
        ({"files": {"other": ("a.wasm", ADDITION)}}, "file: http: no such file"),
    ],
)
def test_what_is_no_module_is_refused(tmp_path, sent, why):
    async def part(site):
        assert why in await site.refused("POST", "/modules/inspect", 400, **sent)

    play(part, tmp_path)


def test_the_module_of_a_task_is_not_inspected_again(tmp_path, monkeypatch):
    calls = []

    async def counted(data, plain=inspections.inspect_apart):
        calls.append(data)
        return await plain(data)

    monkeypatch.setattr(inspections, "inspect_apart", counted)

    async def part(site):
        for task_id in ("a", "b"):
            await site.post("/tasks", {"id": task_id, "name": "main", "file": ADDITION_TEXT})
        found = await asyncio.gather(*(site.get(f"/tasks/{task_id}/module") for task_id in "abababab"))
        assert found == [FOUND] * 8
        # Those that wait for their turn need none any more.
        assert calls in ([ADDITION], [ADDITION] * 2)
        calls.clear()
        assert await site.get("/tasks/a/module") == FOUND
        assert calls == []

    play(part, tmp_path)


def test_what_has_no_module_here_says_where_it_is(tmp_path):
    async def part(site):
        image = "registry.example/add:1"
        await site.post("/tasks", {"id": "image", "name": "main", "image_url": image})
        await site.post("/tasks", {"id": "bare", "name": "main"})
        inner = {"tasks": [{"name": "main", "file": ADDITION_TEXT}]}
        await site.post("/tasks", {"id": "flow", "workflow": inner})
        await site.post("/tasks", {"id": "bad", "name": "main", "file": DAMAGED})
        for task_id, why in (
            ("image", f"proplets fetch it from {image}; look there, or with propeller inspect {image}"),
            ("bare", "task bare has no module; upload one with PUT /tasks/bare/upload"),
            ("flow", "task flow has no module; it runs a workflow"),
            ("bad", "nothing can be said of the module of task bad: not valid: "),
            ("none", "there is no task none"),
        ):
            assert why in await site.refused("GET", f"/tasks/{task_id}/module", 404)

    play(part, tmp_path)


def test_too_many_at_once_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(turns, "_WAITING_MAX", 1)

    async def part(site):
        asked = [site.http.post("/modules/inspect", content=WAT) for _ in range(3)]
        answers = await asyncio.gather(*asked)
        assert sorted(answer.status_code for answer in answers) == [200, 503, 503]
        assert (await site.http.post("/modules/inspect", content=WAT)).status_code == 200

    play(part, tmp_path)


def test_a_task_takes_its_module_as_text(tmp_path):
    async def part(site):
        await site.post("/tasks", {"id": "a", "name": "half", "inputs": [3]})
        await site.upload("a", WAT, "half.wat")
        found = await site.get("/tasks/a/module")
        assert found["functions"][0]["params"][0]["type"] == "f32"
        assert (await site.http.get("/tasks/a/file")).content.startswith(b"\0asm")
        wrong = {"file": ("half.wat", b"(module")}
        said = await site.refused("PUT", "/tasks/a/upload", 400, files=wrong)
        assert said.startswith("file: it is no WebAssembly, and as text it is not valid: ")
        # Its name is no promise; text under the name of a compiled module is refused as before.
        await site.upload("a", WAT, "half.wasm", status=400)
        assert await site.get("/tasks/a/module") == found

    play(part, tmp_path)


def test_the_client_asks_for_both(tmp_path):
    def asked(url):
        with Client(url) as client:
            made = client.create_task({"name": "main", "file": ADDITION_TEXT})
            return client.task_module(made["id"]), client.inspect_module(ADDITION)

    async def scene():
        async with a_manager(tmp_path) as manager, serving(manager) as http:
            assert (await http.get("/health")).is_success
            assert await asyncio.to_thread(asked, str(http.base_url)) == (FOUND, FOUND)

    asyncio.run(scene())
