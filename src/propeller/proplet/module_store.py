"""The modules that a proplet keeps on disk: by digest, verified, and of a bounded size together.

A module is in ``<directory>/modules/<digest>``. The code that the runtime compiled from it is in
``compiled/<engine>/<digest>``, and is deleted with it.
"""

import hashlib
import os
import re
from collections import OrderedDict
from collections.abc import Container
from pathlib import Path

from propeller import private

#: Enough for hundreds of ordinary modules.
BYTES_MAX = 2 * 1024**3

_DIGEST = re.compile(r"[0-9a-f]{64}")


class ModuleStore:
    """Modules in the order of their last use; the least recently used make room for new ones."""

    def __init__(self, directory: Path, *, bytes_max: int = BYTES_MAX) -> None:
        """Read which modules there are.

        Args:
            directory: Holds ``modules`` and ``compiled``; made if need be.
            bytes_max: How much the modules may take together.

        """
        self._modules = directory / "modules"
        self._compiled = directory / "compiled"
        self._bytes_max = bytes_max
        private.make_directory(self._modules)
        found = [(entry.stat(), entry.name) for entry in os.scandir(self._modules) if entry.name[:1] != "."]
        found.sort(key=lambda entry: entry[0].st_mtime)
        #: Sizes by digest, the one used longest ago first.
        self._sizes = OrderedDict((name, stat.st_size) for stat, name in found)
        #: Verified since this program began.
        self._sound: set[str] = set()

    def has(self, digest: str) -> bool:
        """Look for a module, and verify its bytes the first time: a power cut may have left a part of it.

        Several proplets may share the directory, so a module may have come since the start. A task may name
        something that is no digest: that is not looked for, as it could be the path of any file.
        """
        if not _DIGEST.fullmatch(digest):
            return False
        if digest in self._sound:
            self._sizes.move_to_end(digest)
            return True
        path = self._modules / digest
        try:
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() != digest:
                return False
            os.utime(path)
        except (OSError, ValueError):
            return False
        self._note(digest, len(data))
        return True

    def path(self, digest: str) -> Path:
        return self._modules / digest

    def put(self, data: bytes) -> str:
        """Keep a module and return its digest; raise ``OSError`` where that can't be.

        Call ``make_room`` when it has been noted as one in use.
        """
        digest = hashlib.sha256(data).hexdigest()
        if not self.has(digest):
            draft = self._modules / f".{digest}.{os.getpid()}"
            draft.write_bytes(data)
            draft.rename(self._modules / digest)
            self._note(digest, len(data))
        return digest

    def _note(self, digest: str, size_bytes: int) -> None:
        self._sizes[digest] = size_bytes
        self._sizes.move_to_end(digest)
        self._sound.add(digest)

    def make_room(self, in_use: Container[str]) -> list[str]:
        """Delete modules until the rest fits, but none in use; return the digests of those deleted."""
        excess = sum(self._sizes.values()) - self._bytes_max
        deleted: list[str] = []
        for digest, size_bytes in list(self._sizes.items()):
            if excess <= 0:
                break
            if digest not in in_use:
                self._delete(digest)
                deleted.append(digest)
                excess -= size_bytes
        return deleted

    def _delete(self, digest: str) -> None:
        del self._sizes[digest]
        self._sound.discard(digest)
        (self._modules / digest).unlink(missing_ok=True)
        for compiled in self._compiled.glob(f"*/{digest}*"):
            compiled.unlink(missing_ok=True)
