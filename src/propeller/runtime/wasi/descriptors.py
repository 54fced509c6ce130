"""Files and directories that guests have open, and their opening.

Only directories and plain files are opened. The rights of a descriptor are settled when it is opened: nothing
below a directory that was granted for reading can be changed in any way.
"""

import errno
import os
import stat
from typing import Any

from propeller.runtime.component.variants import Case, Err, Ok
from propeller.runtime.system.directories import Given
from propeller.runtime.system.paths import failed, place_of
from propeller.runtime.wasi.io import InputStream, OutputStream, Problem
from propeller.runtime.wasi.session import Session

#: How many descriptors one call may have open at once.
OPEN_MAX = 128

_CODES = {
    getattr(errno, name): code
    for name, code in (
        pair.split(":")
        for pair in (
            "EACCES:access EAGAIN:would-block EALREADY:already EBADF:bad-descriptor EBUSY:busy "
            "EDEADLK:deadlock EDQUOT:quota EEXIST:exist EFBIG:file-too-large EILSEQ:illegal-byte-sequence "
            "EINTR:interrupted EINVAL:invalid EIO:io EISDIR:is-directory ELOOP:loop EMLINK:too-many-links "
            "ENAMETOOLONG:name-too-long ENODEV:no-device ENOENT:no-entry ENOLCK:no-lock "
            "ENOMEM:insufficient-memory ENFILE:insufficient-memory EMFILE:insufficient-memory "
            "ENOSPC:insufficient-space ENOTDIR:not-directory ENOTEMPTY:not-empty EOPNOTSUPP:unsupported "
            "ENXIO:no-such-device EOVERFLOW:overflow EPERM:not-permitted EPIPE:pipe EROFS:read-only "
            "ESPIPE:invalid-seek ETXTBSY:text-file-busy EXDEV:cross-device"
        ).split()
    )
}
KINDS = {
    stat.S_IFBLK: "block-device",
    stat.S_IFCHR: "character-device",
    stat.S_IFDIR: "directory",
    stat.S_IFIFO: "fifo",
    stat.S_IFLNK: "symbolic-link",
    stat.S_IFREG: "regular-file",
    stat.S_IFSOCK: "socket",
}


