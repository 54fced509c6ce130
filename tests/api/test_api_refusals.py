"""What is wrong is refused with a sentence that names it, and changes nothing."""

import json

import pytest

from tests.api.helpers import ADDITION, ADDITION_TEXT, play

JSON = {"content-type": "application/json"}
TASKS = [{"name": "f"}, {"name": "f"}]


def deep(levels):
    return json.loads('{"a":' * levels + "1" + "}" * levels)


TASK_CASES = [
    ({}, "name: missing identity name"),
    ({"name": ""}, "name: missing identity name"),
    ({"name": None}, "name: expected string, got null"),
    ({"name": 5}, "name: expected string, got integer"),
    ({"name": "x" * 1025}, "name: it is longer than 1024"),
    ({"name": "f", "id": "a/b"}, "id: not a valid id"),
    ({"name": "f", "id": "a\n"}, "id: not a valid id"),
    ({"name": "f", "id": ".."}, "id: not a valid id"),
    ({"name": "f", "id": "x" * 256}, "id: not a valid id"),
    ({"name": "f", "proplet_id": "a/b"}, "proplet_id: not a valid id"),
    ({"name": "f", "workflow_id": "a/b"}, "workflow_id: not a valid id"),
    ({"name": "f", "inputs": [1, True]}, "inputs[1]: expected string or number"),
    ({"name": "f", "inputs": [[1]]}, "inputs[0]: expected string or number; write other values as the text"),
    ({"name": "f", "inputs": [{"a": 1}]}, "inputs[0]: expected string or number"),
    ({"name": "f", "inputs": "x"}, "inputs: expected array or null, got string"),
    ({"name": "f", "priority": 101}, "priority: priority must be between 0 and 100, got 101"),
    ({"name": "f", "priority": -1}, "priority: priority must be between 0 and 100, got -1"),
    ({"name": "f", "priority": 1.5}, "priority: expected integer or null, got number"),
    ({"name": "f", "run_if": "maybe"}, 'run_if: "maybe" is unknown; use one of success, failure, all_done'),
    ({"name": "f", "run_if": "sucess"}, 'run_if: "sucess" is unknown; did you mean success?'),
    ({"name": "f", "run_if": "results.a = 1"}, "run_if: at character 11: '=' has no meaning here; write =="),
    ({"name": "f", "run_if": "results.a == 1"}, "run_if: at character 8: 'a' is not one parent of task"),
    ({"name": "f", "env": {"": "x"}}, "env: '' can't name a variable"),
    ({"name": "f", "env": {"A=B": "x"}}, "env: 'A=B' can't name a variable"),
    ({"name": "f", "env": {"A": 1}}, "env[...]: expected string or object, got integer"),
    ({"name": "f", "broadcast": True, "proplet_id": "p"}, "broadcast and proplet_id are mutually exclusive"),
    ({"name": "f", "encrypted": True}, "image_url: an encrypted task needs one"),
    (
        {"name": "f", "encrypted": True, "image_url": "registry.example/x", "file": ADDITION_TEXT},
        "file: an encrypted task can't bring its module along",
    ),
    ({"name": "f", "file": "AGFz!"}, "file: not valid base64"),
    ({"name": "f", "file": "aGVsbG8="}, "file: invalid WASM file: missing magic bytes"),
    ({"name": "f", "metadata": {"x": "y" * 1024 * 1024}}, "metadata: metadata exceeds 1MB limit"),
    ({"name": "f", "metadata": deep(101)}, "metadata: it is nested more than 100 levels deep"),
    ({"name": "f", "monitoring_profile": {"enabled": 1}}, "monitoring_profile.enabled: expected boolean"),
    (
        {"name": "f", "monitoring_profile": {"colect_cpu": False}},
        "monitoring_profile.colect_cpu: there is no such field; did you mean collect_cpu?",
    ),
    ({"name": "f", "depend_on": ["zz"]}, "depend_on: there is no such field; did you mean depends_on?"),
    ({"name": "f", "Inputs": [1]}, "Inputs: there is no such field; did you mean inputs?"),
    ({"name": "f", "stat": 3}, "stat: there is no such field; there are broadcast, cli_args, daemon,"),
    ({"name": "f", "x" * 100: 3}, f"{'x' * 100}: there is no such field; there are broadcast,"),
    ({"name": "f", "inputs": [{"from": "a", "fro": 1}]}, "inputs[0]: expected string or number"),
    ({"name": "f", "limits": {"memroy": 1}}, "limits.memroy: there is no such field; did you mean memory?"),
    ({"name": "f", "limits": {"memroy": "64MiB"}}, "limits.memroy: there is no such field"),
    ({"name": "f", "grants": {"host": ["x"]}}, "grants.host: there is no such field"),
    (
        {"name": "f", "grants": {"dirs": [{"host": "/a", "str": 1}]}},
        "grants.dirs[0].str: there is no such field",
    ),
    (
        {"name": "f", "grants": {"http": ["evil.test%00.sub.test"]}},
        "grants.http: 'evil.test%00.sub.test' is no host",
    ),
    ({"name": "f", "grants": {"http": [".sub.test"]}}, "grants.http: '.sub.test' is no host"),
    ({"name": "f", "grants": {"http": ["a..sub.test"]}}, "grants.http: 'a..sub.test' is no host"),
    ({"name": "f", "depends_on": [""], "workflow_id": "w"}, "depends_on[0]: neither an id nor a name"),
]


