"""The directories that a guest is given, opened below those that the owner of its proplet allows.

A path does not say where it leads: whatever writes to a directory of the owner may have put a link there.
So a directory is opened step by step from the one that allows it, and never outside of that. The guest gets
the directory that was opened, whatever becomes of its path.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from propeller.core.sandbox import Dir, way_to
from propeller.errors import Invalid
from propeller.runtime.guest_run import GuestRun
from propeller.runtime.system.paths import LeadsOut, open_below

#: The directory in which a program finds its parents' results.
PARENTS_DIR = "/propeller"


class Given(NamedTuple):
    """A directory of a guest."""

    #: Open until the guest has ended.
    descriptor: int
    #: Its path in the guest.
    guest: str
    may_change: bool


def given_to(run: GuestRun, parents: Path | None) -> list[Given]:
    """Open the directories of a guest: that of its parents' results, and those of its grants.

    The caller closes them (``close``).

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
    """Open a directory below the one that allows it.

    Args:
        wanted: The directory that the task names.
        allowed: The directories that the owner of the proplet allows.
        field: The task's field that names it, for messages.

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
    except (OSError, ValueError) as error:  # a path may have a NUL character in it, or not be UTF-8
        why = error.strerror if isinstance(error, OSError) else error
        raise Invalid(f"{field}: {wanted.host} can't be opened on this proplet: {why}") from error
