"""Files with workflows and jobs in them: what they become, and what is said about wrong ones."""

import base64
import json
from pathlib import Path

import pytest
import wasmtime

from propeller.cli import runfile
from propeller.cli.modules import default_export
from propeller.cli.runfile import read_run_file
from propeller.errors import Invalid

ADD = '(module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))'
NOP = '(module (func (export "main")))'


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "add.wat").write_text(ADD)
    (tmp_path / "nop.wasm").write_bytes(wasmtime.wat2wasm(NOP))
    return tmp_path


def read(folder, content, module=None):
    path = folder / "flow.yaml"
    path.write_text(content)
    return read_run_file(path, module)


def complaint(folder, content):
    with pytest.raises(Invalid) as refused:
        read(folder, content)
    return str(refused.value).removeprefix(f"{folder}/")


def test_ids_are_local_to_a_run(folder):
    content = "module: nop.wasm\ntasks: [{id: a}, {id: b, depends_on: [a]}, {}]"
    first, second = read(folder, content), read(folder, content)
    a, b, third = (task["id"] for task in first.tasks)
    assert [id_.rpartition("-")[0] for id_ in (a, b, third)] == ["a", "b", "task-3"]
    assert not {a, b, third} & {task["id"] for task in second.tasks}
    assert first.tasks[1]["depends_on"] == [a]
    assert first.name == "flow", "the file's name where it has none"


def test_conditions_name_the_tasks_of_the_run(folder):
    content = """
module: nop.wasm
tasks:
  - id: a
  - id: b
    depends_on: [a]
    run_if: "results['a'] == 'a' && states.a == 'completed'"
  - {id: c, depends_on: [a], run_if: all_done}
"""
    plan = read(folder, content)
    a = plan.tasks[0]["id"]
    assert plan.tasks[1]["run_if"] == f"results[\"{a}\"] == 'a' && states[\"{a}\"] == 'completed'"
    assert plan.tasks[2]["run_if"] == "all_done"


@pytest.mark.parametrize(
    ("run_if", "said"),
    [
        ("sucess", '"sucess" is unknown; did you mean success?'),
        ("results.a ==", "it ends too early"),
        ("results.c == 1", "at character 8: c is no parent; add it to depends_on"),
    ],
)
def test_complaints_about_conditions(folder, run_if, said):
    tasks = f"[{{id: a}}, {{id: b, depends_on: [a], run_if: '{run_if}'}}, {{id: c}}]"
    assert complaint(folder, f"module: nop.wasm\ntasks: {tasks}").startswith("flow.yaml:2:")
    assert said in complaint(folder, f"module: nop.wasm\ntasks: {tasks}")


def test_modules_are_found_beside_the_file_and_sent_inline(folder):
    plan = read(
        folder,
        "name: n\nmodule: add.wat\nexecution_mode: parallel\n"
        "tasks: [{}, {name: other}, {module: nop.wasm, inputs: [1, x, 2.5]}, {module: nop.wasm}]",
    )
    assert [task["name"] for task in plan.tasks] == ["add", "other", "main", "main"]
    files = [base64.b64decode(task["file"]) for task in plan.tasks]
    assert files[0] == files[1] == wasmtime.wat2wasm(ADD)
    assert files[2] == files[3] == wasmtime.wat2wasm(NOP)
    assert plan.tasks[2]["inputs"] == [1, "x", 2.5]
    assert all("module" not in task for task in plan.tasks)
    assert (plan.name, plan.execution_mode, plan.uploads) == ("n", "parallel", {})


def test_modules_too_large_for_one_request_are_uploaded_one_by_one(folder, monkeypatch):
    monkeypatch.setattr(runfile, "INLINE_CHARS_MAX", 100)
    plan = read(folder, "module: add.wat\ntasks: [{}, {}, {}]")
    assert plan.uploads == dict.fromkeys((task["id"] for task in plan.tasks), bytes(wasmtime.wat2wasm(ADD)))
    assert all("file" not in task for task in plan.tasks)


def test_a_given_module_goes_before_the_one_at_the_top(folder):
    plan = read(folder, "module: nop.wasm\ntasks: [{}, {module: nop.wasm}]", folder / "add.wat")
    assert [task["name"] for task in plan.tasks] == ["add", "main"]


