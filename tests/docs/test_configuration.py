"""docs/configuration.md has a row for each setting, and the row says what the code does."""

import re
from pathlib import Path

import pytest

from propeller.config.definitions import IDENTITY, PROGRAMS

DOCUMENT = (Path(__file__).parent.parent.parent / "docs" / "configuration.md").read_text()


def row(program, setting):
    names = ", ".join(f"`{name}`" for name in program.variables(setting))
    flag = "none" if setting.is_secret else f"`{setting.flag}`"
    if setting.default not in (None, ""):
        default = f"`{str(setting.default).lower()}`"
    else:
        default = setting.computed or ("empty" if setting.default == "" else "")
    cells = (names, f"`{setting.key}`", flag, default, setting.text)
    return f"| {' | '.join(cells)} |"


def chapter(program):
    return DOCUMENT.split(f"\n## `propeller {program.name}`\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_each_setting_has_its_row(program):
    rows = [line for line in chapter(program).splitlines() if line.startswith("| `")]
    wanted = [row(program, setting) for setting in program.settings]
    assert rows == wanted, "write into docs/configuration.md:\n" + "\n".join(wanted)


def test_no_variable_is_made_up():
    known = {
        name for program in PROGRAMS for setting in program.settings for name in program.variables(setting)
    }
    known |= {name for program in PROGRAMS for name in (*program.file_variables, *dict(program.refused))}
    found = set(re.findall(r"`((?:MANAGER|PROPLET|PROXY|JOB)_[A-Z0-9_]+)`", DOCUMENT))
    assert found - {"PROPELLER_MANAGER_URL"} == known


def test_the_older_spellings_are_told():
    aliases = [
        alias for setting in PROGRAMS[0].settings if setting.key in IDENTITY for alias in setting.aliases
    ]
    assert aliases
    for alias in aliases:
        assert f"`{alias}`" in DOCUMENT
