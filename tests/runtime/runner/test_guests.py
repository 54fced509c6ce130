import re
import time

import pytest
import wasmtime

from propeller.core.failures import ErrorKind
from propeller.errors import Invalid
from propeller.runtime.core_module.interface import interface_of
from propeller.runtime.guest_run import GuestRun, Limits
from tests.builders import SLEEP
from tests.runtime.helpers import ADD, ARGUMENTS, Here, program, put


@pytest.fixture
def here(tmp_path):
    return Here(tmp_path)


MANY = """(module (memory (export "mem") 1)
  (func (export "none"))
  (func (export "two") (result i32 f64) (i32.const -1) (f64.const 2.5))
  (func (export "i64") (param i64) (result i64) (local.get 0))
  (func (export "f32") (param f32) (result f32) (local.get 0))
  (func (export "vector") (result v128) (v128.const i64x2 0 0))
  (func (export "ref") (param externref))
  (func (export "a name with spaces") (result i32) (i32.const 1)))"""


@pytest.mark.parametrize(
    ("export", "inputs", "results"),
    [
        ("none", [], ""),
        ("two", [], "-1\n2.5\n"),
        ("i64", ["18446744073709551615"], "-1\n"),
        ("f32", ["0.1"], "0.1\n"),
        ("f32", ["nan"], "NaN\n"),
        ("a name with spaces", [], "1\n"),
    ],
)
def test_values_come_back_one_a_line(here, export, inputs, results):
    ended = here.run(MANY, export, *inputs)
    assert (ended.results, ended.error) == (results, "")


EXOTIC = """(module
  (type $point (sub (struct (field $x (mut i32)) (field i8))))
  (rec (type $list (struct (field (ref null $list)))) (type $bytes (array (mut i8))))
  (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
  (tag $tag (export "tag") (param i32))
  (global (export "global") v128 (v128.const i64x2 0 0))
  (table (export "table") 1 (ref null $list))
  (func (export "struct") (param (ref null $point) anyref exnref) (result (ref func)) unreachable)
  (func (export "vector") (result v128) (v128.const i64x2 0 0))
  (func (export "_initialize") (param v128))
  (func (export "add") (param i32 i64) (result i64) (i64.add (i64.extend_i32_s (local.get 0)) (local.get 1))))"""


def test_exotic_types_do_no_harm(here):
    """Wasmtime's C interface ends the process when it is asked for such types."""
    assert here.run(EXOTIC, "add", "1", "2").results == "3\n"
    again = Here(here.directory)
    assert again.run(EXOTIC, "add", "1", "2").results == "3\n"
    error = again.run(EXOTIC, "sub").error
    assert "struct((ref null 0), anyref, exnref) -> (ref 112)" in error
    assert "vector() -> v128, _initialize(v128), add(i32, i64) -> i64" in error
    for kind in ("tag", "global", "table"):
        assert f"as a {kind}" in again.run(EXOTIC, kind).error
    assert "has the type (ref null 0)" in again.run(EXOTIC, "struct", "1", "2", "3").error


def test_all_kinds_of_imports_are_read():
    wat = """(module (import "a" "memory" (memory 1 2)) (import "a" "table" (table 1 funcref))
      (import "a" "global" (global (mut v128))) (import "a" "tag" (tag (param i32)))
      (import "a" "f" (func (param i32))) (func (export "g") (result f64) (f64.const 1)))"""
    wasm = bytes(wasmtime.wat2wasm(wat))
    interface = interface_of(wasm)
    assert [field for _, field in interface.imports] == ["memory", "table", "global", "tag", "f"]
    assert interface.functions == {"g": ((), ("f64",))}


def test_add(here):
    assert here.run(ADD, "add", "10", "20").results == "30\n"


@pytest.mark.parametrize(
    ("export", "inputs", "error"),
    [
        ("i64", [], "i64 takes 1 parameter (i64), but 0 inputs were given"),
        ("none", ["x"], 'none takes 0 parameters, but 1 input was given: ["x"]'),
        ("vector", [], "vector() -> v128 has the type v128, which has no text form here"),
        ("ref", ["1"], "ref(externref) has the type externref, which has no text form here"),
        ("mem", [], '"mem" is exported, but as a memory, and not as a function'),
    ],
)
def test_wrong_calls_are_explained(here, export, inputs, error):
    ended = here.run(MANY, export, *inputs)
    assert ended.error == error
    assert not ended.stopped