def test_a_workflow_inside_of_a_task_is_written_like_one(folder):
    content = """
module: nop.wasm
tasks:
  - {id: a}
  - id: b
    depends_on: [a]
    retry: {max_attempts: 2}
    workflow:
      timeout: 5m
      module: add.wat
      tasks:
        - {id: a, inputs: [1, 2]}
        - {depends_on: [a], inputs: [{from: a}, 3], run_if: "results.a == '3'"}
        - {id: deep, workflow: {tasks: [{id: a, module: nop.wasm}]}}
  - {id: c, workflow: {id: w}}
"""
    plan = read(folder, content)
    a, b, c = plan.tasks
    inner = b["workflow"]
    assert (b["depends_on"], b["retry"], inner["timeout"]) == ([a["id"]], {"max_attempts": 2}, "5m")
    first, second, deep = inner["tasks"]
    assert [task["id"] for task in inner["tasks"]] == ["a", "task-2", "deep"]
    assert (first["name"], first["inputs"], second["depends_on"]) == ("add", [1, 2], ["a"])
    assert (second["inputs"], second["run_if"]) == ([{"from": "a"}, 3], "results[\"a\"] == '3'")
    nop = base64.b64encode((folder / "nop.wasm").read_bytes()).decode()
    assert (a["file"], deep["workflow"]["tasks"][0]["file"]) == (nop, nop)
    assert base64.b64decode(first["file"]) == bytes(wasmtime.wat2wasm(ADD))
    assert (b["name"], deep["name"]) == ("b", "deep")
    assert not {"module", "file"} & {*b, *inner, *deep}
    assert (c["workflow"], plan.uploads) == ({"id": "w"}, {})


def test_modules_inside_of_tasks_always_come_along(folder, monkeypatch):
    content = "module: nop.wasm\ntasks: [{id: a}, {id: b, workflow: {tasks: [{id: x}]}}]"
    size = len(base64.b64encode((folder / "nop.wasm").read_bytes()))
    monkeypatch.setattr(runfile, "INLINE_CHARS_MAX", size)
    plan = read(folder, content)
    assert ("file" in plan.tasks[0], list(plan.uploads)) == (False, [plan.tasks[0]["id"]])
    assert "file" in plan.tasks[1]["workflow"]["tasks"][0]
    monkeypatch.setattr(runfile, "INLINE_CHARS_MAX", size - 1)
    assert "too large to be sent together" in complaint(folder, content)


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("{workflow: {}}", "tasks[0].workflow.tasks: a list with at least one task is needed"),
        ("{workflow: {tasks: [{id: x}]}}", "tasks[0].workflow.tasks[0].module: name a .wasm or .wat file"),
        ("{module: nop.wasm, workflow: {tasks: [{}]}}", "tasks[0].module: the task runs a workflow"),
        ("{workflow: {schedule: x}}", "tasks[0].workflow.schedule: there is no such field"),
        (
            "{workflow: {module: nop.wasm, tasks: [{depends_on: [b]}]}}",
            "tasks[0].workflow.tasks[0].depends_on: there is no task b in this workflow",
        ),
        (
            "{workflow: {module: nop.wasm, tasks: [{inptus: [1]}]}}",
            "tasks[0].workflow.tasks[0].inptus: there is no such field; did you mean inputs?",
        ),
    ],
)
def test_complaints_inside_of_tasks(folder, task, said):
    assert said in complaint(folder, f"tasks: [{task}]")


def test_json_is_read_too_and_dates_are_text(folder):
    path = folder / "flow.json"
    path.write_text(json.dumps({"tasks": [{"module": "nop.wasm", "inputs": ["\u2028\U0001f600"]}]}))
    assert read_run_file(path).tasks[0]["inputs"] == ["\u2028\U0001f600"]
    path.write_text('{"tasks": [{"module": "nop.wasm", "inputs": ["\\ud800"]}]}')
    with pytest.raises(Invalid, match=r"tasks\[0\].inputs\[0\]: half of a pair of surr"):
        read_run_file(path)
    assert read(folder, "tasks: [{module: nop.wasm, inputs: [2024-01-01]}]").tasks[0]["inputs"] == [
        "2024-01-01"
    ]


