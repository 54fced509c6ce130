"""The heap of this process: how much memory its allocator keeps after it was freed."""

import contextlib
import ctypes

_M_MMAP_THRESHOLD = -3
_LARGE_BYTES = 1024 * 1024


def give_large_blocks_back() -> None:
    """Have large blocks go back to the system when they are freed, such as bodies of uploads.

    Left to itself glibc learns from the first such block to keep the next ones, of up to 32 MiB each.
    """
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