def test_wrong_tasks(tmp_path):
    async def part(site):
        for wrong, message in TASK_CASES:
            assert message in await site.refused("POST", "/tasks", 400, json=wrong), wrong
            for path in ("/jobs", "/workflows"):
                if "workflow_id" in wrong and "depends_on" not in wrong:
                    continue
                found = await site.refused("POST", path, 400, json={"tasks": [{"name": "f"}, wrong]})
                assert f"tasks[1].{message}" in found or "mutually exclusive" in found, found
        assert (await site.get("/tasks"))["total"] == 0

    play(part, tmp_path)


def test_wrong_updates(tmp_path):
    async def part(site):
        before = await site.post("/tasks", {"id": "a", "name": "f"})
        for wrong, message in TASK_CASES:
            if wrong.get("name") == "f" and not wrong.keys() & {"id", "workflow_id", "depends_on"}:
                assert message in await site.refused("PUT", "/tasks/a", 400, json=wrong), wrong
        assert await site.get("/tasks/a") == before

    play(part, tmp_path)


def test_an_encrypted_task_stays_one_of_an_image(tmp_path):
    async def part(site):
        image = {"encrypted": True, "image_url": "registry.example/x"}
        before = await site.post(
            "/tasks", {"id": "a", "name": "f", **image, "kbs_resource_path": "default/k"}
        )
        assert before["kbs_resource_path"] == "default/k"
        bring = "file: an encrypted task can't bring its module along"
        assert bring in await site.refused("PUT", "/tasks/a", 400, json={"file": ADDITION_TEXT})
        upload = {"file": ("x.wasm", ADDITION)}
        assert bring in await site.refused("PUT", "/tasks/a/upload", 400, files=upload)
        needs = "image_url: an encrypted task needs one"
        assert needs in await site.refused("PUT", "/tasks/a", 400, json={"image_url": ""})
        assert await site.get("/tasks/a") == before
        await site.post("/tasks", {"id": "b", "name": "f", "file": ADDITION_TEXT})
        assert bring in await site.refused("PUT", "/tasks/b", 400, json=image)
        plain = await site.post("/tasks", {"id": "c", "name": "f", "kbs_resource_path": "default/k"})
        assert plain["kbs_resource_path"] == "default/k"

    play(part, tmp_path)


@pytest.mark.parametrize("path", ["/jobs", "/workflows"])
def test_wrong_groups(tmp_path, path):
    cycle = [{"id": "a", "name": "f", "depends_on": ["b"]}, {"id": "b", "name": "g", "depends_on": ["a"]}]
    cases = [
        ({}, "tasks: a "),
        ({"tasks": []}, "tasks: a "),
        ({"tasks": {}}, "tasks: expected array, got object"),
        ({"tasks": [1]}, "tasks[0]: expected object, got integer"),
        ({"tasks": TASKS, "name": "x" * 1025}, "name: it is longer"),
        ({"tasks": TASKS, "nmae": "x"}, "nmae: there is no such field; did you mean name?"),
        ({"tasks": TASKS, "state": 0}, "state: there is no such field; there are "),
        (
            {"tasks": [{"name": "f", "id": "a"}, {"name": "f", "id": "a"}]},
            "tasks[1].id: a is the id of tasks[0] too",
        ),
        ({"tasks": [{"name": "f"}] * 100_001}, "tasks: 100001 tasks are too many"),
        ({"tasks": cycle}, "circular dependency detected: cycle detected involving tasks a and b"),
        (
            {"tasks": [{"id": "b", "name": "g", "depends_on": ["zzz"]}]},
            "task b depends on zzz which does not exist",
        ),
        ({"tasks": [{"name": "f", "job_id": "/", "workflow_id": "/"}]}, "_id: not a valid id"),
    ]

    async def part(site):
        for wrong, message in cases:
            assert message in await site.refused("POST", path, 400, json=wrong)
        assert (await site.get("/tasks"))["total"] == 0
        assert (await site.get(path))["total"] == 0

    play(part, tmp_path)


