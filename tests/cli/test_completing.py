"""How a shell completes commands, flags, ids and names."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("name", "where", "words"),
    [
        ("bash", ".bash_completions/propeller.sh", {"COMP_WORDS": "propeller work", "COMP_CWORD": "1"}),
        ("zsh", ".zfunc/_propeller", {"_TYPER_COMPLETE_ARGS": "propeller work"}),
        (
            "fish",
            ".config/fish/completions/propeller.fish",
            {"_TYPER_COMPLETE_ARGS": "propeller work", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
        ),
    ],
)
def test_a_shell_completes_commands(shell, tmp_path, monkeypatch, name, where, words):
    script = shell("completion", name).stdout
    monkeypatch.setitem(shell.env, "HOME", str(tmp_path))
    assert (
        shell("completion", name, "--install").stdout
        == f"installed in {tmp_path / where}; a new {name} has it\n"
    )
    assert (tmp_path / where).read_text().strip() == script.strip()
    for variable, value in {"_PROPELLER_COMPLETE": f"complete_{name}", **words}.items():
        monkeypatch.setitem(shell.env, variable, value)
    assert "workflows" in shell().stdout


def test_a_real_bash_completes_flags_too(shell, tmp_path):
    (tmp_path / "script").write_text(shell("completion", "bash").stdout)
    line = (
        "source ./script; COMP_WORDS=(propeller tasks list --st); COMP_CWORD=3; _propeller_completion propeller; "
        'echo "${COMPREPLY[@]}"'
    )
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=tmp_path,
        env={**shell.env, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "--state\n", done.stderr


def completed(shell, monkeypatch, name, line):
    """Give what a shell is told that may stand at the end of a line."""
    words = {
        "bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(f"{line}|".split()) - 1)},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[name]
    for variable, value in {"_PROPELLER_COMPLETE": f"complete_{name}", **words}.items():
        monkeypatch.setitem(shell.env, variable, value)
    done = shell()
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_a_shell_completes_ids_and_names_of_what_the_manager_has(shell, monkeypatch, name):
    tasks = [{"id": f"typed-{name}-{n}", "name": "f", "workflow_id": f"typed-flow-{name}"} for n in range(2)]
    shell.system.call("POST", "/workflows", {"name": f"typed name {name}", "tasks": tasks})
    job = {"name": f"typed-job-{name}", "tasks": [{"id": f"typed two {name}", "name": "f"}]}
    shell.system.call("POST", "/jobs", job)
    (proplet,) = shell.system.call("GET", "/proplets")["proplets"]
    for line, expected in {
        f"propeller tasks view typed-{name}": [f"typed-{name}-0", f"typed-{name}-1"],
        f"propeller tasks delete typed-{name}-0 typed-{name}-1": [f"typed-{name}-1"],
        f"propeller workflows watch typed-flow-{name}": [f"typed-flow-{name}"],
        f"propeller jobs view typed-job-{name[:2]}": [f"typed-job-{name}"],
        f"propeller tasks list --workflow typed-flow-{name[:2]}": [f"typed-flow-{name}"],
        f"propeller proplets view {proplet['name'][:4]}": [proplet["name"]],
        f"propeller tasks create f --proplet-id {proplet['id'][:4]}": [proplet["id"]],
    }.items():
        shown = completed(shell, monkeypatch, name, line)
        assert all(word in shown for word in expected), (line, shown)
        if name != "zsh":
            assert sorted(shown.split("\n")[: len(expected)]) == expected, "a word with a space is left out"


def test_there_is_nothing_to_complete_where_nothing_answers(shell, monkeypatch):
    line = "propeller -m http://127.0.0.1:9 tasks view typ"
    assert completed(shell, monkeypatch, "bash", line) == "\n"
    monkeypatch.setitem(shell.env, "PROPELLER_MANAGER_URL", "ftp://nowhere")
    assert completed(shell, monkeypatch, "bash", "propeller jobs view typ") == "\n"
