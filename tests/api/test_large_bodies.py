"""Bodies that are large, or hold more than anybody needs: read as small ones are, or refused by what is too much."""

import asyncio
import base64
import json
import random
import threading

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from propeller.api import bodies, lifting
from propeller.api.app import create_app
from propeller.api.authentication import Authentication
from propeller.api.bodies import JSON_BYTES_MAX, VALUES_MAX, values_in
from propeller.api.lifting import from_base64, lift
from propeller.wire.http.tasks import INPUTS_MAX, TASKS_MAX
from tests.api.helpers import ADDITION, ADDITION_TEXT, DEADLINE_S, Site, a_manager, play

JSON = {"content-type": "application/json"}
LARGE = b"\0asm" + random.Random(1).randbytes(300_000)
LARGE_TEXT = base64.b64encode(LARGE).decode()


def test_more_values_than_a_task_may_have(tmp_path):
    many = [1] * (INPUTS_MAX + 1)
    variables = {f"k{n}": "v" for n in range(INPUTS_MAX + 1)}

    async def part(site):
        for field, value in (("inputs", many), ("cli_args", ["x"] * len(many)), ("env", variables)):
            wrong = {"name": "f", field: value}
            expected = f"{field}: {len(many)} are too many; give at most {INPUTS_MAX}"
            assert await site.refused("POST", "/tasks", 400, json=wrong) == expected
            group = {"tasks": [{"name": "f"}, wrong]}
            for path in ("/jobs", "/workflows"):
                assert await site.refused("POST", path, 400, json=group) == f"tasks[1].{expected}"
        await site.post("/tasks", {"id": "a", "name": "f", "inputs": many[1:]})
        assert "too many" in await site.refused("PUT", "/tasks/a", 400, json={"inputs": many})
        assert "inputs: " in await site.refused("POST", "/tasks/a/invoke", 400, json={"inputs": many})
        assert "env: " in await site.refused("POST", "/tasks/a/invoke", 400, json={"env": variables})

    play(part, tmp_path)


