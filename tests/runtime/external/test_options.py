"""Options that a task gives to an external runtime: none leads to a file that it may not have."""

import os
from collections import Counter
from pathlib import Path

import pytest

from propeller.core.sandbox import Dir
from propeller.errors import Invalid
from propeller.runtime.external.options import held
from tests.guests.helpers import guest
from tests.runtime.external.helpers import play
from tests.runtime.helpers import ADD, swapping


@pytest.fixture
def top(tmp_path):
    """A directory that is allowed, and a secret beside it."""
    for name in ("allowed/sub", "secret"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_text(f"in {name}")
    return tmp_path / "allowed"


def owner(path, mode="rw"):
    return (Dir(host=str(path), guest=str(path), mode=mode),)


def descriptors():
    return set(Path("/proc/self/fd").iterdir())


def refused(cli_args, allowed=()):
    opened = []
    with pytest.raises(Invalid) as error:
        held(cli_args, allowed, opened)
    for descriptor in opened:
        os.close(descriptor)
    return str(error.value)


@pytest.mark.parametrize(
    "cli_args",
    [
        ["--invoke", "f"],
        ["--argv0=x", "--env", "A=B", "--env=C"],
        ["-S", "nn"],
        ["-Snn,http=y", "-S=cli", "--wasi", "tcp=n", "--wasi=config-var=a=b"],
        [
            "-W",
            "max-memory-size=100,timeout=1s",
            "-Wgc",
            "-O",
            "opt-level=2",
            "-O=static-memory-guard-size=5",
        ],
        ["-D", "debug-info=y", "-Cinlining=n"],
    ],
)
def test_what_reaches_no_file_is_handed_on(cli_args):
    assert held(cli_args, (), []) == cli_args


@pytest.mark.parametrize(
    "cli_args",
    [
        ["--preload", "env=/etc/passwd"],
        ["--allow-precompiled"],
        ["--config=/etc/passwd"],
        ["--profile", "guest,/tmp/profile"],
        ["-R", "path=/tmp/trace"],
        ["-g", "1234"],
        ["--mapdir", "/::/"],
        ["--no-such-option"],
        ["--"],
        ["-"],
        [""],
        ["/etc/passwd"],
        ["-S", "nn", "/etc/passwd"],
        ["-d", "/"],
        ["--dirs", "/"],
    ],
)
def test_what_may_reach_a_file_is_refused(cli_args):
    assert refused(cli_args).startswith("cli_args: a task may not give ")


@pytest.mark.parametrize(
    ("cli_args", "said"),
    [
        (["-S", "nn-graph=onnx::/etc"], '--wasi "nn-graph=onnx::/etc"'),
        (["-Scli,listenfd"], '--wasi "listenfd"'),
        (["-Dcoredump=/tmp/core"], '--debug "coredump=/tmp/core"'),
        (["--debug=logging,log-to-files"], '--debug "log-to-files"'),
        (["-C", "cache-config=/etc/passwd"], '--codegen "cache-config=/etc/passwd"'),
        (["-S", "cli,"], '--wasi ""'),
    ],
)
def test_so_is_a_part_of_an_option(cli_args, said):
    assert refused(cli_args) == f"cli_args: a task may not give {said} here"


@pytest.mark.parametrize("value", [[], [""], ["--preload=env=/etc/passwd"], ["-"]])
def test_a_name_without_a_value_is_told(value):
    """The program would take what begins with a dash for the next option."""
    assert refused(["-S", "nn", "--invoke", *value]) == "cli_args: --invoke has no value"
    assert refused(["-S", *value]) == "cli_args: --wasi has no value"


def test_directories_are_held_to_those_that_the_owner_allows(top, tmp_path):
    (top / "up").symlink_to("../secret")
    for path, said in (
        (tmp_path / "secret", "is not allowed to be written to on this proplet"),
        (top / "up", f"leads out of {top}"),
        (top / "nothing", "can't be opened on this proplet: No such file or directory"),
    ):
        for cli_args in (["--dir", f"{path}::/box"], [f"--dir={path}"]):
            assert refused(cli_args, owner(top)) == f"cli_args: --dir: {path} {said}"
    # The program lets its guests write to whatever it gives them.
    assert "not allowed to be written to" in refused(["--dir", str(top)], owner(top, "ro"))
    assert refused(["--dir", "."], owner(top)) == 'cli_args: --dir "." is no absolute path; begin it with /'


def test_a_guest_finds_the_directories_that_its_task_names(tmp_path, top, wasmtime_program):
    async def part(outside):
        files = guest("files")
        before = descriptors()
        end = await outside.end(
            files, "_start", "copy", "/box/file", "/box/copy", cli_args=["--dir", f"{top}/sub::/box"]
        )
        assert (end.results, end.error) == ("", "")
        assert (top / "sub" / "copy").read_text() == "in allowed/sub"
        end = await outside.end(files, "_start", "cat", f"{top}/sub/copy", cli_args=[f"--dir={top}/sub"])
        assert end.results == "in allowed/sub"
        end = await outside.end(files, "_start", "cat", "/box/file", cli_args=["--dir", "/::/box"])
        assert end.error == "cli_args: --dir: / is not allowed to be written to on this proplet"
        assert end.is_refused
        end = await outside.end(
            files, "_start", "cat", "/box/file", cli_args=["--dir", f"{top}/sub", "--preload"]
        )
        assert end.is_refused
        assert descriptors() == before

    play(part, tmp_path, wasmtime_program, allowed_dirs=owner(top))


def test_a_directory_that_becomes_a_link_meanwhile_leads_nowhere(tmp_path, top, wasmtime_program):
    (top / "link").symlink_to("../secret")
    refusal = f"cli_args: --dir: {top / 'sub'} leads out of {top}"

    async def part(outside):
        seen = Counter()
        with swapping(top / "sub", top / "link"):
            while min(seen["in allowed/sub"], seen[refusal]) < 10:
                end = await outside.end(
                    guest("files"), "_start", "cat", "/box/file", cli_args=[f"--dir={top}/sub::/box"]
                )
                seen[end.results or end.error] += 1
        assert not any("secret" in said for said in seen)

    play(part, tmp_path, wasmtime_program, allowed_dirs=owner(top))


def test_what_is_handed_on_is_what_the_program_understands(tmp_path, wasmtime_program):
    async def part(outside):
        for cli_args in (
            ["-S", "nn"],
            ["-Scli,tcp=n"],
            ["-W=max-memory-size=1000000"],
            ["-Ccompiler=cranelift"],
            ["-Dlogging=n"],
        ):
            end = await outside.end(ADD, "add", "1", "2", cli_args=cli_args)
            assert end.results == "3\n", end.error

    play(part, tmp_path, wasmtime_program)
