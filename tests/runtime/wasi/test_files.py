"""Files of components that have to do with HTTP: as the engine has them for the others, and never outside."""

import os
from pathlib import Path

import pytest

from propeller.core.sandbox import Dir, Grants
from propeller.runtime.component.interface import ComponentInterface
from propeller.runtime.guest_run import GuestRun
from tests.guests.helpers import guest
from tests.runtime.helpers import Here, granted, put

LINKS = {
    "link": "file",
    "down": "sub",
    "around": "sub/../file",
    "loop": "loop",
    "dangling": "nothing",
    "out": "../secret",
    "sub/out-and-in": "../../box/file",
    "sub/up": "..",
    "sub/deep/far": "../../../secret",
    "root": "/",
    "magic": "/proc/self/root",
}


def lay_out(top: Path) -> None:
    """What each guest finds, and a secret beside it."""
    (top / "box" / "sub" / "deep").mkdir(parents=True)
    (top / "secret").write_text("nobody may know this")
    (top / "box" / "file").write_text("hello there")
    (top / "box" / "sub" / "other").write_text("other")
    for name, target in LINKS.items():
        (top / "box" / name).symlink_to(target)
    (top / "box" / "absolute").symlink_to(top / "secret")
    os.mkfifo(top / "box" / "pipe")


def tree(top: Path) -> dict[str, str]:
    """What is there afterwards: names, and what is in them."""
    found = {}
    for path in sorted(top.rglob("*")):
        is_text = path.is_file() and not path.is_symlink()
        found[str(path.relative_to(top))] = (
            path.read_text() if is_text else "" if path.is_dir() else "special"
        )
    return found


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return Here(tmp_path_factory.mktemp("here"))


@pytest.fixture
def both(here, tmp_path, monkeypatch):
    """Run an act on the engine's WASI and on ours, each in a place of its own; give what either came to."""

    def run(*args: str, mode: str = "rw") -> list[tuple[str, str, dict[str, str]]]:
        came_to = []
        for name in ("engine", "ours"):
            top = tmp_path / name
            if not top.exists():
                lay_out(top)
            monkeypatch.setattr(ComponentInterface, "imports_http", name == "ours")
            monkeypatch.setattr(ComponentInterface, "imports_links", False)
            grants = Grants(dirs=(Dir(host=str(top / "box"), guest="/box", mode=mode),))
            digest = put(here.directory, guest("directories_component"))
            ended = here.execute(granted(GuestRun(1, digest, "_start", list(args), grants=grants)))
            monkeypatch.undo()
            came_to.append((ended.results, ended.error, tree(top)))
        return came_to

    return run


def place(path: str) -> str:
    return f"/box/{path}"


SAME = """
read file; read sub/other; read link; read around; read down/other; read sub/up/file; read sub/deep/../other
read ./file; read sub//other; read sub/./other; read file/; read file/x; read nothing; read nothing/x; read .
read loop; read dangling; nofollow file; nofollow link; truncate-reading file
read out; read ../secret; read sub/../../secret; read sub/deep/far; read sub/out-and-in; read absolute
read root/etc/passwd; read magic/etc/passwd; read sub/deep/../../../secret; read down/../../secret
write new text; write file short; write out text; write absolute text; write dangling text; write sub/new text
write ../escaped text; write sub text; write nothing/new text; exclusive new text; exclusive file text
exclusive link text; exclusive dangling text; append file more; append new more; append-and-read file more; append-and-read new more
at file XY; at nothing XY
size file 3; size file 100; size sub 3
stat file; stat sub; stat link; stat down; stat dangling; stat out; stat .; stat ..; stat pipe; stat nothing; stat loop
lstat link; lstat out; lstat dangling; lstat absolute; lstat file/; lstat link/
list .; list sub; list down; list file; list ..; list root; list out
mkdir made; mkdir made/; mkdir sub; mkdir nothing/made; mkdir ../made; mkdir dangling; mkdir root/tmp/made
rmdir sub/deep; rmdir sub; rmdir file; rmdir down; rmdir ..; rmdir nothing
unlink file; unlink link; unlink out; unlink sub; unlink nothing; unlink ../secret; unlink pipe; unlink root/etc/passwd
rename file moved; rename sub moved; rename file sub/other; rename sub file; rename file ../moved; rename ../secret in
rename out moved; rename nothing moved; rename link file; rename file nothing/x; rename sub sub/deep/x
link file second; link file sub/other; link link second; link ../secret second; link file ../second; link sub second
link nothing second; link out second
symlink file another; symlink /etc/passwd another; symlink file link; symlink nothing sub/x
readlink link; readlink out; readlink absolute; readlink file; readlink nothing; readlink sub/up
dates file; dates link; dates nothing; dates sub; dates out
same file link; same file sub/other; same sub down
"""
ACTS = [act.split() for line in SAME.strip().splitlines() for act in line.split(";")]


def paths_of(act: list[str]) -> list[str]:
    verb, first, *rest = act
    if verb == "symlink":
        return [verb, first, *map(place, rest)]
    if verb in ("rename", "link", "same"):
        return [verb, place(first), *map(place, rest)]
    return [verb, place(first), *rest]


@pytest.fixture
def ours(here, tmp_path, monkeypatch):
    """Run an act on our WASI, and give what it printed."""
    lay_out(tmp_path)
    monkeypatch.setattr(ComponentInterface, "imports_http", True)

    def run(*args: str) -> str:
        grants = Grants(dirs=(Dir(host=str(tmp_path / "box"), guest="/box", mode="rw"),))
        digest = put(here.directory, guest("directories_component"))
        return here.execute(granted(GuestRun(1, digest, "_start", list(args), grants=grants))).results

    return run


def test_pipes_and_devices_are_not_even_opened(ours):
    """The engine would wait for somebody at the other end of the pipe."""
    assert ours("read", "/box/pipe") == "Not supported"


@pytest.mark.parametrize("act", ["read file", "append file more", "at file XY", "list .", "rename sub moved"])
def test_nothing_is_left_open(ours, act):
    ours("stat", "/box")  # the first call of all maps the compiled code
    before = set(Path("/proc/self/fd").iterdir())
    assert ours(*paths_of(act.split())).endswith("ok")
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_what_a_guest_keeps_open_is_bounded_and_closed_after_it(ours):
    before = set(Path("/proc/self/fd").iterdir())
    assert ours("hold", "/box/file") == "not for ever"
    assert set(Path("/proc/self/fd").iterdir()) == before


@pytest.mark.parametrize("mode", ["rw", "ro"])
@pytest.mark.parametrize("act", ACTS, ids=" ".join)
def test_it_is_as_with_the_engine(both, act, mode):
    engine, ours = both(*paths_of(act), mode=mode)
    assert ours == engine
    results, _, left = ours
    assert "nobody" not in results
    assert left["secret"] == "nobody may know this"
    assert sorted(name for name in left if "/" not in name) == ["box", "secret"]
