"""The directories that a guest is given, opened below those that the owner of its proplet allows.

A path does not say where it leads: whoever writes to a directory of the owner may have put a link there. So a
directory that is asked for is opened step by step from the one by whose leave it is given, and never out of
that. A guest gets what was opened, whatever becomes of the path meanwhile.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from propeller.core.sandbox import Dir, way_to
from propeller.errors import Invalid
from propeller.runtime.guest_run import GuestRun
from propeller.runtime.system.paths import LeadsOut, open_below

#: Where a program finds what its parents gave.
PARENTS_DIR = "/propeller"


class Given(NamedTuple):
    """A directory of a guest."""

    #: Open as long as the guest may come back to it.
    descriptor: int
    #: Its path there.
    guest: str
    may_change: bool


def given_to(run: GuestRun, parents: Path | None) -> list[Given]:
    """Open what a guest finds of files: the results of its parents, and what it was granted.

    To be closed (``close``).

    Raises:
        Invalid: One of the grants can't be opened, or leads elsewhere.

    """
    wanted = run.grants.dirs if run.grants is not None else ()
    dirs: list[Given] = []
    try:
        if parents is not None:
            dirs.append(Given(open_below(str(parents), "."), PARENTS_DIR, may_change=False))
        for one in wanted:
            descriptor = open_allowed(one, run.allowed_dirs, "grants.dirs")
            dirs.append(Given(descriptor, one.guest, may_change=one.mode == "rw"))
    except BaseException:
        close(dirs)
        raise
    return dirs


def close(dirs: Iterable[Given]) -> None:
    for one in dirs:
        os.close(one.descriptor)


def open_allowed(wanted: Dir, allowed: tuple[Dir, ...], field: str) -> int:
    """Open a directory below the one by whose leave it is given.

    Args:
        wanted: What is asked for.
        allowed: The directories that the owner of the proplet allows.
        field: Where it was asked for, to be named where it is refused.

    Raises:
        Invalid: It is not allowed, can't be opened, or leads elsewhere.

    """
    way = way_to(wanted, allowed)
    if way is None:
        how = "to be written to" if wanted.mode == "rw" else "to be read"
        raise Invalid(f"{field}: {wanted.host} is not allowed {how} on this proplet")
    try:
        return open_below(*way)
    except LeadsOut:
        raise Invalid(f"{field}: {wanted.host} leads out of {way[0]}") from None
    except (OSError, ValueError) as error:  # a path may have a NUL character in it, or be no text
        why = error.strerror if isinstance(error, OSError) else error
        raise Invalid(f"{field}: {wanted.host} can't be opened on this proplet: {why}") from error
