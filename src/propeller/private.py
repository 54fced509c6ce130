"""Files for their owner alone: they hold the inputs and results of tasks.

Directories that were there before are left as they are: they may be somebody's own.
"""

import contextlib
import os
from pathlib import Path


def make_directory(path: Path) -> None:
    """Make a directory, with those above it, if it is not there; raise ``OSError``."""
    for each in (*reversed(path.parents), path):
        each.mkdir(exist_ok=True, mode=0o700)


def make_file(path: Path) -> None:
    """Make an empty file if it is not there, and mend its mode if it is; raise ``OSError``."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    os.close(descriptor)
    mend(path)


def mend(*paths: Path) -> None:
    """Take from others the rights that earlier versions gave them; files of another user stay as they are."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError, PermissionError):
            mode = path.stat().st_mode
            if mode & 0o077:
                path.chmod(mode & 0o700)


def database(path: Path) -> None:
    """Make an empty SQLite database, or mend one with its companions, which get its mode."""
    make_file(path)
    mend(*(path.with_name(path.name + end) for end in ("-wal", "-shm")))
