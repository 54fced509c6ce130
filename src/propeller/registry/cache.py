"""The cache of fetched modules, on disk by digest: ``<directory>/<hex>``.

A file appears whole or not at all and never changes. Its digest is checked each time it is opened, and a
damaged file is deleted. The file's time is that of its last use.
"""

import contextlib
import hashlib
import logging
import os
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self

from propeller import private
from propeller.errors import ModuleUnavailable

_log = logging.getLogger(__name__)

_DRAFT_PREFIX = ".draft-"
#: No fetch takes so long: a draft of this age was left by a program that was killed.
_DRAFT_S_MAX = 3600
_HEX = re.compile(r"[0-9a-f]{64}")


class Blob:
    """An open file whose bytes have their digest; it can be read even if the cache lets go of it."""

    def __init__(self, descriptor: int, digest: str, size: int) -> None:
        self._descriptor = descriptor
        #: ``sha256:<hex>``
        self.digest = digest
        self.size = size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def piece(self, start: int, length: int) -> bytes:
        """Give up to ``length`` bytes from ``start`` on."""
        return os.pread(self._descriptor, length, start)

    def read(self) -> bytes:
        return self.piece(0, self.size)

    def file(self) -> BinaryIO:
        """Give it as a file from its begin, to be closed before this."""
        file = os.fdopen(os.dup(self._descriptor), "rb")
        file.seek(0)
        return file


class Draft:
    """A file in the making; gone at the end of its ``with`` unless it was kept."""

    def __init__(self, cache: "Cache") -> None:
        self._cache = cache
        self._sum = hashlib.sha256()
        self.size = 0
        with _writing(cache.directory):
            private.make_directory(cache.directory)
            descriptor, name = tempfile.mkstemp(prefix=_DRAFT_PREFIX, dir=cache.directory)
        self._path = Path(name)
        self._file = os.fdopen(descriptor, "wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # what a full disk did not take was reported when written
            self._file.close()
        self._path.unlink(missing_ok=True)

    @property
    def digest(self) -> str:
        """``sha256:<hex>`` of what was written so far."""
        return f"sha256:{self._sum.hexdigest()}"

    def write(self, piece: bytes) -> None:
        self._sum.update(piece)
        self.size += len(piece)
        with _writing(self._cache.directory):
            self._file.write(piece)

    def keep(self) -> None:
        """Put it into the cache under the digest of what was written."""
        with _writing(self._cache.directory):
            self._file.close()
            self._path.replace(self._cache.directory / self._sum.hexdigest())
        self._cache.make_room(self._sum.hexdigest())


class Cache:
    """Files by digest, of a bounded size together."""

    def __init__(self, directory: Path, *, bytes_max: int) -> None:
        self.directory = directory
        self._bytes_max = bytes_max
        for draft in directory.glob(f"{_DRAFT_PREFIX}*"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - draft.stat().st_mtime > _DRAFT_S_MAX:
                    draft.unlink()

    def draft(self) -> Draft:
        """Begin a file; raise ``ModuleUnavailable`` if the disk does not take it."""
        return Draft(self)

    def size(self, digest: str) -> int | None:
        """Give the size of the file of this digest, checked or not, in bytes."""
        with contextlib.suppress(OSError):
            return self._path(digest).stat().st_size
        return None

    def open(self, digest: str) -> Blob | None:
        """Open the file of this digest, or return None if there is none; reads all of it."""
        path = self._path(digest)
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError:
            return None
        try:
            with os.fdopen(os.dup(descriptor), "rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            found = f"unknown, as it can't be read: {error.strerror}"
        if found != path.name:
            _log.warning("%s is damaged, its digest is %s: fetching it again", path, found)
            os.close(descriptor)
            path.unlink(missing_ok=True)
            return None
        with contextlib.suppress(OSError):
            os.utime(descriptor)
        return Blob(descriptor, digest, os.fstat(descriptor).st_size)

    def make_room(self, kept: str) -> None:
        """Remove the least recently used files, but not ``kept``, until the rest fits."""
        files: list[tuple[float, int, Path]] = []
        for path in self.directory.glob("[0-9a-f]*"):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                files.append((status.st_mtime, status.st_size, path))
        excess = sum(size for _, size, _ in files) - self._bytes_max
        for _, size, path in sorted(files):
            if excess <= 0:
                return
            if path.name != kept:
                path.unlink(missing_ok=True)
                excess -= size

    def _path(self, digest: str) -> Path:
        hex_ = digest.removeprefix("sha256:")
        if not _HEX.fullmatch(hex_):
            raise ValueError(f"{digest[:80]!r} is no digest, and as a path it could be that of any file")
        return self.directory / hex_


@contextlib.contextmanager
def _writing(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ModuleUnavailable(f"the cache in {directory} can't be written: {error.strerror}") from error
