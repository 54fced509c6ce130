"""Programs in C and components in JavaScript, at every limit; and binaries made to do harm."""

import json

import pytest
from msgspec.structs import replace

from propeller.core.failures import ErrorKind
from propeller.core.sandbox import Dir, Grants
from propeller.errors import Invalid
from propeller.runtime.guest_run import GuestRun, Limits
from tests.guests import hostile
from tests.guests.helpers import guest, share_compiled
from tests.runtime.helpers import ADD, Here, a_pool, granted, in_a_loop, put

MIB = 1024 * 1024
BOTH = pytest.mark.parametrize("form", ["", "_component"])


async def ended(running, name, *args, key=1, limits=None, **more):
    digest = put(running.directory, guest(name))
    running.pool.submit([GuestRun(key, digest, "_start", list(args), limits=limits, **more)])
    (end,) = await running.ended(key)
    return end


# -- what programs get ---------------------------------------------------------------------------------------


@BOTH
def test_a_program_gets_its_arguments_its_variables_and_no_others(tmp_path, form, monkeypatch):
    monkeypatch.setenv("SECRET", "of this process")
    here = Here(tmp_path)
    run = GuestRun(
        1, put(tmp_path, guest(f"hello{form}")), "hello", ["in", "zwölf"], ["--flag"], {"A": "ü=1"}
    )
    end = here.execute(run)
    assert end.error == ""
    assert end.results.splitlines() == [
        "argument: hello",
        "argument: --flag",
        "argument: in",
        "argument: zwölf",
        "variable: A=ü=1",
    ]
    assert b"".join(piece.data for piece in here.pieces) == b"said on standard error\n"


@BOTH
def test_a_program_finds_what_its_parents_returned(tmp_path, form):
    here = Here(tmp_path)
    parents = json.dumps({"task-000": "30\n", "täsk": {"deep": [1]}})
    digest = put(tmp_path, guest(f"files{form}"))
    read = here.execute(GuestRun(1, digest, "_start", ["cat", "/propeller/parents.json"], parents=parents))
    assert json.loads(read.results) == {"task-000": "30\n", "täsk": {"deep": [1]}}
    written = here.execute(
        GuestRun(1, digest, "_start", ["write", "/propeller/parents.json", "x"], parents=parents)
    )
    assert "exited with code 1" in written.error
    assert written.failure.exit_code == 1
    hello = here.execute(GuestRun(1, put(tmp_path, guest(f"hello{form}")), "_start", parents=parents))
    assert f"variable: PROPELLER_PARENT_RESULTS={parents}" in hello.results