def test_an_image_needs_no_module(folder):
    plan = read(folder, "tasks: [{name: main, image_url: example.org/a:1}]")
    assert plan.tasks[0]["image_url"] == "example.org/a:1"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "flow.yaml: it has to be object, not null"),
        ('module: "\\ud800.wasm"\ntasks: [{}]', "flow.yaml:1:1: module: half of a pair of surrogates"),
        ("[]", "flow.yaml:1:1: it has to be object, not list"),
        (
            "a: [",
            "flow.yaml:1:5: neither YAML nor JSON: while parsing a flow node, expected the node content",
        ),
        ("tasks: 5", "flow.yaml:1:1: tasks: it has to be list, not number"),
        ("tasks: [5]", "flow.yaml:1:9: tasks[0]: it has to be object, not number"),
        ("tasks: []", "flow.yaml:1:1: tasks: a list with at least one task is needed"),
        ("name: n\ntask: []", "flow.yaml:2:1: task: there is no such field"),
        ("tasks: [{id: 1}]", "flow.yaml:1:10: tasks[0].id: it has to be text, not number: put it in quotes"),
        ("tasks: [{id: a/b}]", "flow.yaml:1:10: tasks[0].id: it has to be 1 to 200 characters, without /"),
        ("tasks: [{inputs: 5}]", "flow.yaml:1:10: tasks[0].inputs: it has to be list, not number"),
        (
            "tasks: [{}, {inputs: [1, yes]}]",
            "flow.yaml:1:26: tasks[1].inputs[1]: it has to be text or a number; write other values as the text",
        ),
        (
            "tasks: [{inputs: [[1]]}]",
            "flow.yaml:1:19: tasks[0].inputs[0]: it has to be text or a number; write",
        ),
        (
            "tasks: [{inputs: [{a: 1}]}]",
            "flow.yaml:1:19: tasks[0].inputs[0]: it has to be text or a number; write",
        ),
        (
            "tasks: [{env: {A: 1}}]",
            "flow.yaml:1:10: tasks[0].env: it has to be text or object, not number: put it in quotes",
        ),
        ("tasks: [{modul: x}]", "flow.yaml:1:10: tasks[0].modul: there is no such field"),
        ("tasks: [{module: gone.wasm}]", "flow.yaml:1:10: tasks[0].module: "),
        ("tasks: [{name: main}]", "flow.yaml:1:9: tasks[0].module: name a .wasm or .wat file here"),
        ("tasks: [{id: a}, {id: a}]", "flow.yaml:1:19: tasks[1].id: a is the id of an earlier task too"),
        (
            "tasks: [{depends_on: [x]}]",
            "flow.yaml:1:10: tasks[0].depends_on: there is no task x in this file",
        ),
        ("tasks: [{id: a, depends_on: [a]}]", "task a depends on itself"),
        (
            "tasks: [{id: a, depends_on: [b]}, {id: b, depends_on: [a]}]",
            "flow.yaml:1:17: tasks[0].depends_on: DAG validation failed: circular dependency detected: cycle",
        ),
        ("tasks: [{job_id: x}]", "flow.yaml:1:9: tasks[0]: workflow_id and job_id are made by the manager"),
        (
            "module: nop.wasm\ntasks: [{inputs: [.inf]}]",
            "flow.yaml:2:9: tasks[0]: a value of it can't be sent",
        ),
        ("module: nop.wasm\ntasks: [{metadata: {a: !!binary aGk=}}]", "a value of it can't be sent"),
    ],
)
def test_complaints_name_file_task_and_field(folder, content, said):
    assert said in complaint(folder, content)


@pytest.mark.parametrize(
    "text", ["22:22", "12:30:00", "010", "0x10", "1_000", "+5", "1:30.5", "0b11", "0o17", "5."]
)
def test_what_json_takes_for_no_number_is_text(folder, text):
    plan = read(folder, f"tasks: [{{module: nop.wasm, inputs: [{text}], env: {{A: {text}}}}}]")
    assert plan.tasks[0]["inputs"] == [text]
    assert plan.tasks[0]["env"] == {"A": text}


@pytest.mark.parametrize(
    ("text", "number"), [("-7", -7), ("0", 0), ("2.5", 2.5), ("1e3", 1000.0), ("-0.5E-1", -0.05)]
)
def test_numbers_are_those_of_json(folder, text, number):
    assert read(folder, f"tasks: [{{module: nop.wasm, inputs: [{text}]}}]").tasks[0]["inputs"] == [number]


def test_aliases_do_not_stand_for_more_than_can_be_sent(folder):
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert "with its aliases it stands for more than 1,000,000 values" in complaint(
        folder, bomb + "tasks: *i"
    )
    assert "1,000,000" in complaint(folder, "tasks: &a [*a]")
    plan = read(folder, "module: nop.wasm\ntasks: [{inputs: &a [1, 2]}, {inputs: *a}]")
    assert [task["inputs"] for task in plan.tasks] == [[1, 2], [1, 2]]


