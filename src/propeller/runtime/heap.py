"""What a program's allocator keeps of memory that was freed."""

import contextlib
import ctypes

_M_MMAP_THRESHOLD = -3
_LARGE_BYTES = 1024 * 1024


def give_large_blocks_back() -> None:
    """Have what is large go back to the system when it is freed: bodies with modules in them, for one.

    Left to itself glibc learns from the first such block to keep the next ones, of up to 32 MiB each.
    """
    with contextlib.suppress(OSError, AttributeError):  # another C library does as it does
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