@BOTH
def test_directories_are_given_one_by_one_and_each_as_it_was_granted(tmp_path, form):
    for name in ("in", "out", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(f"from {name}")
    here = Here(tmp_path)
    grants = Grants(
        dirs=(
            Dir(host=str(tmp_path / "in"), guest="/in"),
            Dir(host=str(tmp_path / "out"), guest="/out", mode="rw"),
        )
    )

    def run(*args, grants=grants):
        run = GuestRun(1, put(tmp_path, guest(f"files{form}")), "_start", list(args), grants=grants)
        return here.execute(granted(run) if grants else run)

    assert run("cat", "/in/file").results == "from in"
    assert run("copy", "/in/file", "/out/copy").error == ""
    assert (tmp_path / "out" / "copy").read_text() == "from in"
    for refused in (
        ("write", "/in/file", "no"),
        ("cat", "/other/file"),
        ("cat", str(tmp_path / "other" / "file")),
        ("cat", "/in/../other/file"),
        ("cat", "/etc/passwd"),
    ):
        assert "exited with code 1" in run(*refused).error, refused
    (tmp_path / "in" / "link").symlink_to(tmp_path / "other" / "file")
    assert "exited with code 1" in run("cat", "/in/link").error
    assert (tmp_path / "in" / "file").read_text() == "from in"
    assert "exited with code 1" in run("cat", "/in/file", grants=None).error


def test_a_reactor_is_initialized_and_takes_text(tmp_path):
    here = Here(tmp_path)
    reactor = guest("reactor")
    assert here.run(reactor, "initialized").results == "7\n"
    assert here.run(reactor, "add", "2", "0x28").results == "42\n"
    assert here.run(reactor, "greet", '"Jörg"').results == "14\n"
    assert b"".join(piece.data for piece in here.pieces) == "Hello, Jörg!\n".encode()
    assert here.run(reactor, "greet", "[65, 100, 97]").results == "12\n"
    assert "neither JSON text nor a list of bytes" in here.run(reactor, "greet", "[300]").error


def test_a_component_in_javascript(tmp_path):
    here = Here(share_compiled(tmp_path))
    assert here.run(guest("greeter"), "greet", '"John Doe"').results == '"Hello, John Doe!"\n'
    assert here.run(guest("greeter"), "add", "10", "20").results == "30\n"
    error = here.run(guest("greeter"), "greet", "John Doe").error
    assert "character 1" in error
    assert "John Doe\n  ^" in error
    assert (
        "Argument count mismatch for 'greet': expected 1 but got 0"
        in here.run(guest("greeter"), "greet").error
    )


# -- limits --------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("args", "limits", "words"),
    [
        (
            ["loop"],
            Limits(timeout_ns=100_000_000),
            "it ran longer than the limit of 0.1 s; timeout raises it",
        ),
        (["sleep", "60"], Limits(timeout_ns=100_000_000), "it ran longer than the limit of 0.1 s"),
        (["loop"], Limits(fuel=1_000_000), "it used up its 1,000,000 units of fuel; limits.fuel raises that"),
        (["memory"], Limits(memory_bytes=32 * MIB), "unreachable code was reached"),
        (["recurse"], Limits(stack_bytes=64 * 1024), "the stack overflowed its limit of 64 KiB"),
        (["stdout"], Limits(output_bytes=100_000), "wrote more than the limit of 100,000 bytes"),
        (["stderr"], Limits(timeout_ns=300_000_000), "it ran longer than the limit of 0.3 s"),
        (["exit", "3"], Limits(), "the program exited with code"),
        (["abort"], Limits(), "unreachable code was reached"),
        (["null"], Limits(), "memory access out of bounds"),
    ],
)
@in_a_loop
async def test_each_limit_costs_the_guest_that_meets_it_and_nobody_else(tmp_path, form, args, limits, words):
    async with a_pool(tmp_path, size=1) as running:
        end = await ended(running, f"crasher{form}", *args, limits=limits)
        running.submit(ADD, "add", "1", "2", keys=[9])
        (after,) = await running.ended(9)
    assert words in end.error
    assert after.results == "3\n"


@BOTH
def test_a_program_that_fills_its_memory_is_told_of_the_limit(tmp_path, form):
    here = Here(tmp_path, Limits(memory_bytes=32 * MIB))
    error = here.run(guest(f"crasher{form}"), "_start", "memory").error
    assert "of memory, and its limit is 32 MiB: limits.memory raises it" in error


@BOTH
def test_a_program_that_fails_with_memory_to_spare_is_not_told_of_the_limit(tmp_path, form):
    here = Here(tmp_path, Limits(memory_bytes=128 * MIB))
    assert "limits.memory" not in here.run(guest(f"crasher{form}"), "_start", "abort").error


def test_much_standard_error_is_cut_and_harms_nobody(tmp_path):
    here = Here(tmp_path)
    end = here.run(guest("crasher"), "_start", "flood-err", str(5 * MIB))
    assert end.error == ""
    assert sum(len(piece.data) for piece in here.pieces) == MIB
    assert here.pieces[-1].is_cut


@in_a_loop
async def test_a_file_may_grow_no_further_than_its_limit(tmp_path):
    (tmp_path / "out").mkdir()
    grants = Grants(dirs=(Dir(host=str(tmp_path / "out"), guest="/out", mode="rw"),))
    async with a_pool(tmp_path, size=1, limits=Limits(file_bytes=MIB)) as running:
        end = await ended(running, "crasher", "append", "/out/file", grants=grants, allowed_dirs=grants.dirs)
    assert "exited with code 1" in end.error
    assert (tmp_path / "out" / "file").stat().st_size <= MIB


@BOTH
def test_a_seed_makes_randomness_the_same(tmp_path, form):
    here = Here(tmp_path)

    def random(grants):
        digest = put(tmp_path, guest(f"crasher{form}"))
        return here.execute(GuestRun(1, digest, "_start", ["random", "16"], grants=grants)).results

    assert random(Grants(random=7)) == random(Grants(random=7)) != random(Grants(random=8))
    assert random(None) != random(None)


