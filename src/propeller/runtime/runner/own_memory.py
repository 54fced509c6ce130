"""The writable memory of this process; it grows by what a component takes while it runs.

The engine does not tell the size of a component's linear memories, but the kernel counts them. The engine and
Python take a megabyte or so meanwhile, which is counted too.
"""

import os

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
#: The place in the file of the number of pages that are data or stack.
_DATA = 5


def writable_bytes() -> int:
    """Give the bytes, as the kernel counts them; 0 where it is not Linux."""
    try:
        file = os.open("/proc/self/statm", os.O_RDONLY)
    except FileNotFoundError:
        return 0
    try:
        return int(os.read(file, 200).split()[_DATA]) * _PAGE_BYTES
    finally:
        os.close(file)
