"""Failures that the runtime words: those of a limit name its value and the field that raises it."""

import contextlib
import re
from collections.abc import Iterator

import msgspec

from propeller.core.failures import ErrorKind, Failure
from propeller.errors import Invalid
from propeller.runtime.guest_run import COMPILED_BYTES, Limits, compile_ns_of

STOPPED = Failure("the task was stopped", ErrorKind.CANCELLED)
#: What Rust, Go and C write when they give up.
_PANIC = re.compile(r"panicked at |^panic: |^fatal error: |^Assertion failed: ")
#: Rust's advice to its user, who is another one here.
_NOTE = re.compile(r"note: run with `RUST_BACKTRACE=")
_WORDS_MAX = 400
_LIMITS = {ErrorKind.MEMORY, ErrorKind.FUEL, ErrorKind.STACK, ErrorKind.OUTPUT, ErrorKind.LIMIT}


class CanNotBegin(Invalid):
    """A guest can't begin, now or later."""

    def __init__(self, failure: Failure, raised_by: str = "") -> None:
        super().__init__(failure.error)
        self.failure = failure
        #: The field of its task that raises the limit which it meets; empty where there is none.
        self.raised_by = raised_by


@contextlib.contextmanager
def refused_as(kind: ErrorKind) -> Iterator[None]:
    """Give refusals in the block this kind."""
    try:
        yield
    except Invalid as invalid:
        raise CanNotBegin(Failure(str(invalid), kind)) from invalid


def of_refusal(invalid: Invalid) -> Failure:
    """Give the failure of a refused guest; without a kind of its own it is that of its module."""
    return invalid.failure if isinstance(invalid, CanNotBegin) else Failure(str(invalid), ErrorKind.MODULE)


def of_output(limits: Limits) -> Failure:
    return Failure(
        f"the program wrote more than the limit of {size(limits.output_bytes)} to standard output; "
        "limits.output raises it",
        ErrorKind.OUTPUT,
    )


def of_time(limits: Limits) -> Failure:
    error = f"it ran longer than the limit of {limits.timeout_ns / 1e9:g} s; timeout raises it"
    return Failure(error, ErrorKind.TIMEOUT)


def of_stdin(why: str = "it does not import what reads it") -> str:
    """Say that standard input is refused, and why nothing reads it."""
    return f"stdin: the module reads no standard input ({why}); leave stdin out"


def of_request(request_s: float) -> str:
    """Say why a server's guest was ended before its answer."""
    return f"it ran longer than the limit of {request_s:g} s for a request; timeout raises it"


def of_compilation(limits: Limits, size_bytes: int) -> Failure:
    limit_s = compile_ns_of(limits, size_bytes) / 1e9
    its_size = f" of {size_bytes / 2**20:.0f} MiB" if size_bytes > COMPILED_BYTES else ""
    return Failure(
        f"compiling its module{its_size} took longer than the limit of {limit_s:.3g} s; "
        "the proplet's compile_timeout raises it",
        ErrorKind.TIMEOUT,
    )


def with_hint(failure: Failure, memory_bytes: int, limits: Limits) -> Failure:
    """Add the limits that may have made a guest fail: only the guest knows whether it asked for more.

    The hint names the memory where most of it was in use, and the limits that its task set itself.
    """
    if failure.kind in _LIMITS:
        return failure
    sentence, line_end, rest = failure.error.partition("\n")
    hint = _growth_hint(memory_bytes, limits)
    return msgspec.structs.replace(failure, error=f"{sentence}{hint}{line_end}{rest}")


def with_last_words(failure: Failure, subject: str, tail: str) -> Failure:
    """Add what a guest wrote last: before the failure where that says why, and else behind it.

    Lists show the begin of an error. For a trap or an exit code only the guest knows more; of a limit the
    sentence says it all.
    """
    tail = tail.strip()
    if not tail:
        return failure
    error, words = failure.error, _last_words(tail)
    if failure.kind in (ErrorKind.TRAP, ErrorKind.EXIT_CODE):
        error = f"{subject} said: {words}\n{error}"
        tail = "" if tail == words else tail
    return msgspec.structs.replace(failure, error=f"{error}\nstandard error: {tail}" if tail else error)


def _last_words(text: str) -> str:
    """Choose what says most about the end, on one line: a panic with what follows it, else the last line.

    Lines that are indented go with the one before them, as those of a backtrace do.
    """
    lines = [line.rstrip() for line in text.splitlines() if line.strip() and not _NOTE.match(line)]
    begin = next((at for at in reversed(range(len(lines))) if _PANIC.search(lines[at])), None)
    if begin is None:
        begin = next((at for at in reversed(range(len(lines))) if not lines[at][0].isspace()), 0)
        lines = lines[: begin + 1]
    words = " ".join(" ".join(lines[begin:]).split())
    return words if len(words) <= _WORDS_MAX else words[:_WORDS_MAX] + "…"


def _growth_hint(memory_bytes: int, limits: Limits) -> str:
    if 2 * memory_bytes > limits.memory_bytes:
        return (
            f"; it had {size(memory_bytes)} of memory, and its limit is {size(limits.memory_bytes)}: "
            "limits.memory raises it"
        )
    own = []
    if "memory" in limits.asked:
        own.append(f"limits.memory is {size(limits.memory_bytes)}, and it had {size(memory_bytes)}")
    if "table" in limits.asked:
        own.append(f"limits.table is {limits.table_elements:,} elements")
    return f"; if it was refused more, raise what the task allows: {'; '.join(own)}" if own else ""


def size(size_bytes: int) -> str:
    """Write a number of bytes with its unit."""
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size_bytes >= factor and size_bytes % factor == 0:
            return f"{size_bytes // factor} {unit}"
    return f"{size_bytes:,} bytes"