@BOTH
def test_without_a_clock_it_is_1970(tmp_path, form):
    here = Here(tmp_path)
    digest = put(tmp_path, guest(f"crasher{form}"))
    assert here.execute(GuestRun(1, digest, "_start", ["clock"], grants=Grants(clock=False))).results == "0\n"
    assert int(here.execute(GuestRun(1, digest, "_start", ["clock"])).results) > 1_700_000_000


@in_a_loop
async def test_lines_come_as_they_are_written(tmp_path):
    async with a_pool(tmp_path, size=1) as running:
        digest = put(tmp_path, guest("crasher"))
        running.pool.submit([GuestRun(1, digest, "_start", ["logs", "100000"])])
        await running.printed(1, b"line 3\n")
        running.pool.stop_run(1)
        (end,) = await running.ended(1)
    assert end.stopped


@BOTH
@in_a_loop
async def test_stop_ends_a_guest_wherever_it_is(tmp_path, form):
    async with a_pool(tmp_path, size=2) as running:
        for key, args in enumerate((["loop"], ["sleep", "60"]), 1):
            digest = put(tmp_path, guest(f"crasher{form}"))
            running.pool.submit([GuestRun(key, digest, "_start", args)])
            await running.executing(key)
            running.pool.stop_run(key)
            (end,) = await running.ended(key)
            assert (end.stopped, end.error) == (True, "the task was stopped")


# -- binaries that somebody made to do harm --------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [hostile.many_functions, hostile.deep_nesting, hostile.wide_table],
    ids=lambda make: make.__name__,
)
def test_what_is_large_is_compiled_or_refused(tmp_path, make):
    here = Here(tmp_path)
    try:
        end = here.run(make(), "f")
    except Invalid as refusal:
        assert "can't be compiled" in str(refusal)  # noqa: PT017  either will do
    else:
        assert end.error == "" or "f failed" in end.error
    assert here.run(ADD, "add", "1", "2").results == "3\n"


@pytest.mark.parametrize("make", [hostile.many_imports, hostile.lying_count], ids=lambda make: make.__name__)
def test_what_can_not_run_is_refused_in_words(tmp_path, make):
    here = Here(tmp_path)
    with pytest.raises(Invalid) as refusal:
        here.run(make(), "f")
    assert len(str(refusal.value)) < 5000
    assert here.run(ADD, "add", "1", "2").results == "3\n"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (hostile.trap_in_start, "unreachable code was reached"),
        (hostile.data_out_of_bounds, "memory access out of bounds"),
        (hostile.elements_out_of_bounds, "table access out of bounds"),
        (hostile.huge_memory, "limits.memory raises it"),
        (hostile.huge_table, "limits.table raises it"),
    ],
    ids=lambda make: getattr(make, "__name__", ""),
)
def test_what_fails_at_instantiation_fails_alone(tmp_path, make, words):
    here = Here(tmp_path)
    assert words in here.run(make(), "f").error
    assert here.run(ADD, "add", "1", "2").results == "3\n"


@in_a_loop
async def test_a_loop_at_instantiation_ends_by_its_timeout(tmp_path):
    async with a_pool(tmp_path, size=1) as running:
        digest = put(tmp_path, hostile.loop_in_start())
        running.pool.submit([GuestRun(1, digest, "f", limits=Limits(timeout_ns=100_000_000))])
        (end,) = await running.ended(1)
    assert "it ran longer than the limit of 0.1 s" in end.error


@in_a_loop
async def test_one_that_is_slow_to_compile_can_be_stopped_meanwhile(tmp_path):
    async with a_pool(tmp_path, size=1) as running:
        digest = put(tmp_path, hostile.slow_to_compile())
        running.pool.submit([GuestRun(1, digest, "f")])
        await running.executing(1)
        running.pool.stop_run(1)
        (end,) = await running.ended(1)
        assert (end.stopped, end.error) == (True, "the task was stopped")
        running.submit(ADD, "add", "1", "2", keys=[2])
        assert (await running.ended(2))[0].results == "3\n"


