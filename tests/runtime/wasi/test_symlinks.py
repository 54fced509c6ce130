"""Symbolic links that guests make: none that leads, or could come to lead, out of what they were given."""

import os
from pathlib import Path

import pytest

from propeller.core.sandbox import Dir, Grants
from propeller.runtime.guest_run import GuestRun
from tests.runtime.directories_helpers import act, here, owner, top
from tests.runtime.helpers import granted, put

__all__ = ["act", "here", "top"]

#: Numbers of errors in WASI preview 1.
BAD_DESCRIPTOR, FAULT, NAME_TOO_LONG = 8, 21, 37
#: The kinds of guest, each on the WASI that is its own if it can make links.
KINDS = pytest.mark.parametrize("act", ["module", "component", "component on ours"], indirect=True)


def links_of(top: Path) -> list[str]:
    return sorted(str(path.relative_to(top)) for path in top.rglob("*") if path.is_symlink())


@pytest.mark.parametrize(
    "target",
    [
        "..",
        "../secret",
        "../../../../../..",
        "sub/..",
        "sub/../file",
        "./../x",
        "/",
        "/etc/passwd",
        "a/../../b",
    ],
)
@KINDS
def test_a_link_that_may_lead_out_can_not_be_made(act, top, target):
    for path in ("/box/link", "/box/sub/deep/link"):
        assert act("symlink", target, path, host=top, allowed=owner(top)) == "Operation not permitted"
    assert links_of(top) == []


@pytest.mark.parametrize(
    "target", ["file", "sub/deep", "./sub//deep/file", "nothing/yet", "..file", "a..b/...", "sub/"]
)
@KINDS
def test_a_link_that_leads_down_can_be_made(act, top, target):
    assert act("symlink", target, "/box/sub/link", host=top, allowed=owner(top)) == " ok"
    assert links_of(top) == ["sub/link"]
    assert os.readlink(top / "sub" / "link") == target  # noqa: PTH115  a Path drops what it finds needless
    assert act("readlink", "/box/sub/link", host=top, allowed=owner(top)) == f"{target} ok"


@KINDS
def test_a_link_is_made_nowhere_but_where_one_may_write(act, top):
    assert act("symlink", "file", "/box/link", host=top, allowed=owner(top), mode="ro") != " ok"
    assert act("symlink", "file", "/box/sub/../../link", host=top, allowed=owner(top)) != " ok"
    assert act("symlink", "file", "/etc/link", host=top, allowed=owner(top)) != " ok"
    assert act("symlink", "x" * 5000, "/box/link", host=top, allowed=owner(top)) != " ok"
    assert act("symlink", "file", "/box/" + "x" * 5000, host=top, allowed=owner(top)) != " ok"
    assert act("symlink", "", "/box/link", host=top, allowed=owner(top)) != " ok"
    assert links_of(top.parent) == []


@KINDS
def test_a_link_that_was_moved_stays_inside(act, top):
    """From the third level to the first: by itself, by another name, and with a directory around it."""
    for step in (
        ("symlink", "file", "/box/sub/deep/link"),
        ("link", "/box/sub/deep/link", "/box/other"),
        ("rename", "/box/sub/deep/link", "/box/link"),
        ("symlink", "file", "/box/sub/deep/link"),
        ("rename", "/box/sub/deep", "/box/deep"),
    ):
        assert act(*step, host=top, allowed=owner(top)) == " ok"
    assert links_of(top) == ["deep/link", "link", "other"]
    assert all(os.path.realpath(top / link).startswith(f"{top}/") for link in links_of(top))


SYMLINK = """(module
  (import "wasi_snapshot_preview1" "path_symlink" (func $make (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "file") (data (i32.const 8) "link")
  (func (export "make") (param i32 i32 i32 i32) (result i32)
    (call $make (local.get 0) (local.get 1) (i32.const 3) (local.get 2) (local.get 3))))"""


@pytest.mark.parametrize("grants", [None, Grants(clock=False), Grants(random=7), Grants()])
def test_without_a_directory_there_is_none_to_make_a_link_in(here, grants):
    made = here.execute(
        GuestRun(1, put(here.directory, SYMLINK), "make", ["0", "4", "8", "4"], grants=grants)
    )
    assert made.results == f"{BAD_DESCRIPTOR}\n"


@pytest.mark.parametrize(
    ("texts", "number"),
    [
        (["0", "4", "8", "4"], 0),
        (["65533", "4", "8", "4"], FAULT),
        (["0", "4", "-1", "4"], FAULT),
        (["0", "4", "8", "-1"], FAULT),
        (["0", "60000", "8", "4"], NAME_TOO_LONG),
    ],
)
def test_texts_that_are_none_are_refused(here, top, texts, number):
    grants = Grants(dirs=(Dir(host=str(top), guest="/box", mode="rw"),))
    made = here.execute(granted(GuestRun(1, put(here.directory, SYMLINK), "make", texts, grants=grants)))
    assert (made.results, links_of(top)) == (f"{number}\n", ["link"] if number == 0 else [])


@pytest.mark.parametrize(("memories", "can_begin"), [(16, True), (17, False)])
def test_a_guest_that_makes_links_has_as_many_memories_as_others(here, top, memories, can_begin):
    """Though the host takes one besides."""
    module = put(here.directory, SYMLINK.replace("(memory ", "(memory 1) " * (memories - 1) + "(memory "))
    arguments = ["0", "4", "8", "4"]
    linking = Grants(dirs=(Dir(host=str(top), guest="/box", mode="rw"),))
    for run in (
        GuestRun(1, module, "make", arguments),
        granted(GuestRun(1, module, "make", arguments, grants=linking)),
    ):
        assert (here.execute(run).error == "") is can_begin
