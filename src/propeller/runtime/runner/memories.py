"""The memories of a core module that has several: they share one limit.

The engine knows one bound for each memory alone, the same for all of a guest.
"""

from collections.abc import Sequence

from propeller.core.failures import ErrorKind, Failure
from propeller.runtime.core_module.interface import Memory
from propeller.runtime.failures import CanNotBegin, size
from propeller.runtime.guest_run import Limits


def memory_bytes_each(memories: Sequence[Memory], limits: Limits) -> int:
    """Give the most that each of a guest's memories may have, so that all have no more than the limit.

    Raises:
        CanNotBegin: One of several has more than that from the beginning.

    """
    if len(memories) < 2:
        return limits.memory_bytes
    each = _share(memories, limits.memory_bytes)
    if all(memory.least_bytes <= each for memory in memories):
        return each
    raise CanNotBegin(
        Failure(
            f"its {len(memories)} memories share the limit of {size(limits.memory_bytes)}, so that each may "
            f"have {size(each)}, but one has {size(max(memory.least_bytes for memory in memories))} from the "
            "beginning; limits.memory raises it",
            ErrorKind.MEMORY,
        ),
        raised_by="limits.memory",
    )


def _share(memories: Sequence[Memory], limit_bytes: int) -> int:
    """Divide the limit; what those that can't grow so far leave is for the others."""
    most = sorted(limit_bytes if memory.most_bytes is None else memory.most_bytes for memory in memories)
    left_bytes = limit_bytes
    for number, bytes_ in enumerate(most):
        if bytes_ * (len(most) - number) > left_bytes:
            return left_bytes // (len(most) - number)
        left_bytes -= bytes_
    return limit_bytes
