"""``POST /files/check``: what a file makes, and its mistakes at their lines."""

import asyncio
import json

import pytest

from propeller.api import files
from propeller.client.api import Client
from tests.api.helpers import ADDITION_TEXT, a_manager, play, serving

FLOW = """\
# sums
name: sums
module: add.wasm
labels: {team: ops}
tasks:
  - id: a
    inputs: [1, 2]
  - id: b
    name: main
    module: other.wat
    depends_on: [a]
    run_if: "results.a == '3'"
    inputs: [{from: a}, 3]
  - id: c
    depends_on: [a, b]
    stdin_file: words.txt
    workflow:
      tasks: [{id: x}]
  - {id: d, name: main}
"""


def checked(directory, text, status=200, **more):
    found = []

    async def part(site):
        found.append(await site.post("/files/check", {"text": text, **more}, status=status))
        assert (await site.get("/workflows"))["total"] == (await site.get("/jobs"))["total"] == 0

    play(part, directory)
    return found[0]


def errors(directory, text, **more):
    found = checked(directory, text, **more)
    assert found["request"] is None
    return [(error["line"], error["field"], error["message"]) for error in found["errors"]]


def test_a_file_is_shown_before_it_is_created(tmp_path):
    found = checked(tmp_path, FLOW.replace("    stdin_file: words.txt\n", ""), name="flow.yaml")
    assert (found["kind"], found["name"], found["errors"]) == ("workflow", "sums", [])
    assert found["tasks"] == [
        {"id": "a", "name": "", "module": "add.wasm", "line": 6},
        {"id": "b", "name": "main", "module": "other.wat", "line": 8},
        {"id": "c", "name": "c", "line": 14},
        {"id": "d", "name": "main", "module": "add.wasm", "line": 18},
    ]
    assert found["edges"] == [["a", "b"], ["a", "c"], ["b", "c"]]
    assert found["needs"] == [
        {
            "name": "add.wasm",
            "field": "file",
            "tasks": ["tasks[0]", "tasks[2].workflow.tasks[0]", "tasks[3]"],
            "line": 3,
        },
        {"name": "other.wat", "field": "file", "tasks": ["tasks[1]"], "line": 10},
    ]
    request = found["request"]
    a, b, c, d = (task["id"] for task in request["tasks"])
    run = a.removeprefix("a-")
    assert len(run) == 8
    assert (b, c, d) == (f"b-{run}", f"c-{run}", f"d-{run}")
    assert {name: request[name] for name in ("name", "labels")} == {"name": "sums", "labels": {"team": "ops"}}
    assert request["tasks"][0] == {"id": a, "inputs": [1, 2]}
    assert request["tasks"][1] == {
        "id": b,
        "name": "main",
        "depends_on": [a],
        "run_if": f"results[\"{a}\"] == '3'",
        "inputs": [{"from": a}, 3],
    }


def test_what_it_shows_is_created_with_the_files_that_it_needs(tmp_path):
    text = json.dumps({"module": "a.wasm", "execution_mode": "parallel", "tasks": [{"inputs": [1, 2]}, {}]})

    async def part(site):
        found = await site.post("/files/check", {"text": text, "name": "two.json"}, status=200)
        assert (found["kind"], found["name"]) == ("job", "two")
        request = found["request"]
        for need in found["needs"]:
            for path in need["tasks"]:
                task = request["tasks"][int(path.removeprefix("tasks[").removesuffix("]"))]
                task |= {"name": "main", need["field"]: ADDITION_TEXT}
        job = await site.post("/jobs", request)
        assert [task["id"].rpartition("-")[0] for task in job["tasks"]] == ["task-1", "task-2"]
        as_workflow = await site.post("/files/check", {"text": text, "kind": "workflow"}, status=200)
        assert (as_workflow["kind"], as_workflow["name"]) == ("workflow", "")
        assert "execution_mode" not in as_workflow["request"]

    play(part, tmp_path)