def test_wrong_mode(tmp_path):
    async def part(site):
        found = await site.refused("POST", "/jobs", 400, json={"tasks": TASKS, "execution_mode": "foo"})
        words = 'invalid JOB_EXECUTION_MODE: "foo" (allowed: "parallel", "sequential", "configurable")'
        assert found == f"execution_mode: {words}"

    play(part, tmp_path)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "body: it is empty (EOF)"),
        (b"  \n", "body: it is empty (EOF)"),
        (b"{", "body: not valid JSON"),
        (b'{"name":"f"} x', "body: not valid JSON"),
        (b"[]", "body: expected object, got array"),
        (b"null", "body: expected object, got null"),
        (b'{"name":"\xff"}', "body: not valid JSON"),
        (b'{"name":"\\ud800"}', "come in pairs only"),
        (b'{"name":"f","metadata":{"\\ud800":1}}', "come in pairs only"),
        (b'{"name":"f","inputs":[NaN]}', "body: not valid JSON"),
        (b'{"name":"f","inputs":[1e999]}', "inputs[0]: expected string or number"),
        (b'{"name":"f","metadata":' + b'{"a":' * 100_000, "body: it is nested too deeply"),
        (b'{"name":"f","metadata":{"n":' + b"1" * 5000 + b"}}", "metadata"),
    ],
)
def test_bodies_that_are_no_json_of_ours(tmp_path, body, message):
    async def part(site):
        for method, path in (("POST", "/tasks"), ("PUT", "/tasks/a")):
            assert message in await site.refused(method, path, 400, content=body, headers=JSON)

    play(part, tmp_path)


def test_numbers_of_any_size_come_back(tmp_path):
    async def part(site):
        numbers = [2**64, -(2**70), 1e308, 5e-324, 10**300, 0.1]
        created = await site.post("/tasks", {"name": "f", "inputs": numbers, "metadata": {"n": numbers}})
        assert created["inputs"] == created["metadata"]["n"] == numbers
        assert await site.get(f"/tasks/{created['id']}") == created

    play(part, tmp_path)


def test_content_type_has_to_be_json(tmp_path):
    async def part(site):
        body = b'{"name":"f"}'
        wrong = (
            "text/plain",
            "application/x-www-form-urlencoded",
            "",
            "application/jsonx",
            "xapplication/json",
        )
        # These a browser sends for any page: it looks at what stands before the parameters.
        carriers = (
            "text/plain; application/json",
            'text/plain; a="application/json"',
            "multipart/form-data;application/json",
        )
        for kind in (*wrong, *carriers):
            found = await site.refused("POST", "/tasks", 400, content=body, headers={"content-type": kind})
            assert "unsupported content type" in found
        for kind in ("application/json; charset=utf-8", "Application/JSON", " application/json ;x"):
            response = await site.http.post("/tasks", content=body, headers={"content-type": kind})
            assert response.status_code == 201

    play(part, tmp_path)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", "invalid limit size"),
        ("limit=101", "invalid limit size"),
        ("limit=x", 'invalid limit: parsing "x"'),
        ("limit=", 'invalid limit: parsing ""'),
        ("offset=-1", 'invalid offset: parsing "-1"'),
        ("offset=9223372036854775808", "invalid offset: parsing"),
        ("offset=%D9%A3", "invalid offset: parsing"),
        ("offset=" + "9" * 5000, "invalid offset: parsing"),
        ("file=maybe", 'file: "maybe" is neither true nor false'),
        ("metadata=x", "invalid metadata"),
        ("metadata=[]", "invalid metadata"),
        ('metadata={"a":"\\ud800"}', "invalid metadata"),
        ("metadata={}&metadata={}", "multiple values not supported for metadata"),
        ("&".join(f"metadata[k{n}]=x" for n in range(33)), "more than 32 pairs"),
        ("since=", "since: '' is no time; write one as 2026-01-31T12:00:00Z"),
        ("since=yesterday", "since: 'yesterday' is no time"),
        ("order=up", 'order: "up" is none; use oldest or newest'),
        ("state=faild", 'state: "faild" is none; use pending'),
        ("ofset=1", "ofset: there is no such query parameter here; did you mean offset?"),
        ("metdata[a]=b", "metdata[a]: there is no such query parameter here; did you mean metadata?"),
        ("after=1", "after: there is no such query parameter here; there are "),
    ],
)
def test_wrong_queries(tmp_path, query, message):
    async def part(site):
        assert message in await site.refused("GET", f"/tasks?{query}", 400)

    play(part, tmp_path)