def test_wrong_count(here):
    assert here.run(ADD, "add", "10").error == (
        'add takes 2 parameters (i32, i32), but 1 input was given: ["10"]'
    )


def test_wrong_type(here):
    error = here.run(ADD, "add", "10", "x").error
    assert error.startswith("parameter 2 of add is of type i32")
    assert error.endswith('but the input given is "x"')


def test_wrong_export_lists_what_there_is(here):
    assert here.run(ADD, "main", "10", "20").error == (
        'no function "main" is exported; exported are: add(i32, i32) -> i32'
    )
    assert here.run("(module)", "main").error == 'no function "main" is exported, nor any other function'
    crowd = "".join(f'(func (export "f{n}"))' for n in range(50))
    assert here.run(f"(module {crowd})", "main").error.endswith(", f19() and 30 more")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("unreachable", "unreachable code was reached"),
        ("(drop (i32.div_s (i32.const 1) (i32.const 0)))", "integer division by zero"),
        ("(drop (i32.load (i32.const 1000000)))", "memory access out of bounds"),
        ("(call $f)", "the stack overflowed"),
        ("(drop (i32.trunc_f32_s (f32.const nan)))", "a float that does not fit"),
        ("(call_indirect (i32.const 0))", "indirect call of a null function"),
        ("(call_indirect (i32.const 99))", "table access out of bounds"),
        (
            "(call_indirect (param i32) (i32.const 1) (i32.const 1))",
            "indirect call of a function of another type",
        ),
    ],
)
def test_traps_are_failures_in_words(here, body, words):
    wat = f"""(module (memory 1) (table 2 funcref) (elem (i32.const 1) $f) (func $f (export "f") {body}))"""
    error = here.run(wat, "f").error
    assert error.startswith(f"f failed: {words}")
    assert "wasm backtrace" in error
    assert len(error) < 2000
    assert here.run(ADD, "add", "1", "2").results == "3\n"


def test_memory_limit(tmp_path):
    here = Here(tmp_path, Limits(memory_bytes=1024 * 1024))
    grow = '(module (memory 1) (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))'
    assert here.run(grow, "grow", "15").results == "1\n"
    assert here.run(grow, "grow", "16").results == "-1\n"
    assert "memory" in here.run('(module (memory 17) (func (export "f")))', "f").error


TWO = """(module (memory $a (export "a") 1) (memory $b (export "b") (export "c") 1 {most})
  (func (export "a-grow") (param i32) (result i32) (memory.grow $a (local.get 0)))
  (func (export "b-grow") (param i32) (result i32) (memory.grow $b (local.get 0)))
  (func (export "move") (result i32)
    (i32.store $a (i32.const 0) (i32.const 42))
    (memory.copy $b $a (i32.const 8) (i32.const 0) (i32.const 4))
    (i32.load $b (i32.const 8))))"""


@pytest.mark.parametrize(("most", "a", "b"), [("", 7, 7), ("2", 13, 1), ("100", 7, 7)])
def test_several_memories_share_one_limit(tmp_path, most, a, b):
    """What a memory can't grow to, because it says so itself, is for the other."""
    here = Here(tmp_path, Limits(memory_bytes=1024 * 1024))
    two = TWO.format(most=most)
    assert here.run(two, "move").results == "42\n"
    for memory, pages in (("a", a), ("b", b)):
        ended = here.run(two, f"{memory}-grow", str(pages))
        assert ended.results == "1\n"
        assert ended.usage.memory_bytes == (2 + pages) * 65536
        assert here.run(two, f"{memory}-grow", str(pages + 1)).results == "-1\n"


def test_a_call_costs_no_more_with_many_exports(here):
    functions = "".join(f'(func (export "f{n}") (result i32) (i32.const {n}))' for n in range(20_000))
    many = put(here.directory, f"(module {functions})")
    here.cache.load(many)
    began = time.thread_time()
    assert here.execute(GuestRun(1, many, "f19999")).results == "19999\n"
    assert time.thread_time() - began < 1, "each export is looked up by its name"