def test_all_mistakes_are_named_at_their_lines(tmp_path):
    text = """\
module: a.wasm
max_paralel: 3
tasks:
  - id: a
    timeout: 5 parsecs
  - id: b
    inptus: [1]
    retry:
      max_attempts: x
  - {id: c, depends_on: [a, zz]}
  - id: a
  - id: e
    priority: 500
  - id: f
    run_if: sucess
  - id: 7
  - {id: g, depends_on: [7, e]}
  - 5
"""
    found = errors(tmp_path, text)
    assert [(line, field) for line, field, _ in found] == [
        (2, "max_paralel"),
        (5, "tasks[0].timeout"),
        (7, "tasks[1].inptus"),
        (9, "tasks[1].retry.max_attempts"),
        (10, "tasks[2].depends_on"),
        (11, "tasks[3].id"),
        (13, "tasks[4].priority"),
        (15, "tasks[5].run_if"),
        (16, "tasks[6].id"),
        (17, "tasks[7].depends_on[0]"),
        (18, "tasks[8]"),
    ]
    said = {field: message for _, field, message in found}
    assert said["max_paralel"] == "there is no such field; did you mean max_parallel?"
    assert said["tasks[1].inptus"] == "there is no such field; did you mean inputs?"
    assert said["tasks[2].depends_on"] == "there is no task zz in this file"
    assert said["tasks[6].id"] == "it has to be text, not number: put it in quotes"
    drawn = checked(tmp_path, text)
    assert [task["id"] for task in drawn["tasks"]] == ["a", "b", "c", "e", "f", "7", "g"]
    assert drawn["edges"] == [["a", "c"], ["7", "g"], ["e", "g"]]


@pytest.mark.parametrize(
    ("text", "line", "field", "said"),
    [
        ("", 0, "", "it has to be object, not null"),
        ("a: [", 1, "", "neither YAML nor JSON: while parsing a flow node, expected the node content"),
        ("a: 1\nb: *x", 2, "", "neither YAML nor JSON: found undefined alias"),
        ("tasks: 5", 1, "tasks", "it has to be list, not number"),
        ("name: n\ntasks: []", 2, "tasks", "a list with at least one task is needed"),
        (
            "module: m\ntasks:\n- {id: a, depends_on: [c]}\n- {id: b, depends_on: [a]}\n- {id: c, depends_on: [b]}",
            3,
            "tasks[0].depends_on",
            "DAG validation failed: circular dependency detected: cycle detected involving tasks a and c",
        ),
        ("tasks:\n- id: a", 2, "tasks[0].module", "name a .wasm or .wat file here, at the top, or by"),
        ("module: m\nschedule: x\ntasks: [{id: a}]", 2, "schedule", "invalid cron expression"),
        (
            "module: m\ntasks:\n- id: a\n- id: b\n  inputs: [{from: a}]",
            5,
            "tasks[1].inputs",
            "'a' is not one",
        ),
        (
            "module: m\nexecution_mode: sequential\ntasks:\n- id: a\n  depends_on: [b]\n- id: b",
            5,
            "tasks[0].depends_on",
            "task a depends on b, which comes after it in a sequential job",
        ),
        (
            "module: m\ntasks:\n- id: w\n  workflow:\n    tasks: [{id: x}, {run_if: results.x == 1}]",
            5,
            "tasks[0].workflow.tasks[1].run_if",
            "at character 8: x is no parent",
        ),
        *(
            (text, line, field, "half of a pair of surrogates")
            for text, line, field in (
                ('module: m\ntasks: [{id: a, name: "\\ud800"}]', 2, "tasks[0].name"),
                ('name: "\\ud800"\nmodule: m\ntasks: [{}]', 1, "name"),
                ('module: "\\ud800.wasm"\ntasks: [{}]', 1, "module"),
                ('module: m\ntasks:\n- stdin_file: "a\\U0000DfFf"', 3, "tasks[0].stdin_file"),
                (
                    'module: m\ntasks:\n- workflow: {module: "\\ud800", tasks: [{}]}',
                    3,
                    "tasks[0].workflow.module",
                ),
                ('module: m\ntasks:\n- {id: a}\n- {"\\ud800": 1}', 4, "tasks[1]"),
                ('module: m\ntasks:\n- &a {env: {A: "\\uD800"}}\n- *a', 3, "tasks[0].env.A"),
            )
        ),
    ],
)
def test_a_mistake_is_named_at_its_line(tmp_path, text, line, field, said):
    ((found_line, found_field, message),) = errors(tmp_path, text)
    assert (found_line, found_field) == (line, field)
    assert said in message


