"""Writes files whole or not at all, readable only by their owner."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from propeller.config.errors import BadFiles


def read_text(path: Path) -> str | None:
    """Return the text of a file; None if there is no file.

    Raises:
        BadFiles: The file is there and can't be read.

    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise BadFiles(f"{path}: can't be read: {error}") from error


def create_text(path: Path, text: str, *, force: bool) -> None:
    """Write a new file, with the mode 0600.

    Raises:
        BadFiles: The file can't be written, or is there already and ``force`` is not given.

    """
    target = path.resolve()
    with _written(path, target, text) as (name, _):
        if force:
            name.replace(target)
        else:
            target.hardlink_to(name)  # unlike a rename, this never replaces


def replace_text(path: Path, text: str) -> None:
    """Write a file anew, and keep its mode and its owner; a link to it stays a link.

    Raises:
        BadFiles: The file can't be written.

    """
    target = path.resolve()
    with _written(path, target, text) as (name, descriptor):
        if target.exists():
            before = target.stat()
            os.fchmod(descriptor, before.st_mode & 0o7777)
            with contextlib.suppress(PermissionError):  # only root may give files away
                os.fchown(descriptor, before.st_uid, before.st_gid)
        name.replace(target)


@contextlib.contextmanager
def _written(path: Path, target: Path, text: str) -> Iterator[tuple[Path, int]]:
    """Write a new file beside the target, which the caller puts in its place."""
    try:
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(descriptor)
                yield Path(name), descriptor
        finally:
            Path(name).unlink(missing_ok=True)
        _sync_directory(target.parent)
    except FileExistsError:
        raise BadFiles(f"{path}: is there already; --force replaces it") from None
    except OSError as error:
        raise BadFiles(f"{path}: can't be written: {error.strerror}") from error


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
