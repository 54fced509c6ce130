"""House rules that no linter knows, each with its reason."""

import ast
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))
ALL_PYTHON = [*SOURCES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "bench").rglob("*.py"))]
PURE = [
    "core/",
    "wire/",
    "backoff.py",
    "proplet/machine.py",
    "manager/engine.py",
    "manager/inbox.py",
    "api/entrance.py",
]


def test_files_can_be_read_in_one_sitting():
    long = {
        str(path.relative_to(ROOT)): n
        for path in ALL_PYTHON
        if (n := len(path.read_text().splitlines())) > 500
    }
    assert not long, "split these: a file is one room"


def test_functions_fit_on_a_screen():
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= 70
    ]
    assert not long, "split these: one thing each"


def test_each_file_says_what_it_is_for():
    silent = [str(path) for path in SOURCES if not ast.get_docstring(ast.parse(path.read_text()))]
    assert not silent, "a file's docstring says what the room is for"


def test_a_list_of_files_has_all_of_them():
    """The docstring of a folder that says what is in its files leaves none out, and names none that is gone."""
    for path in (path for path in SOURCES if path.name == "__init__.py"):
        text = ast.get_docstring(ast.parse(path.read_text())) or ""
        if not re.search(r"^\w+\.py\b", text, re.MULTILINE):
            continue
        named = {found.name for name in re.findall(r"[\w*]+\.py\b", text) for found in path.parent.glob(name)}
        listed = set(re.findall(r"^(\w+\.py)\b", text, re.MULTILINE))
        there = {file.name for file in path.parent.glob("*.py")} - {"__init__.py"}
        assert (there - named, listed - there) == (set(), set()), path


def test_pure_files_do_not_read_the_clock():
    for path in SOURCES:
        name = str(path.relative_to(ROOT / "src" / "propeller"))
        if any(name.startswith(pure) for pure in PURE):
            found = re.search(r"datetime\.now|uuid4|time_ns|random\.", path.read_text())
            assert found is None, f"{name}: time and chance come in as arguments, or nothing can be replayed"


def test_proplets_are_called_proplets():
    for path in SOURCES:
        words = set(re.findall(r"\bworkers?\b", path.read_text().lower()))
        assert not words, f"{path}: the process that runs Wasm is a proplet, everywhere"


def test_readme_commands_exist():
    readme = (ROOT / "README.md").read_text()
    for script in re.findall(r"\bscript/\w+", readme):
        assert (ROOT / script).stat().st_mode & 0o100, f"README names {script}"
    for target in re.findall(r"\]\(((?!http)[^)]+)\)", readme):
        assert (ROOT / target).exists(), f"README links to {target}"


def test_readme_shows_the_example_file():
    readme = (ROOT / "README.md").read_text()
    example = (ROOT / "examples" / "addition-workflow.yaml").read_text()
    shown = re.search(r"```yaml\n(.*?)```", readme, re.DOTALL)
    assert shown is not None
    assert shown.group(1) == "".join(
        line for line in example.splitlines(keepends=True) if not line.startswith("#")
    )


def test_scripts_are_sound_shell():
    for path in [*(ROOT / "script").iterdir(), ROOT / ".ci" / "run"]:
        subprocess.run(["bash", "-n", str(path)], check=True)
