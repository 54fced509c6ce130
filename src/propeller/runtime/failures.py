"""Sentences for the limits that a guest met: each names the limit, its value and the field that raises it."""

from propeller.runtime.guest_run import Limits


def of_output(limits: Limits) -> str:
    return (
        f"the program wrote more than the limit of {size(limits.output_bytes)} to standard output; "
        "limits.output raises it"
    )


def of_time(limits: Limits) -> str:
    return f"it ran longer than the limit of {limits.timeout_ns / 1e9:g} s; timeout raises it"


def of_compilation(limits: Limits) -> str:
    return (
        f"compiling its module took longer than the limit of {limits.compile_ns / 1e9:g} s; "
        "the proplet's compile_timeout raises it"
    )


def growth_hint(error: str, memory_bytes: int, limits: Limits) -> str:
    """Say what a guest that failed may have been refused: only it knows whether it asked for more.

    Named are the memory where most of it was in use, and what its task itself keeps small.
    """
    if "limits." in error:  # the wall that it ran into is named already
        return ""
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
    """Write a number of bytes as people do."""
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size_bytes >= factor and size_bytes % factor == 0:
            return f"{size_bytes // factor} {unit}"
    return f"{size_bytes:,} bytes"
