"""Files and folders that a page names are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
#: Pages name files of the product without the way to it.
SOURCE = ROOT / "src" / "propeller"
BASES = [ROOT, SOURCE, SOURCE / "core", SOURCE / "runtime"]
PATH = re.compile(
    r"`((?:[a-z_0-9]+/)+(?:[a-z_0-9]+\.(?:py|md|sql|toml|yaml|wat))?|(?:src|tests|script|docs)/[\w./-]+)`"
)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_is_there(page):
    text = page.read_text()
    named = {name for name in PATH.findall(text) if not any((base / name).exists() for base in BASES)}
    linked = {name for name in LINK.findall(text) if not (page.parent / name).exists()}
    assert not named | linked


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_heading_stands_apart(page):
    """Where a table goes before it, a heading without an empty line is a row of that table."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert re.findall(r"(?<=[^\n])\n(#{1,6} .*)", text) == []


def test_paths_are_found():
    """The pattern above sees the paths of the page that has most of them."""
    assert len(PATH.findall((ROOT / "CONTRIBUTING.md").read_text())) > 40