def code_of(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return _CODES.get(error.errno or 0, "io")
    # A path with a NUL character, or a name that is not UTF-8.
    return "illegal-byte-sequence" if isinstance(error, UnicodeError) else "invalid"


_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class _OpenFile:
    """A descriptor of the system; closed when the guest drops it, or at the end of the call."""

    def __init__(self, session: Session, number: int) -> None:
        self.number = number
        self._session = session
        session.files.add(self)

    def release(self) -> None:
        self._session.files.discard(self)
        os.close(self.number)

    def dropped(self) -> None:
        self.release()


class Descriptor(_OpenFile):
    """A file or a directory."""

    def __init__(
        self, session: Session, number: int, *, is_directory: bool, may_read: bool, may_change: bool
    ) -> None:
        super().__init__(session, number)
        self.is_directory = is_directory
        self.may_read = may_read
        #: Of a file: whether it may be written. Of a directory: whether its content may change, at any depth.
        self.may_change = may_change

    def reading(self) -> int:
        return self._allowed(self.may_read and not self.is_directory)

    def writing(self) -> int:
        return self._allowed(self.may_change and not self.is_directory)

    def directory(self, *, change: bool = False) -> int:
        """Give its number where it is a directory, whose content may be changed if ``change``."""
        if not self.is_directory:
            raise failed(errno.ENOTDIR)
        if change and not self.may_change:
            raise failed(errno.EPERM)
        return self.number

    def _allowed(self, is_allowed: bool) -> int:
        if not is_allowed:
            raise failed(errno.EISDIR if self.is_directory else errno.EBADF)
        return self.number


class FileProblem(Problem):
    """An error of a file's stream."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror or str(error))
        self.file_code = code_of(error)


class FileInputStream(InputStream, _OpenFile):
    """A stream from which a guest reads a file."""

    def __init__(self, session: Session, number: int, offset: int) -> None:
        InputStream.__init__(self, session)
        _OpenFile.__init__(self, session, number)
        self._offset = offset

    @property
    def is_ready(self) -> bool:
        return True

    def read(self, most: int) -> bytes:
        try:
            data = os.pread(self.number, most, self._offset)
        except OSError as error:
            self.problem, data = FileProblem(error), b""
        self._offset += len(data)
        if most and not data:
            self._is_closed = True
        return data

    def dropped(self) -> None:
        _OpenFile.dropped(self)


class FileOutputStream(OutputStream, _OpenFile):
    """A stream by which a guest writes a file."""

    def __init__(self, session: Session, number: int, offset: int | None) -> None:
        """Write from an offset on; where it is None, at the end of a file that was opened for appending."""
        OutputStream.__init__(self, self._put)
        _OpenFile.__init__(self, session, number)
        self._offset = offset

    def _put(self, data: bytes) -> None:
        while data:
            if self._offset is None:
                size = os.write(self.number, data)
            else:
                size = os.pwrite(self.number, data, self._offset)
                self._offset += size
            data = data[size:]

    def write(self, data: bytes) -> Any:
        try:
            self._put(data)
        except OSError as error:
            return Err(Case("last-operation-failed", self._session.add(FileProblem(error))))
        return Ok()


class DirectoryEntries(_OpenFile):
    """The entries of a directory, one by one."""

    def __init__(self, session: Session, directory: int) -> None:
        # Opened again, because a duplicate would share the position of its original.
        super().__init__(session, os.open(".", _DIRECTORY, dir_fd=directory))
        self._entries = os.scandir(self.number)

    def release(self) -> None:
        self._entries.close()
        super().release()

    def next(self) -> dict[str, str] | None:
        entry = next(self._entries, None)
        if entry is None:
            return None
        entry.name.encode()  # raises where it is not UTF-8
        kind = stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode)
        return {"type": KINDS.get(kind, "unknown"), "name": entry.name}


# -- opening -----------------------------------------------------------------------------------------------


def ensure_room(session: Session) -> None:
    if len(session.files) >= OPEN_MAX:
        raise failed(errno.EMFILE)


def preopened(session: Session) -> list[tuple[int, str]]:
    return [(session.add(_preopen(session, directory)), directory.guest) for directory in session.dirs]


def _preopen(session: Session, directory: Given) -> Descriptor:
    ensure_room(session)
    number = os.open(".", _DIRECTORY, dir_fd=directory.descriptor)
    return Descriptor(session, number, is_directory=True, may_read=True, may_change=directory.may_change)


def open_at(  # noqa: PLR0917  these are the interface's
    session: Session, base: Descriptor, path_flags: set[str], path: str, how: set[str], flags: set[str]
) -> Ok:
    ensure_room(session)
    changes = bool(how & {"create", "truncate"} or flags & {"write", "mutate-directory"})
    # A file that must be new is not looked for behind a link.
    follow = "symlink-follow" in path_flags and "exclusive" not in how
    with place_of(base.directory(change=changes), path, follow=follow) as place:
        _refuse_devices(place.directory, place.name)
        number = os.open(place.name, _flags(how, flags), 0o666, dir_fd=place.directory)
    try:
        mode = os.fstat(number).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise failed(errno.EOPNOTSUPP)
    except OSError:
        os.close(number)
        raise
    is_directory = stat.S_ISDIR(mode)
    opened = Descriptor(
        session,
        number,
        is_directory=is_directory,
        may_read="read" in flags or "write" not in flags,
        may_change=base.may_change if is_directory else "write" in flags,
    )
    return Ok(session.add(opened))


def _refuse_devices(directory: int, name: str) -> None:
    """Look before opening: the opening of some devices has an effect, and that of a pipe blocks."""
    try:
        mode = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
        raise failed(errno.EOPNOTSUPP)


def _flags(how: set[str], flags: set[str]) -> int:
    access = os.O_RDONLY
    if "write" in flags:
        access = os.O_RDWR if "read" in flags else os.O_WRONLY
    for name, flag in (
        ("create", os.O_CREAT),
        ("directory", os.O_DIRECTORY),
        ("exclusive", os.O_EXCL),
        ("truncate", os.O_TRUNC),
    ):
        access |= flag if name in how else 0
    if "file-integrity-sync" in flags:
        access |= os.O_SYNC
    elif "data-integrity-sync" in flags:
        access |= os.O_DSYNC
    return access | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
