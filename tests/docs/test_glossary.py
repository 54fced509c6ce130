"""docs/glossary.md has each word once, and pages use no word that another one took the place of."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text()
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
#: Older word: the present one.
REPLACED = {
    "mother": "fork server",
    "nursery": "fork server",
    "hub": "local fleet",
    "shelf": "module store",
    "wall": "limit, or sandbox",
    "walls": "limits, or sandbox",
    "*ours*": "extension, or native",
    "quick tests": "fast tests",
}


def test_each_word_stands_once():
    words = [
        word
        for row in re.findall(r"(?m)^\| (\*\*.*?) \|", GLOSSARY)
        for word in re.findall(r"\*\*(.+?)\*\*", row)
    ]
    assert len(words) > 60
    assert [word for word, count in Counter(words).items() if count > 1] == []


def test_no_page_has_an_older_word():
    found = {
        (page.name, old, new)
        for page in PAGES
        for old, new in REPLACED.items()
        if re.search(rf"(?<![\w-]){re.escape(old)}(?![\w-])", page.read_text(), re.IGNORECASE)
    }
    assert not found