def test_more_tasks_than_a_request_may_have(tmp_path):
    async def part(site):
        tasks = [{"name": "f"}] * (TASKS_MAX + 1)
        for path in ("/jobs", "/workflows"):
            assert f"at most {TASKS_MAX}" in await site.refused("POST", path, 400, json={"tasks": tasks})

    play(part, tmp_path)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"name":"f","inputs":[' + b"1," * 45_000_000 + b"1]}", "bytes besides modules"),
        (b'{"name":"f","inputs":[' + b"1," * VALUES_MAX + b"1]}", "values; send at most"),
        (b'{"name":"f","x":[' + b"[],{}," * (VALUES_MAX // 2) + b"1]}", "values; send at most"),
        (b'{"name":"f","x":[' + b"[[[[]]]]," * (VALUES_MAX // 4) + b"1]}", "values; send at most"),
        (b'{"name":"f","x":"' + b"x" * JSON_BYTES_MAX + b'"}', "bytes besides modules"),
        # It is under the name of a module, and is none.
        (b'{"name":"f","metadata":{"file":"' + b"A" * JSON_BYTES_MAX + b'"}}', "bytes besides modules"),
    ],
    ids=["90 MiB", "numbers", "lists", "nested", "text", "no module"],
)
def test_more_than_the_decoder_is_given(tmp_path, body, message):
    async def part(site):
        assert message in await site.refused("POST", "/tasks", 413, content=body, headers=JSON)
        assert (await site.get("/tasks"))["total"] == 0

    play(part, tmp_path)


def test_what_stands_in_a_text_is_one_value(tmp_path):
    numbers = str([1] * (VALUES_MAX + 1))

    async def part(site):
        for text in (numbers, f'\\"{numbers}\\', json.dumps(json.dumps([numbers]))):
            made = await site.post("/tasks", {"name": "f", "inputs": [text], "env": {"A": '[{"', "B": "\\"}})
            assert made["inputs"] == [text]

    play(part, tmp_path)


def test_a_small_upload_does_not_wait_for_large_bodies(tmp_path):
    async def scene():
        async with a_manager(tmp_path) as manager:
            app = create_app(manager, instance_id="i")
            transport = httpx.ASGITransport(app=Authentication(app))
            async with httpx.AsyncClient(transport=transport, base_url="http://manager") as http:
                site = Site(manager, http)
                for name in "ab":
                    await site.post("/tasks", {"id": name, "name": "f"})
                is_done = threading.Event()
                app.context.aside.submit(is_done.wait)
                try:
                    large = asyncio.create_task(site.upload("a", LARGE))
                    async with asyncio.timeout(DEADLINE_S / 4):
                        await site.upload("b")
                    assert not large.done()
                finally:
                    is_done.set()
                assert (await large)["file_size"] == len(LARGE)

    asyncio.run(scene())


def test_a_large_module_arrives_as_it_was_sent(tmp_path):
    async def part(site):
        made = await site.post(
            "/tasks", {"id": "a", "name": "f", "file": LARGE_TEXT, "metadata": {"file": "x"}}
        )
        assert made["file_size"] == len(LARGE)
        assert (await site.http.get("/tasks/a/file")).content == LARGE
        # Spread out, as some write JSON.
        body = json.dumps({"file": LARGE_TEXT, "name": "g"}, indent=4).encode()
        await site.put("/tasks/a", {"file": ADDITION_TEXT})
        assert (await site.http.put("/tasks/a", content=body, headers=JSON)).status_code == 200
        assert (await site.http.get("/tasks/a/file")).content == LARGE
        # Many tasks with the same one, and one with another.
        other = base64.b64encode(LARGE + b"x").decode()
        files = [LARGE_TEXT, other, LARGE_TEXT, ADDITION_TEXT]
        tasks = [{"id": f"t{n}", "name": "f", "file": file} for n, file in enumerate(files)]
        await site.post("/jobs", {"tasks": tasks})
        found = [(await site.http.get(f"/tasks/t{n}/file")).content for n in range(4)]
        assert found == [LARGE, LARGE + b"x", LARGE, ADDITION]

    play(part, tmp_path)


def test_what_is_called_file_elsewhere_stays_what_it_is(tmp_path):
    text = "A" * 100_000

    async def part(site):
        fields = {"env": {"file": text}, "metadata": {"deep": [{"file": text}]}, "file": LARGE_TEXT}
        made = await site.post("/tasks", {"id": "a", "name": "f", "inputs": [f'"file":"{text}"'], **fields})
        assert made["env"] == fields["env"]
        assert made["metadata"] == fields["metadata"]
        assert made["inputs"] == [f'"file":"{text}"']
        assert (await site.http.get("/tasks/a/file")).content == LARGE

    play(part, tmp_path)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (LARGE_TEXT[:-1], "not valid base64"),
        (LARGE_TEXT + "=", "not valid base64"),
        ("=" + LARGE_TEXT, "not valid base64"),
        (LARGE_TEXT[:5000] + "\v" + LARGE_TEXT[5000:], "not valid base64"),
        (LARGE_TEXT[:5000] + "é" + LARGE_TEXT[5000:], "not valid base64"),
        ("B" * 100_000, "missing magic bytes"),
    ],
    ids=["short", "long", "padded", "line", "letter", "magic"],
)
def test_a_large_module_that_is_none(tmp_path, file, message):
    async def part(site):
        found = await site.refused(
            "POST", "/jobs", 400, json={"tasks": [{"name": "f"}, {"name": "f", "file": file}]}
        )
        assert found.startswith("tasks[1].file: ")
        assert message in found
        assert (await site.get("/tasks"))["total"] == 0

    play(part, tmp_path)


def test_a_large_body_is_refused_in_the_same_words(tmp_path):
    space = b" " * 100_000

    async def part(site):
        for wrong, message in (
            (b'{"name":5}', "name: expected string, got integer"),
            (b'{"name":"f"', "not valid JSON"),
        ):
            for body in (wrong, space + wrong):
                assert message in await site.refused("POST", "/tasks", 400, content=body, headers=JSON)

    play(part, tmp_path)


@given(st.binary(max_size=200))
def test_base64_in_pieces_is_base64(small_steps, data):
    text = base64.b64encode(data)
    assert from_base64(text) == from_base64(memoryview(text)) == data


@given(st.text(alphabet="Aa+/=é\n \x0b", max_size=40))
def test_what_is_no_base64_in_one_piece_is_none_in_several(small_steps, text):
    """What the standard library takes is taken, with white space in it, and nothing else."""
    try:
        expected = base64.b64decode(text.replace("\n", "").replace(" ", "").encode(), validate=True)
    except ValueError:
        expected = None
    try:
        found = from_base64(text.encode())
    except ValueError:
        found = None
    assert found == expected


@pytest.mark.parametrize("module", [ADDITION, LARGE])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_lines_of_base64_may_have_ends(tmp_path, module, line_end):
    """As ``base64 FILE`` and mail programs write them; some writers of JSON also escape each slash."""
    text = base64.encodebytes(module).decode().replace("\n", line_end)
    body = json.dumps({"name": "main", "file": text}).replace("/", r"\/").encode()

    async def part(site):
        response = await site.http.post("/tasks", content=body, headers=JSON)
        assert response.status_code == 201, response.text
        path = f"/tasks/{response.json()['id']}/file"
        assert (await site.http.get(path)).content == module
        assert (await site.put(path.removesuffix("/file"), {"file": text}))["id"]

    play(part, tmp_path)


def test_a_module_with_line_ends_is_no_more_than_one_without(tmp_path, monkeypatch):
    monkeypatch.setattr(bodies, "JSON_BYTES_MAX", 10_000)
    text = base64.encodebytes(LARGE).decode()

    async def part(site):
        await site.post("/tasks", {"name": "main", "file": text})
        raw = f'{{"name":"main","file":"{text}"}}'.encode()
        message = await site.refused("POST", "/tasks", 413, content=raw, headers=JSON)
        assert "bytes besides modules" in message, "JSON has no line ends in texts"

    play(part, tmp_path)


@pytest.fixture(scope="module")
def small_steps():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lifting, "_STEP", 8)
        patch.setattr(lifting, "_LONG", 12)
        patch.setattr(bodies, "_STEP", 3)
        yield