def test_a_device_is_neither_a_module_nor_a_file_with_tasks(folder):
    assert "/dev/zero: this is no WebAssembly" in complaint(folder, "tasks: [{module: /dev/zero}]")
    with pytest.raises(Invalid, match=r"/dev/zero: it is larger than the 128 MiB"):
        read_run_file(Path("/dev/zero"))
    assert "tasks[0].stdin_file: /dev/zero: it is larger than the 32 MiB" in complaint(
        folder, "module: nop.wasm\ntasks: [{stdin_file: /dev/zero}]"
    )
    (folder / "endless.wat").symlink_to("/dev/zero")
    assert "endless.wat: it is larger than the 256 MiB" in complaint(folder, "tasks: [{module: endless.wat}]")


def test_an_error_in_a_text_module_names_its_file(folder):
    (folder / "wrong.wat").write_text("(module\n  (fun))")
    said = complaint(folder, "tasks: [{module: wrong.wat}]")
    assert f"{folder}/wrong.wat:2:4" in said
    assert "anon" not in said


DEEP = """\
# a comment
module: nop.wasm
tasks:
  - id: a
    limits: &small
      memory: 1MiB
      fuel: true
  - id: b
    limits: *small
"""


def test_complaints_name_line_and_column(folder):
    assert complaint(folder, DEEP).startswith("flow.yaml:7:7: tasks[0].limits.fuel: it has to be number, not")
    assert complaint(folder, DEEP.replace("true", "5\n    run_iff: x")).startswith(
        "flow.yaml:8:5: tasks[0].run_iff: there is no such field"
    )
    assert complaint(folder, DEEP.replace("true", "5") + "  - depends_on: [a, c]\n").startswith(
        "flow.yaml:10:5: tasks[2].depends_on: there is no task c"
    )


def test_complaints_name_line_and_column_in_json_too(folder):
    path = folder / "flow.json"
    for content, said in (
        (
            '{\n\t"tasks": [\n\t\t{"name": "\\ud83d\\ude00", "id": 5}]}',
            ":3:28: tasks[0].id: it has to be text",
        ),
        ("[" * 700 + "]" * 700, ": it has to be object, not list"),
    ):
        path.write_text(content)
        with pytest.raises(Invalid) as refused:
            read_run_file(path)
        assert str(refused.value).startswith(f"{path}{said}")


def test_a_file_that_can_not_be_read(folder):
    with pytest.raises(Invalid, match=r"gone\.yaml: can't be read: No such file"):
        read_run_file(folder / "gone.yaml")
    (folder / "flow.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(Invalid, match="neither YAML nor JSON"):
        read_run_file(folder / "flow.yaml")


@pytest.mark.parametrize(
    ("exports", "chosen"),
    [
        (["main", "_start", "x"], "_start"),
        (["x", "main"], "main"),
        (["x"], "x"),
    ],
)
def test_the_function_to_run(exports, chosen):
    functions = "".join(f'(func (export "{name}"))' for name in exports)
    assert default_export(wasmtime.wat2wasm(f'(module {functions} (memory (export "m") 1))'), "it") == chosen


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('(module (func (export "a")) (func (export "b")))', r"it: which of .* is to run \(a, b\)"),
        ('(module (memory (export "m") 1))', r"which of .* is to run \(none\)"),
        (
            '(module (import "gojs" "f" (func)) (func (export "a")) (func (export "b")))',
            r"it: it can't run here: it imports f from gojs, which is not offered",
        ),
    ],
)
def test_no_function_stands_out(text, said):
    with pytest.raises(Invalid, match=said):
        default_export(wasmtime.wat2wasm(text), "it")


def test_types_without_a_name_do_not_end_the_program():
    odd = '(module (type $s (struct)) (func (export "f") (param v128 (ref null $s))))'
    assert default_export(wasmtime.wat2wasm(odd), "it") == "f"
    with pytest.raises(Invalid, match=r"^it: "):
        default_export(b"\0asm\1\0\0\0\xff", "it")


def test_names_of_fields_are_texts_whatever_yaml_sees_in_them(folder):
    tasks = "[{id: a, retry: {on: [trap]}, env: {on: x, 1: y, null: z, 1.5: w, yes: v}}]"
    (folder / "flow.yaml").write_text(f"module: nop.wasm\ntasks: {tasks}")
    (task,) = read_run_file(folder / "flow.yaml").tasks
    assert task["retry"] == {"on": ["trap"]}
    assert task["env"] == {"on": "x", "1": "y", "null": "z", "1.5": "w", "yes": "v"}