def test_a_json_file_has_lines_too(tmp_path):
    assert errors(tmp_path, '{\n"tasks": [\n,', name="a.json") == [
        (3, "", "neither YAML nor JSON: Expecting value")
    ]
    ((line, field, _),) = errors(
        tmp_path, '{"module": "m",\n\t"tasks": [{"id": "a"},\n\t\t{"idd": "b"}]}', name="a.json"
    )
    assert (line, field) == (3, "tasks[1].idd")


def test_a_character_may_be_written_in_halves_in_json(tmp_path):
    text = '{"module": "m", "name": "\\ud83d\\ude00", "tasks": [{"name": "main", "env": {"A": "\\ud83d"}}]}'
    assert errors(tmp_path, text, name="a.json")[0][:2] == (1, "tasks[0].env.A")
    assert checked(tmp_path, text.replace('"\\ud83d"', '"x"'), name="a.json")["name"] == "\U0001f600"


def test_files_that_were_made_to_do_harm_are_refused(tmp_path, monkeypatch):
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert "more than 1,000,000 values" in errors(tmp_path, bomb + "tasks: *i")[0][2]
    assert "neither YAML nor JSON" in errors(tmp_path, "[" * 100_000)[0][2]
    many = errors(tmp_path, "module: m\ntasks:\n" + "- {idd: a}\n" * 500)
    assert len(many) == 100
    # Each alias of a long text is one value.
    wide = f"module: m\ntasks:\n- env: {{A: &x {'y' * 500_000}}}\n" + "- env: {A: *x}\n" * 40
    assert "its check gives more than 16 MiB" in checked(tmp_path, wide, status=400 + 13)["error"]
    assert "text: it has 1,048,577 bytes" in checked(tmp_path, "#" * ((1 << 20) + 1), status=413)["error"]
    monkeypatch.setattr(files, "CHECK", files.CHECK._replace(time_s=0.01))
    assert "its check takes longer than 0.01 s" in checked(tmp_path, FLOW, status=504)["error"]


def test_wrong_requests_are_refused(tmp_path):
    assert 'kind: "task" is unknown' in checked(tmp_path, FLOW, kind="task", status=400)["error"]
    assert "did you mean text?" in checked(tmp_path, FLOW, txt="x", status=400)["error"]


def test_the_client_asks_for_it(tmp_path):
    async def scene():
        async with a_manager(tmp_path) as manager, serving(manager) as http:
            assert (await http.get("/health")).is_success
            with Client(str(http.base_url)) as client:
                found = await asyncio.to_thread(client.check_file, "tasks: 5", name="a.yaml", kind="job")
            assert (found["kind"], [error["field"] for error in found["errors"]]) == ("job", ["tasks"])

    asyncio.run(scene())


def test_the_request_has_no_number_that_a_browser_would_change(tmp_path):
    text = """\
module: m.wasm
tasks:
  - {id: a, name: main, inputs: [9007199254740993, -9007199254740993, 9007199254740991, 0.1]}
  - id: b
    workflow: {tasks: [{id: x, name: main, inputs: [18446744073709551615]}]}
"""
    first, second = checked(tmp_path, text)["request"]["tasks"]
    assert first["inputs"] == ["9007199254740993", "-9007199254740993", 9007199254740991, 0.1]
    assert second["workflow"]["tasks"][0]["inputs"] == ["18446744073709551615"]