def test_other_limits(here):
    assert "table" in here.run('(module (table 2000000 funcref) (func (export "f")))', "f").error
    arrays = """(module (type $a (array i8)) (func (export "f")
      (drop (array.new_default $a (i32.const 1000000000)))))"""
    assert "memory" in here.run(arrays, "f").error
    assert "shared memory" in here.run('(module (memory 1 2 shared) (func (export "f")))', "f").error


def test_initialize_is_called_first(here):
    reactor = """(module (global $g (mut i32) (i32.const 0))
      (func (export "_initialize") (global.set $g (i32.const 7)))
      (func (export "get") (result i32) (global.get $g)))"""
    assert here.run(reactor, "get").results == "7\n"


def test_a_trap_before_the_function(here):
    start = '(module (func $s unreachable) (start $s) (func (export "f")))'
    assert here.run(start, "f").error.startswith("f failed: unreachable code")


def test_a_program_prints(here):
    wat = program("(drop (call $write (i32.const 1) (i32.const 1024) (i32.const 6)))", data="hello\\n")
    assert here.run(wat, "_start").results == "hello\n"
    assert here.run(wat, "any name").results == "hello\n"  # nothing else can be meant
    assert here.run(wat, "any name").results == "hello\n"


def test_a_program_with_other_functions_does_not_run_by_mistake(here):
    wat = program("", more='(func (export "main"))')
    assert here.run(wat, "mian").error == 'no function "mian" is exported; exported are: main(), _start()'
    assert not here.run(wat, "_start").error


def test_arguments_and_environment(here):
    ended = here.run(ARGUMENTS, "report", "in 1", "zwölf", cli_args=["--flag"], env={"A": "1", "B": "ü="})
    assert ended.results == "report\0--flag\0in 1\0zwölf\0A=1\0B=ü=\0"
    assert here.run(ARGUMENTS, "_start").results == "_start\0"


def test_nul_in_an_argument(here):
    assert "NUL" in here.run(ARGUMENTS, "x", "a\0b").error
    assert "NUL" in here.run(ARGUMENTS, "x", env={"A": "a\0b"}).error


def test_exit_codes(here):
    said = "(drop (call $write (i32.const 2) (i32.const 1024) (i32.const 5)))"
    assert here.run(program(said + "(call $exit (i32.const 0))", data="oh no"), "_start").error == ""
    three = here.run(program(said + "(call $exit (i32.const 3))", data="oh no"), "_start")
    assert three.error == "the program said: oh no\nthe program exited with code 3"
    assert (three.failure.kind, three.failure.exit_code) == (ErrorKind.EXIT_CODE, 3)
    trapped = here.run(program(said + "unreachable", data="oh no"), "_start").error
    assert re.match(
        r"the program said: oh no\nthe program failed: unreachable[^\n]*\nerror while exec", trapped
    )


def test_output_before_proc_exit_0_is_the_result(here):
    body = "(drop (call $write (i32.const 1) (i32.const 1024) (i32.const 4))) (call $exit (i32.const 0))"
    assert here.run(program(body, data="done"), "_start").results == "done"


def test_only_the_end_of_standard_error_is_kept(here):
    body = """(local $n i32) (loop $l
        (drop (call $write (i32.const 2) (i32.const 65536) (i32.const 65536)))
        (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 50))))
      (drop (call $write (i32.const 2) (i32.const 1024) (i32.const 3)))
      (call $exit (i32.const 1))"""
    error = here.run(program(body, data="end"), "_start").error
    assert error.endswith("end")
    assert len(error) < 5000


@pytest.mark.parametrize(("length", "is_over"), [(65536, False), (65537, True)])
def test_output_limit(tmp_path, length, is_over):
    here = Here(tmp_path, Limits(output_bytes=65536))
    wat = program(f"(drop (call $write (i32.const 1) (i32.const 65536) (i32.const {length})))")
    ended = here.run(wat, "_start")
    if is_over:
        assert ended.error == (
            "the program wrote more than the limit of 64 KiB to standard output; limits.output raises it"
        )
    else:
        assert (len(ended.results), ended.error) == (65536, "")
    assert here.run(ADD, "add", "1", "1").results == "2\n"


