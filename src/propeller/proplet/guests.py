"""Which runtime a proplet's guests run in: the embedded one, or a program that its owner has named."""

from collections.abc import Callable
from pathlib import Path

from propeller.runtime.external import ExternalRuntime
from propeller.runtime.pool import Pool
from propeller.runtime.run import Ended


def guests_of(
    program: str | None, directory: Path, *, size: int, on_ended: Callable[[list[Ended]], None]
) -> Pool | ExternalRuntime:
    """Make what runs guests; ``program`` as ``find_program`` gives it."""
    if program is None:
        return Pool(directory, size=size, on_ended=on_ended)
    return ExternalRuntime(program, directory, size=size, on_ended=on_ended)