TREES = st.recursive(
    st.text(alphabet='fileA":\\,é\n\t/', max_size=30) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["file", "a", 'x"file":']), inner, max_size=3)
    ),
)


@given(TREES, st.sampled_from([None, 1]), st.booleans())
def test_what_is_taken_out_is_what_was_there(small_steps, tree, indent, escapes_slashes):
    body = json.dumps(tree, indent=indent, ensure_ascii=indent is None).encode()
    if escapes_slashes:
        body = body.replace(b"/", rb"\/")
    rest, lifted = lift(body)

    def restored(value):
        if isinstance(value, dict):
            return {key: restored(one) for key, one in value.items()}
        if isinstance(value, list):
            return [restored(one) for one in value]
        found = lifted.find(value) if isinstance(value, str) else None
        return value if found is None else bytes(found).decode()

    assert restored(json.loads(rest)) == tree
    assert lifted.is_used_up


@given(TREES, st.sampled_from([None, 1]))
def test_values_are_counted_beside_texts(small_steps, tree, indent):
    def marks(value):
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return 0 if inner is None else 1 + max(len(inner) - 1, 0) + sum(map(marks, inner))

    assert values_in(json.dumps(tree, indent=indent, ensure_ascii=indent is None).encode()) == marks(tree)


def test_nobody_can_write_what_stands_for_a_module():
    body = b'{"file":"' + b"A" * 5000 + b'"}'
    assert lift(body)[0] != lift(body)[0]
