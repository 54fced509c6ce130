"""How much memory of this process can be written to; what that grows by while a component runs, it has.

Nobody outside can see a component's linear memories, but the kernel counts them. What the engine and Python
take meanwhile comes on top: a megabyte or so.
"""

import os

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
#: Of the numbers in the file, the one of pages that are data or stack.
_DATA = 5


def writable_bytes() -> int:
    """Ask the kernel; 0 where it is not Linux."""
    try:
        file = os.open("/proc/self/statm", os.O_RDONLY)
    except FileNotFoundError:
        return 0
    try:
        return int(os.read(file, 200).split()[_DATA]) * _PAGE_BYTES
    finally:
        os.close(file)
