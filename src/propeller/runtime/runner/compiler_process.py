"""The process that compiles one module and ends; ``compiler`` starts it."""

import sys
from pathlib import Path

from propeller.errors import Invalid
from propeller.runtime.runner.cache import Cache
from propeller.runtime.runner.compiler import REFUSED
from propeller.runtime.system import launch


def main() -> None:
    """Compile; arguments: the parent's process, then those of ``compile_apart``."""
    parent, directory, digest, stack_bytes, is_metered = sys.argv[1:]
    launch.die_with_parent(int(parent))
    launch.die_first()
    cache = Cache(Path(directory), stack_bytes=int(stack_bytes), is_metered=bool(int(is_metered)))
    try:
        cache.compile(digest)
    except Invalid as invalid:
        sys.stdout.buffer.write(str(invalid).encode())
        sys.stdout.flush()
        sys.exit(REFUSED)


if __name__ == "__main__":
    main()
