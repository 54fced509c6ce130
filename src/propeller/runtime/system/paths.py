"""Paths of a guest, which never lead out of the directory that they begin in.

A path is walked name by name from an open directory; each step opens a directory and never follows a link
by itself. Links are read and walked here, so that one which leads out, whoever made it and whenever it was
put there, is refused like a path that does so itself. What only looks like a link, as in ``/proc``, is read
as its text.
"""

import contextlib
import errno
import os
from collections.abc import Iterator
from typing import NamedTuple

#: As Linux has them.
_LINKS_MAX = 40
_PATH_BYTES_MAX = 4096

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
#: To go on from, which takes no right to read it where the system knows that.
_STEP = _DIRECTORY | getattr(os, "O_PATH", 0)


class Place(NamedTuple):
    """Where a path has led to: a name in an open directory, ``.`` for that directory itself."""

    directory: int
    name: str


class LeadsOut(PermissionError):
    """A path, or a link on its way, does not stay below the directory that it began in."""

    def __init__(self) -> None:
        super().__init__(errno.EPERM, os.strerror(errno.EPERM))


def failed(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def open_below(top: str, path: str) -> int:
    """Open a directory to be read; give its descriptor.

    Args:
        top: Where it has to stay; links in this path are followed.
        path: From there on.

    Raises:
        OSError: ``LeadsOut``, or as the system has it.

    """
    base = os.open(top, _STEP)
    try:
        with place_of(base, path, follow=True) as place:
            return os.open(place.name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=place.directory)
    finally:
        os.close(base)


@contextlib.contextmanager
def place_of(base: int, path: str, *, follow: bool) -> Iterator[Place]:
    """Walk a path; what it names need not exist.

    Args:
        base: Descriptor of the directory that it begins in.
        path: Relative; ``..`` is understood where it stays inside.
        follow: Whether a link at its end is walked as well. Where it is not, or became one meanwhile, the
            name is that of the link: open it with ``O_NOFOLLOW``.

    Raises:
        OSError: ``LeadsOut``, or as the system has it.

    """
    if not path:
        raise failed(errno.ENOENT)
    if len(path.encode()) > _PATH_BYTES_MAX:
        raise failed(errno.ENAMETOOLONG)
    with contextlib.ExitStack() as opened:
        walk = _Walk(base, opened)
        yield walk.along(path, follow=follow)


class _Walk:
    def __init__(self, base: int, opened: contextlib.ExitStack) -> None:
        self._opened = opened
        #: From the base down to where it stands: what ``..`` goes back along.
        self._way = [base]
        self._links = 0

    def along(self, path: str, *, follow: bool) -> Place:
        rest = self._names(path)
        while rest:
            name = rest.pop()
            if name in ("", "."):
                continue
            if name == "..":
                self._back()
                continue
            if not rest:
                target = self._link(name) if follow else None
                if target is None:
                    return Place(self._way[-1], name)
            else:
                target = self._enter(name)
            if target is not None:
                rest += self._names(target)
        return Place(self._way[-1], ".")

    @staticmethod
    def _names(path: str) -> list[str]:
        """Split a path, the first name last; one with a slash at its end has an empty name there."""
        if path.startswith("/"):
            raise LeadsOut
        return path.split("/")[::-1]

    def _back(self) -> None:
        if len(self._way) == 1:
            raise LeadsOut
        self._way.pop()

    def _enter(self, name: str) -> str | None:
        """Step into a directory; where it is a link, give what that says instead."""
        try:
            directory = os.open(name, _STEP | os.O_NOFOLLOW, dir_fd=self._way[-1])
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            target = self._link(name)
            if target is None:
                raise
            return target
        self._opened.callback(os.close, directory)
        self._way.append(directory)
        return None

    def _link(self, name: str) -> str | None:
        try:
            target = os.readlink(name, dir_fd=self._way[-1])
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOENT):  # it is none, or there is nothing yet
                return None
            raise
        self._links += 1
        if self._links > _LINKS_MAX:
            raise failed(errno.ELOOP)
        return target
