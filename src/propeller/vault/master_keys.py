"""Where the master key is: a file, a credential of systemd, a variable, or a file in the data directory.

It is text: 32 bytes in base64. Of several lines the first one encrypts, and all decrypt: so a key is followed
by another without a moment in which something can't be read.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from propeller import private
from propeller.errors import Unavailable

if TYPE_CHECKING:
    from propeller.vault.envelope import Ring

_KEY_BYTES = 32
_WAY_OUT = "make one with: openssl rand -base64 32"


class KeySource(msgspec.Struct, frozen=True, kw_only=True):
    """The place of the master key of one manager; where nothing is given, it has none."""

    #: A file that somebody else keeps.
    file: Path | None = None
    #: The key itself, from a variable.
    text: str = ""
    #: A file that the manager makes where no key is given; None where several managers need the same key.
    own: Path | None = None

    @property
    def place(self) -> str:
        """Say where the key is, for people."""
        if self.file is not None:
            return str(self.file)
        return "MANAGER_SECRETS_KEY" if self.text else str(self.own or "")

    @property
    def is_own(self) -> bool:
        """True if the manager makes the key and puts another in its place."""
        return self.file is None and not self.text and self.own is not None

    def read(self) -> Ring | None:
        """Read the keys; None if there are none. Raise ``Unavailable`` where they can't be read."""
        if self.file is not None:
            return _ring(_text_of(self.file), self.place)
        if self.text:
            return _ring(self.text, self.place)
        if self.own is None or not self.own.exists():
            return None
        private.mend(self.own)
        return _ring(_text_of(self.own), self.place)

    def make_first(self) -> Ring:
        """Put a new key before those in the own file, which may not be there; raise ``Unavailable``."""
        assert self.own is not None
        before = self.own.read_text().split() if self.own.exists() else []
        return self._write([base64.b64encode(os.urandom(_KEY_BYTES)).decode(), *before])

    def keep_first(self) -> Ring:
        """Drop all but the first key of the own file; raise ``Unavailable``."""
        assert self.own is not None
        return self._write(_text_of(self.own).split()[:1])

    def _write(self, lines: Sequence[str]) -> Ring:
        """Put a file with these keys in the place of the old one, on the disk, whole or not at all."""
        assert self.own is not None
        draft = self.own.with_name(f"{self.own.name}.new")
        try:
            draft.unlink(missing_ok=True)
            private.make_directory(self.own.parent)
            private.make_file(draft)
            with draft.open("w") as file:
                file.write("".join(f"{line}\n" for line in lines))
                file.flush()
                os.fsync(file.fileno())
            draft.rename(self.own)
            directory = os.open(self.own.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            raise Unavailable(
                f"the key of secrets can't be written to {self.own}: {error.strerror}; make room or mend the "
                "rights there, or give a key with MANAGER_SECRETS_KEY_FILE"
            ) from error
        return _ring("\n".join(lines), self.place)


def _text_of(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Unavailable(
            f"the key of secrets can't be read from {file}: {why}; put the file back, or name another with "
            "MANAGER_SECRETS_KEY_FILE"
        ) from error


def _ring(text: str, place: str) -> Ring:
    from propeller.vault.envelope import Ring  # noqa: PLC0415  settings are read without cryptography

    keys = []
    for number, line in enumerate(text.split(), 1):
        try:
            key = base64.b64decode(line, validate=True)
        except ValueError:
            key = b""
        if len(key) != _KEY_BYTES:
            raise Unavailable(f"{place}, line {number}: not 32 bytes in base64; {_WAY_OUT}")
        keys.append(key)
    if not keys:
        raise Unavailable(f"{place}: it is empty; {_WAY_OUT}")
    return Ring(keys)
