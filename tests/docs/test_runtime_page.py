"""What ``docs/runtime.md`` says of the sandbox: each limit is tried by a test, and each setting exists."""

import re
from pathlib import Path

from propeller.config.definitions import PROPLET
from propeller.core.sandbox import Grants, Limits

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "runtime.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.partition("## The sandbox")[2].partition("\nA task without")[0].splitlines()
    if line.startswith("| ") and not line.startswith("| limit ")
]


def test_every_limit_has_a_test_that_goes_beyond_it():
    tests = "".join(path.read_text() for path in (ROOT / "tests" / "runtime").rglob("test_*.py"))
    for row in ROWS:
        name = row[-1].strip("`")
        assert name == "\N{EN DASH}" or f"def {name}(" in tests, f"no test {name}"


def test_every_setting_of_the_page_exists():
    known = {name for setting in PROPLET.settings for name in PROPLET.variables(setting)}
    for name in re.findall(r"`(PROPLET_\w+)`", PAGE):
        assert name in known, name


def test_every_field_of_a_task_s_sandbox_is_on_the_page():
    fields = " ".join(row[2] for row in ROWS)
    for name in Limits.__struct_fields__:
        assert f"limits.{name}" in fields
    for name in Grants.__struct_fields__:
        assert f"grants.{name}" in fields
    assert "timeout" in fields