def test_a_function_does_not_print_on_our_output(here, capfd):
    more = """(func (export "f") (result i32) (drop (call $write (i32.const 2) (i32.const 1024) (i32.const 2)))
      (call $write (i32.const 1) (i32.const 1024) (i32.const 2)))"""
    assert here.run(program("", data="no", more=more), "f").results == "0\n"
    assert capfd.readouterr() == ("", "")


def test_a_function_that_exits(here):
    more = """(func (export "f") (param i32) (call $exit (local.get 0)))"""
    assert here.run(program("", more=more), "f", "0").error == ""
    two = here.run(program("", more=more), "f", "2")
    assert (two.error, two.failure.exit_code) == ("f exited with code 2", 2)


@pytest.mark.parametrize("code", [0, 42])
def test_a_program_that_exports_no_memory_exits(here, code):
    bare = f"""(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (func (export "_start") (call $exit (i32.const {code})) unreachable))"""
    ended = here.run(bare, "_start")
    assert ended.error == ("" if code == 0 else "the program exited with code 42")


def test_a_round_of_federated_learning_runs_the_program(here):
    """Also where other functions are exported, of which any other unknown name may mean one."""
    both = program(
        "(drop (call $write (i32.const 1) (i32.const 1024) (i32.const 2)))",
        data="hi",
        more=('(func (export "helper"))'),
    )
    assert here.run(both, "fl-round-7").results == "hi"
    assert 'no function "other" is exported' in here.run(both, "other").error
    named = '(module (func (export "_start") unreachable) (func (export "fl-round-1")))'
    assert here.run(named, "fl-round-1").error == ""


#: As AssemblyScript compiles ``export function add(a: i32, b: i32 = 10)`` and ``div(a: i32, b: i32)``, which
#: aborts where b is 0.
ASSEMBLYSCRIPT = r"""(module
  (import "env" "abort" (func $abort (param i32 i32 i32 i32)))
  (global $argumentsLength (mut i32) (i32.const 0))
  (memory (export "memory") 1)
  (data (i32.const 28) "\08\00\00\00n\00o\00!\00!\00")
  (data (i32.const 60) "\08\00\00\00a\00.\00t\00s\00")
  (func (export "__setArgumentsLength") (param i32) (global.set $argumentsLength (local.get 0)))
  (func (export "add") (param i32 i32) (result i32)
    (block $1of1 (block $0of1 (block $outOfRange
      (br_table $0of1 $1of1 $outOfRange (i32.sub (global.get $argumentsLength) (i32.const 1))))
      unreachable)
      (local.set 1 (i32.const 10)))
    (i32.add (local.get 0) (local.get 1)))
  (func (export "div") (param i32 i32) (result i32)
    (if (i32.eqz (local.get 1))
      (then (call $abort (i32.const 32) (i32.const 64) (i32.const 3) (i32.const 5)) unreachable))
    (i32.div_s (local.get 0) (local.get 1)))
  (func (export "silent") (call $abort (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))))"""


def test_a_module_of_assemblyscript(here):
    assert here.run(ASSEMBLYSCRIPT, "add", "1", "2").results == "3\n"
    assert here.run(ASSEMBLYSCRIPT, "add", "1").results == "11\n"
    assert here.run(ASSEMBLYSCRIPT, "div", "6", "2").results == "3\n"
    assert here.run(ASSEMBLYSCRIPT, "div", "6", "0").error == "div failed: it aborted at a.ts:3:5: no!!"
    assert here.run(ASSEMBLYSCRIPT, "silent").error == "silent failed: it aborted: it gave no message"


def test_parameters_that_are_not_optional_have_to_be_given(here):
    ended = here.run(ASSEMBLYSCRIPT, "div", "6")
    assert "div takes 2 parameters (i32, i32), but 1 input was given" in ended.error
    assert ended.failure.kind is ErrorKind.INPUTS


