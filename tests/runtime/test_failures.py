"""What a guest wrote last, where its failure is shown: the begin of an error is what lists show."""

import pytest

from propeller.core.failures import ErrorKind, Failure
from propeller.runtime.failures import with_hint, with_last_words
from propeller.runtime.guest_run import Limits

TRAP = Failure("the program failed: unreachable code was reached\nwasm backtrace:\n 0: f", ErrorKind.TRAP)
RUST = """reading a.txt
thread 'main' (1) panicked at src/main.rs:2:5:
called `Result::unwrap()` on an `Err` value: NotFound
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
"""
GO = """a log line
panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:
main.main()
\t/src/main.go:8 +0x3
"""
PYTHON = """Traceback (most recent call last):
  File "app.py", line 3, in run
    raise ValueError("no number")
ValueError: no number
"""
JAVASCRIPT = """Error: no number
    at run (app.js:3:9)
    at main (app.js:8:1)
"""
C = "opening\nmissing.txt: No such file or directory\n"


@pytest.mark.parametrize(
    ("tail", "words"),
    [
        (
            RUST,
            "thread 'main' (1) panicked at src/main.rs:2:5: called `Result::unwrap()` on an `Err` value: NotFound",
        ),
        (GO, "panic: runtime error: index out of range [5] with length 3 goroutine 1 [running]:"),
        (PYTHON, "ValueError: no number"),
        (JAVASCRIPT, "Error: no number"),
        (C, "missing.txt: No such file or directory"),
        ("   only indented", "only indented"),
        ("x" * 1000, "x" * 400 + "…"),
    ],
)
def test_the_last_words_come_first(tail, words):
    error = with_last_words(TRAP, "the program", tail).error
    assert error.startswith(f"the program said: {words}")
    assert TRAP.error in error
    assert error.endswith(f"standard error: {tail.strip()}") or tail.strip() == words


def test_where_a_limit_was_met_that_comes_first():
    failure = Failure("it used up its 5 units of fuel; limits.fuel raises that", ErrorKind.FUEL)
    error = with_last_words(failure, "the program", "working on 7\n").error
    assert error == f"{failure.error}\nstandard error: working on 7"


def test_who_writes_nothing_has_no_last_words():
    assert with_last_words(TRAP, "the program", " \n") == TRAP


def test_a_hint_stands_before_the_backtrace():
    error = with_hint(TRAP, 2**20, Limits(memory_bytes=2**20)).error
    assert error.splitlines()[0].endswith("its limit is 1 MiB: limits.memory raises it")
