"""Directories of a guest: below what the owner allows, wherever links lead and whatever changes meanwhile."""

import gc
from collections import Counter
from pathlib import Path

import pytest

from propeller.runtime.guest_run import GuestRun
from tests.guests.helpers import guest
from tests.runtime.directories_helpers import act, here, owner, top
from tests.runtime.helpers import put, swapping

__all__ = ["act", "here", "top"]


# -- what is granted ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("link", "target", "wanted"),
    [
        ("up", "../secret", "up"),
        ("up", "../../../../../../../..", "up"),
        ("up", "..", "up/secret"),
        ("sub/up", "../../secret", "sub/up"),
        ("sub/round", "../../allowed/sub", "sub/round/deep"),
        ("root", "/", "root"),
        ("root", "/", "root/etc"),
        ("magic", "/proc/self/root", "magic"),
        ("two", "sub/../..", "two/secret"),
    ],
)
def test_a_grant_that_leads_out_is_refused(act, top, link, target, wanted):
    (top / link).symlink_to(target)
    said = act("list", "/box", host=top / wanted, allowed=owner(top))
    assert said == f"grants.dirs: {top / wanted} leads out of {top}"


def test_what_only_looks_like_a_link_is_never_followed(act):
    for path in ("root", "cwd", "self/root", "thread-self/cwd"):
        proc = Path("/proc/self") if "/" not in path else Path("/proc")
        said = act("list", "/box", host=proc / path, allowed=owner(proc), mode="ro")
        assert said == f"grants.dirs: {proc / path} leads out of {proc}"


def test_a_link_that_stays_inside_may_be_named(act, top):
    (top / "current").symlink_to("sub")
    (top / "sub" / "over").symlink_to("../sub/deep")
    for path in ("sub", "sub/deep"):
        (top / path / "file").write_text(path)
    assert act("read", "/box/file", host=top / "current", allowed=owner(top)) == "sub ok"
    assert act("read", "/box/file", host=top / "current/over", allowed=owner(top)) == "sub/deep ok"


def test_the_owner_may_name_a_link(act, top, tmp_path):
    (tmp_path / "named").symlink_to(top)
    (top / "sub" / "file").write_text("inside")
    named = tmp_path / "named"
    assert act("read", "/box/file", host=named / "sub", allowed=owner(named)) == "inside ok"


def test_what_the_owner_does_not_allow_is_not_opened(act, top):
    said = act("list", "/box", host=top.parent / "secret", allowed=owner(top))
    assert said == f"grants.dirs: {top.parent / 'secret'} is not allowed to be written to on this proplet"
    said = act("list", "/box", host=top, allowed=owner(top, mode="ro"))
    assert said == f"grants.dirs: {top} is not allowed to be written to on this proplet"


def test_a_directory_inside_of_one_that_guests_write_to_is_what_they_made_of_it(act, top):
    """The owner allows it by itself as well; another guest has put a link in its place."""
    allowed = owner(top / "models", mode="ro") + owner(top)
    (top / "models").symlink_to("../secret")
    for mode in ("ro", "rw"):
        said = act("list", "/box", host=top / "models", allowed=allowed, mode=mode)
        assert said == f"grants.dirs: {top / 'models'} leads out of {top}"


def test_one_may_not_write_where_one_may_read_by_way_of_where_one_may_write(act, top):
    (top / "sub" / "up").symlink_to("..")
    allowed = owner(top, mode="ro") + owner(top / "sub")
    said = act("write", "/box/new", "x", host=top / "sub" / "up", allowed=allowed)
    assert said == f"grants.dirs: {top / 'sub/up'} leads out of {top / 'sub'}"
    assert act("list", "/box", host=top / "sub" / "up", allowed=allowed, mode="ro") == "1 entries ok"


@pytest.mark.parametrize("path", ["nothing", "file", "sub/nothing/deep", "na\0me", "na\udcffme"])
def test_what_can_not_be_opened_is_named(act, top, path):
    (top / "file").write_text("")
    said = act("list", "/box", host=top / path, allowed=owner(top))
    assert said.startswith(f"grants.dirs: {top / path} can't be opened on this proplet: ")


def test_directories_on_the_way_need_not_be_readable(act, top):
    """As everywhere else; only the last one is read. (The administrator's tests see no difference.)"""
    top.chmod(0o111)
    (top / "sub").chmod(0o111)
    try:
        assert act("list", "/box", host=top / "sub" / "deep", allowed=owner(top)) == "1 entries ok"
    finally:
        (top / "sub").chmod(0o755)
        top.chmod(0o755)


def test_nothing_is_left_open(act, top):
    def run():
        act("list", "/box", host=top, allowed=owner(top))
        act("list", "/box", host=top / "nothing", allowed=owner(top))

    def are_open():
        gc.collect()  # what other tests have left may go at any moment
        return set(Path("/proc/self/fd").iterdir())

    run()  # the first call of all maps the compiled code
    before = are_open()
    run()
    assert are_open() == before


def test_without_proc_it_is_said_what_is_missing(here, top, monkeypatch):
    """As in a chroot; the engine takes streams and directories by their paths there."""
    monkeypatch.setattr(here.workspace.streams, "stdout_path", str(top / "nothing" / "1"))
    ended = here.execute(GuestRun(1, put(here.directory, guest("hello")), "_start"))
    assert ended.error == "failed to set stdout file: /proc has to be mounted where this proplet runs"
    assert ended.is_refused


# -- while it changes --------------------------------------------------------------------------------------


def test_a_grant_that_becomes_a_link_meanwhile_leads_nowhere(act, top):
    """Another guest swaps a directory on the way for a link, over and over."""
    (top / "link").symlink_to("../secret")
    (top / "sub" / "file").write_text("inside")
    (top.parent / "secret" / "file").write_text("outside")
    refused = f"grants.dirs: {top / 'sub'} leads out of {top}"
    seen = Counter[str]()
    with swapping(top / "sub", top / "link"):
        while min(seen["inside ok"], seen[refused]) < 50:
            seen[act("read", "/box/file", host=top / "sub", allowed=owner(top))] += 1
    assert not any("outside" in said for said in seen)


def test_what_a_guest_walks_through_meanwhile_leads_nowhere(act, top):
    (top / "link").symlink_to("../secret")
    (top / "sub" / "file").write_text("inside")
    (top.parent / "secret" / "file").write_text("outside")
    seen = Counter[str]()
    with swapping(top / "sub", top / "link"):
        while min(seen["inside ok"], seen["Operation not permitted"]) < 50:
            seen[act("read", "/box/sub/file", host=top, allowed=owner(top))] += 1
            act("write", "/box/sub/written", "x", host=top, allowed=owner(top))
    assert not any("outside" in said for said in seen)
    assert [path.name for path in (top.parent / "secret").iterdir()] == ["file"]