def test_no_endpoint_takes_a_query_parameter_that_it_does_not_have(tmp_path):
    async def part(site):
        paths = (await site.http.get("/openapi.json")).json()["paths"]
        for path, methods in paths.items():
            if path.startswith(
                "/session/oidc"
            ):  # there is no issuer here, and what one adds to a query may differ
                continue
            for method in methods:
                found = await site.refused(method.upper(), f"{path.replace('{id}', 'a')}?nonsense=1", 400)
                assert "nonsense: there is no such query parameter here; there are" in found

    play(part, tmp_path)


def test_what_is_fixed_is_not_changed_in_silence(tmp_path):
    async def part(site):
        await site.post("/tasks", {"id": "a", "name": "f", "workflow_id": "w"})
        before = await site.post("/tasks", {"id": "b", "name": "f", "workflow_id": "w", "depends_on": ["a"]})
        for field, wrong in (("id", "c"), ("workflow_id", "v"), ("job_id", "j"), ("depends_on", [])):
            found = await site.refused("PUT", "/tasks/b", 400, json={field: wrong})
            assert found.startswith(f"{field}: it can't be changed")
        after = await site.put("/tasks/b", before)
        assert after == before | {"updated_at": after["updated_at"]}

    play(part, tmp_path)


def test_wrong_status_words(tmp_path):
    async def part(site):
        assert "invalid job status" in await site.refused("GET", "/jobs?status=foo", 400)
        assert "invalid workflow status" in await site.refused("GET", "/workflows?status=foo", 400)
        assert "invalid proplet status" in await site.refused("GET", "/proplets?status=foo", 400)
        assert "invalid limit size" in await site.refused("GET", "/jobs?limit=1001", 400)

    play(part, tmp_path)


def test_wrong_uploads(tmp_path):
    async def part(site):
        await site.post("/tasks", {"id": "a", "name": "f"})
        cases = [
            ({"files": {"file": ("a.txt", ADDITION)}}, "invalid file extension"),
            ({"files": {"file": ("a.wasm", b"hello")}}, "invalid WASM file: missing magic bytes"),
            ({"files": {"file": ("a.wasm", b"")}}, "invalid WASM file: missing magic bytes"),
            ({"files": {"other": ("a.wasm", ADDITION)}}, "http: no such file"),
            ({"data": {"file": "x"}}, "request Content-Type isn't multipart/form-data"),
            ({"content": ADDITION}, "request Content-Type isn't multipart/form-data"),
            (
                {"content": b"x", "headers": {"content-type": "multipart/form-data"}},
                "not a valid multipart form",
            ),
            (
                {"content": b"--b\r\n", "headers": {"content-type": "multipart/form-data; boundary=b"}},
                "not a valid multipart form",
            ),
        ]
        for sent, message in cases:
            assert message in await site.refused("PUT", "/tasks/a/upload", 400, **sent)
        assert "file" not in await site.get("/tasks/a")

    play(part, tmp_path)


def test_bodies_above_the_limit(tmp_path):
    async def part(site):
        sent = 0

        async def pieces():
            nonlocal sent
            for _ in range(300):
                sent += 1024 * 1024
                yield b" " * 1024 * 1024

        announced = {**JSON, "content-length": str(100 * 1024 * 1024 + 1)}
        assert "too large" in await site.refused("POST", "/tasks", 413, content=b"{}", headers=announced)
        form = {"content-type": "multipart/form-data; boundary=b"}
        for method, path, headers in (("POST", "/jobs", JSON), ("PUT", "/tasks/a/upload", form)):
            sent = 0
            assert "too large" in await site.refused(method, path, 413, content=pieces(), headers=headers)
            assert sent <= 102 * 1024 * 1024, "no more is read than the limit"

    play(part, tmp_path)


def test_unknown_routes_and_methods(tmp_path):
    async def part(site):
        for path in ("/nope", "/tasks/a/b/c", "/tasks/a%2Fb"):
            response = await site.http.get(path)
            assert (response.status_code, response.text) == (404, "404 page not found\n")
            assert response.headers["content-type"].startswith("text/plain")
        for method, path, allowed in (
            ("PATCH", "/tasks", {"GET", "HEAD", "POST"}),
            ("HEAD", "/tasks/a/start", {"POST"}),
            ("POST", "/tasks/a", {"GET", "HEAD", "PUT", "DELETE"}),
            ("GET", "/tasks/a/start", {"POST"}),
        ):
            response = await site.http.request(method, path)
            assert (response.status_code, response.content) == (405, b"")
            assert set(response.headers["allow"].split(", ")) == allowed | {"OPTIONS"}
            options = await site.http.options(path)
            assert (options.status_code, options.content) == (204, b"")
            assert set(options.headers["allow"].split(", ")) == allowed | {"OPTIONS"}

    play(part, tmp_path)
