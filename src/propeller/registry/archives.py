"""Layers that are archives, as images for containers have them: the module is a file in one.

Source: OCI image specification, "Image Layer Filesystem Changeset"; Docker's image manifest, schema 2.
"""

import tarfile
from collections.abc import Iterator
from pathlib import PurePosixPath

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
_LISTED_MAX = 8


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
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise ModuleUnavailable(f"the layer of {name} is no archive that can be read: {error}") from error


def _chosen(blob: Blob, name: str) -> str:
    """Give the path of the module in an archive."""
    paths = [member.name for _, member in _files(blob, name)]
    found = [path for path in paths if path.endswith(_SUFFIX)]
    usual = [path for path in found if PurePosixPath(path).name == _USUAL]
    if not found:
        more = f" and {len(paths) - _LISTED_MAX} more" if len(paths) > _LISTED_MAX else ""
        listed = ", ".join(path[:200] for path in paths[:_LISTED_MAX]) + more
        raise ModuleUnavailable(
            f"the layer of {name} is an archive without a {_SUFFIX} file; in it are: {listed or 'no files'}"
        )
    return (usual or found)[0]


def _files(blob: Blob, name: str) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """Give the files of an archive one after the other; each can be read until the next one is asked for."""
    unpacked_bytes = 0
    with blob.file() as file, tarfile.open(fileobj=file, mode="r|*") as archive:
        for number, member in enumerate(archive):
            unpacked_bytes += member.size
            if unpacked_bytes > _UNPACKED_BYTES_MAX or number >= _FILES_MAX:
                raise ModuleUnavailable(
                    f"the layer of {name} is an archive that is too large to look through"
                )
            if member.isreg():
                yield archive, member
