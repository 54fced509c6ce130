"""Layers that are archives, as images for containers have them: the module is a file in one.

An archive may say anything of itself, and a small one may unpack to any size. So what comes out of the
decompression is counted before ``tarfile`` sees it, which reads headers of any size into memory.
Source: OCI image specification, "Image Layer Filesystem Changeset"; Docker's image manifest, schema 2.
"""

import contextlib
import gzip
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import BinaryIO, cast

from propeller.errors import ModuleUnavailable
from propeller.registry.cache import Blob, Draft

#: The name that is taken before all others.
_USUAL = "module.wasm"
_SUFFIX = ".wasm"
_MAGIC = b"\0asm"
_PIECE_BYTES = 1 << 20
#: What an archive may unpack to, and how many files it may have: packed, zeros take no room.
_UNPACKED_BYTES_MAX = 1 << 30
_FILES_MAX = 100_000
#: The headers between one file and the next: names, attributes, maps of sparse files.
_HEADERS_BYTES_MAX = 1 << 18
#: ``tarfile`` reads ahead by no more than this.
_AHEAD_BYTES = 20 * tarfile.BLOCKSIZE
_LISTED_MAX = 8
#: Ways to pack that no specification of images has, or that need another library, by their first bytes.
_OTHER_PACKINGS = {b"BZh": "bzip2", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_GZIP = b"\x1f\x8b"


def is_module(blob: Blob) -> bool:
    """Say whether a blob is a module by its content, whatever its media type says."""
    return blob.piece(0, len(_MAGIC)) == _MAGIC


def unpack(blob: Blob, draft: Draft, *, name: str, bytes_max: int) -> None:
    """Write the module that is in an archive to the draft: ``module.wasm``, or the first file of that kind.

    Raises:
        ModuleUnavailable: There is none, it is too large, or the archive can't be read; ``name`` names it.

    """
    try:
        wanted = _chosen(blob, name)
        for archive, member in _files(blob, name):
            if member.name != wanted:
                continue
            if member.size > bytes_max:
                raise ModuleUnavailable(
                    f"{wanted} in {name} has {member.size} bytes; {bytes_max} are allowed"
                )
            content = archive.extractfile(member)
            assert content is not None
            while piece := content.read(_PIECE_BYTES):
                draft.write(piece)
            return
    except (tarfile.TarError, OSError, EOFError, ValueError, zlib.error) as error:
        raise ModuleUnavailable(f"the layer of {name} is no archive that can be read: {error}") from error


def _chosen(blob: Blob, name: str) -> str:
    """Give the path of the module in an archive; no more of the others is kept than is shown."""
    first, count, listed = "", 0, []
    for _, member in _files(blob, name):
        path, count = member.name, count + 1
        if count <= _LISTED_MAX:
            listed.append(path[:200])
        if path.endswith(_SUFFIX):
            if PurePosixPath(path).name == _USUAL:
                return path
            first = first or path
    if not first:
        more = f" and {count - _LISTED_MAX} more" if count > _LISTED_MAX else ""
        files = ", ".join(listed) + more or "no files"
        raise ModuleUnavailable(
            f"the layer of {name} is an archive without a {_SUFFIX} file; in it are: {files}"
        )
    return first


class _Unpacked:
    """What comes out of the decompression, up to a limit that the reader of files moves on."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        self._count = 0
        self._limit = 0

    def let_through(self, count: int) -> None:
        """Let so many bytes through, counted from the beginning of the archive."""
        self._limit = min(count, _UNPACKED_BYTES_MAX)

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self._count += len(data)
        if self._count > self._limit:
            raise _too_large(self._name)
        return data


def _files(blob: Blob, name: str) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """Give the files of an archive one after the other; each can be read until the next one is asked for."""
    with _opened(blob, name) as file:
        unpacked = _Unpacked(file, name)
        around_bytes = _HEADERS_BYTES_MAX + _AHEAD_BYTES
        unpacked.let_through(around_bytes)
        with tarfile.open(fileobj=cast("BinaryIO", unpacked), mode="r|") as archive:
            number = 0
            while (member := archive.next()) is not None:
                # It keeps all of them, and every key of the headers that are for the whole archive. Such a
                # header names no file, so none is needed for the files to come.
                archive.members = []  # type: ignore[attr-defined]
                archive.pax_headers = {}
                number += 1
                if archive.offset > _UNPACKED_BYTES_MAX or number > _FILES_MAX:
                    raise _too_large(name)
                unpacked.let_through(archive.offset + around_bytes)
                if member.isreg():
                    yield archive, member


@contextlib.contextmanager
def _opened(blob: Blob, name: str) -> Iterator[BinaryIO]:
    """Open an archive as what it unpacks to."""
    for magic, packing in _OTHER_PACKINGS.items():
        if blob.piece(0, len(magic)) == magic:
            raise ModuleUnavailable(
                f"the layer of {name} is packed with {packing}, which is not read; pack it with gzip"
            )
    with blob.file() as file:
        is_packed = blob.piece(0, len(_GZIP)) == _GZIP
        yield cast("BinaryIO", gzip.GzipFile(fileobj=file)) if is_packed else file


def _too_large(name: str) -> ModuleUnavailable:
    return ModuleUnavailable(f"the layer of {name} is an archive that is too large to look through")