@in_a_loop
async def test_what_keeps_the_compiler_busy_is_given_up_and_others_go_on(tmp_path):
    async with a_pool(tmp_path, size=2) as running:
        digest = put(tmp_path, hostile.slow_to_compile())
        running.pool.submit([GuestRun(1, digest, "f", limits=Limits(compile_ns=300_000_000))])
        running.submit(ADD, "add", "1", "2", keys=[2])
        slow, add = await running.ended(1, 2)
    assert "compiling its module took longer than the limit of 0.3 s" in slow.error
    assert add.results == "3\n"


@in_a_loop
async def test_large_frames_overflow_the_stack_of_the_guest_alone(tmp_path):
    async with a_pool(tmp_path, size=1) as running:
        for key, stack in enumerate((64 * 1024, 512 * 1024), 1):
            digest = put(tmp_path, hostile.many_locals())
            running.pool.submit([GuestRun(key, digest, "f", limits=Limits(stack_bytes=stack))])
            (end,) = await running.ended(key)
            assert "the stack overflowed its limit" in end.error
        pid = running.pid_of(0)
        running.submit(ADD, "add", "1", "2", keys=[3])
        await running.ended(3)
        assert running.pid_of(0) == pid


@pytest.mark.parametrize("make", [hostile.many_exports, hostile.long_name], ids=lambda make: make.__name__)
def test_messages_stay_short_whatever_a_module_exports(tmp_path, make):
    error = Here(tmp_path).run(make(), "missing").error
    assert "missing" in error
    assert len(error) < 2000


async def ends_in_one_process(directory, binaries):
    """Try binaries one after the other; give their ends, after which their process still runs another."""
    async with a_pool(directory, size=1) as running:
        runs = [GuestRun(key, put(directory, data), "_start") for key, data in enumerate(binaries, 1)]
        running.pool.submit(runs)
        ends = await running.ended(*(run.key for run in runs))
        pid = running.pid_of(0)
        running.submit(ADD, "add", "1", "2", keys=[10_000])
        assert (await running.ended(10_000))[0].results == "3\n"
        assert running.pid_of(0) == pid
    return ends


@in_a_loop
async def test_damaged_binaries_are_refused_by_a_process_that_lives_on(tmp_path):
    damaged = [
        *hostile.cut_short(guest("hello")),
        *hostile.cut_short(guest("hello_component")),
        *hostile.cut_in_sections(guest("hello")),
        *hostile.cut_in_sections(guest("hello_component")),
        *hostile.wrong_heads(guest("hello")),
        *hostile.rubbish(),
    ]
    for data, end in zip(damaged, await ends_in_one_process(tmp_path, damaged), strict=True):
        assert end.error, data[:40]
        assert end.is_refused, end.error


@in_a_loop
async def test_a_binary_without_its_last_sections_fails_alone_if_it_fails(tmp_path):
    halves = [
        *hostile.cut_between_sections(guest("hello")),
        *hostile.cut_between_sections(guest("hello_component")),
    ]
    assert any(end.is_refused for end in await ends_in_one_process(tmp_path, halves))


# -- standard input ------------------------------------------------------------------------------------------

STDIN = b"\x89 and text\n" * 80_000


@pytest.mark.parametrize("wasi", ["", "_component", "own"])
def test_a_program_reads_its_standard_input(tmp_path, wasi):
    here = Here(tmp_path)
    (tmp_path / "box").mkdir()
    digest = put(tmp_path, guest("cat" if not wasi else "cat_component"))
    run = GuestRun(1, digest, "_start")
    if wasi == "own":
        run = granted(
            replace(run, grants=Grants(dirs=(Dir(host=str(tmp_path / "box"), guest="/b", mode="rw"),)))
        )
    for stdin, results in ((STDIN, STDIN), (b"short", "short"), (None, "")):
        assert here.execute(replace(run, stdin=stdin)).results == results


@in_a_loop
async def test_standard_input_that_nothing_reads_is_refused(tmp_path):
    async with a_pool(tmp_path, size=1) as running:
        running.pool.submit([GuestRun(1, put(tmp_path, ADD), "add", ["1", "2"], stdin=b"x")])
        (end,) = await running.ended(1)
    assert end.error.startswith("stdin: the module reads no standard input")
    assert (end.failure.kind, end.is_refused) == (ErrorKind.INPUTS, True)