def test_missing_imports_are_named(here):
    wat = '(module (import "env" "magic" (func)) (func (export "f")))'
    with pytest.raises(Invalid, match=r"imports env\.magic, which this proplet does not offer"):
        here.run(wat, "f")
    wat = '(module (import "wasi_snapshot_preview1" "magic" (func)) (func (export "f")))'
    with pytest.raises(Invalid, match=r"wasi_snapshot_preview1.*magic"):
        here.run(wat, "f")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not WebAssembly: it begins with nothing"),
        (b"\x7fELF", "is not WebAssembly: it begins with 7f 45 4c 46"),
        (b"(module)", "is not WebAssembly"),
        (b"\0asm\x0d\0\x01\0\xff", "can't be compiled"),
        (b"\0asm\x01\0\0\0\xff", "can't be compiled"),
    ],
)
def test_not_a_module(here, content, words):
    digest = put(here.directory, content)
    with pytest.raises(Invalid, match=f"module {digest} {words}"):
        here.cache.load(digest)


def test_stopped_before_it_begins(here):
    from propeller.runtime.runner.guest import Halt, execute

    run = GuestRun(5, put(here.directory, ADD), "add", ["1", "2"], [], {})
    program_ = here.cache.load(run.digest)
    ended = execute(here.cache, program_, run, here.limits, here.workspace, halted=lambda: Halt.STOP)
    assert ended.stopped
    assert ended.error == "the task was stopped"


# -- what it used --------------------------------------------------------------------------------------------

BURN = """(module (func (export "burn") (param $n i64)
  (loop $l (local.set $n (i64.sub (local.get $n) (i64.const 1)))
    (br_if $l (i64.gt_s (local.get $n) (i64.const 0))))))"""
GROW = """(module (memory (export "memory") 1) (export "again" (memory 0))
  (func (export "grow") (param $pages i32) (drop (memory.grow (local.get $pages))))
  (func (export "fail") (drop (memory.grow (i32.const 3))) unreachable))"""


def test_processor_time_is_that_of_the_guest(here):
    little, much = here.run(BURN, "burn", "1"), here.run(BURN, "burn", "200000000")
    assert 0 < little.usage.cpu_ns < much.usage.cpu_ns
    # It does nothing but compute, and a machine may let it wait, but not have it compute more.
    assert much.usage.cpu_ns <= (much.finished_ns - much.started_ns) * 1.2


def test_a_guest_that_sleeps_uses_no_processor(here):
    ended = here.run(SLEEP, "sleep", "200000000")
    assert ended.finished_ns - ended.started_ns >= 200_000_000
    assert ended.usage.cpu_ns < 100_000_000, "half of it at most"


def test_memory_is_the_most_that_the_guest_had(here):
    assert here.run(GROW, "grow", "0").usage.memory_bytes == 65536
    assert here.run(GROW, "grow", "31").usage.memory_bytes == 32 * 65536, "under both its names it is one"
    assert here.run(GROW, "grow", "1").usage.memory_bytes == 2 * 65536, "the next guest begins anew"
    failed = here.run(GROW, "fail")
    assert failed.error
    assert failed.usage.memory_bytes == 4 * 65536
    assert here.run(BURN, "burn", "1").usage.memory_bytes == 0, "it has none"


def test_what_never_began_used_nothing(here):
    assert here.run(ADD, "add", "1").usage.memory_bytes == 0


@pytest.mark.parametrize(
    ("data", "results"),
    [
        (r"\89PNG\0d\0a\1a\0a\00\ff", b"\x89PNG\r\n\x1a\n\0\xff"),
        (r"a\00\c3\bc\0d", "a\0ü\r"),
        (r"\c3\bc\c3", b"\xc3\xbc\xc3"),  # half a character at the end
    ],
)
def test_what_a_program_prints_stays_as_it_is(here, data, results):
    length = len(results if isinstance(results, bytes) else results.encode())
    prints = f"(drop (call $write (i32.const 1) (i32.const 1024) (i32.const {length})))"
    ended = here.run(program(prints, data=data), "_start")
    assert (ended.results, ended.error) == (results, "")
