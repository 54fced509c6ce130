"""Failures that the runtime words: those of a limit name its value and the field that raises it."""

import contextlib
from collections.abc import Iterator

import msgspec

from propeller.core.failures import ErrorKind, Failure
from propeller.errors import Invalid
from propeller.runtime.guest_run import Limits

STOPPED = Failure("the task was stopped", ErrorKind.CANCELLED)
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


def of_compilation(limits: Limits) -> Failure:
    return Failure(
        f"compiling its module took longer than the limit of {limits.compile_ns / 1e9:g} s; "
        "the proplet's compile_timeout raises it",
        ErrorKind.TIMEOUT,
    )


def with_hint(failure: Failure, memory_bytes: int, limits: Limits) -> Failure:
    """Add the limits that may have made a guest fail: only the guest knows whether it asked for more.

    The hint names the memory where most of it was in use, and the limits that its task set itself.
    """
    if failure.kind in _LIMITS:
        return failure
    hint = _growth_hint(memory_bytes, limits)
    return msgspec.structs.replace(failure, error=failure.error + hint)


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
