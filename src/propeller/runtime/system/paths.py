"""Paths of guests, which never lead out of the directory in which they begin.

A path is walked name by name from an open directory; each step opens a directory and never follows a link.
Links are read and walked here, so that a link that leads out is refused like a path that does so itself,
whenever it was put there. A link of ``/proc`` that is none is read as its text.
"""

import contextlib
import errno
import os
from collections.abc import Iterator
from typing import NamedTuple

#: The limits of Linux.
_LINKS_MAX = 40
_PATH_BYTES_MAX = 4096

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
#: Opens a directory to step on from, without the right to read it where the system can do that.
_STEP = _DIRECTORY | getattr(os, "O_PATH", 0)


class Place(NamedTuple):
    """The end of a path: a name in an open directory, ``.`` for that directory itself."""

    directory: int
    name: str


class LeadsOut(PermissionError):
    """A path, or a link on it, leads out of the directory in which it begins."""

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
    """Walk a path, whose end need not exist.

    Args:
        base: Descriptor of the directory that it begins in.
        path: Relative; it may have ``..`` in it that stays inside.
        follow: Whether a link at its end is walked too. The name may still be that of a link, which took
            its place meanwhile: open it with ``O_NOFOLLOW``.

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
        #: The open directories from the base to the present one; ``..`` goes back by one.
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
        """Split a path, first name last; a slash at its end gives an empty name."""
        if path.startswith("/"):
            raise LeadsOut
        return path.split("/")[::-1]

    def _back(self) -> None:
        if len(self._way) == 1:
            raise LeadsOut
        self._way.pop()

    def _enter(self, name: str) -> str | None:
        """Step into a directory; where it is a link, give its target instead."""
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
