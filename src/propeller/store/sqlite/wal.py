"""SQLite's write-ahead log on the disk: its good frames, and the end of the present log.

Source: https://sqlite.org/fileformat2.html#the_write_ahead_log. A header of 32 bytes; then frames, each a
header of 24 bytes and a page. A frame is of the present log if it has the salts of the header, and good if
its checksum follows from that of the frame before. When a log begins at the front again, frames of the
previous log are left behind it.
"""

import os
import struct
from pathlib import Path
from typing import NamedTuple

HEADER_BYTES, FRAME_HEADER_BYTES = 32, 24
_MAGIC_LITTLE, _MAGIC_BIG = 0x377F0682, 0x377F0683
_32_BITS = 0xFFFFFFFF

Sums = tuple[int, int]


class Log(NamedTuple):
    """The frames of a log, counted."""

    #: The name of the log, in hex; ``""`` if its header is damaged.
    salts: str
    #: Good frames from the front, in an unbroken row, up to the last that ends a commit.
    committed: int
    #: Frames behind the first bad one that end a commit, and are good as far as can be seen.
    committed_behind: int
    #: True if good frames follow such a commit: then the commit had been on the disk in full.
    is_followed: bool
    #: True if a later log had begun to replace it: then all of it had been copied into the database.
    is_outdated: bool


def read_log(path: Path) -> Log | None:
    """Read the log of a database that no program has open; None if it is empty or missing."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    if len(data) <= HEADER_BYTES:
        return None
    magic, _, page_bytes, _ = struct.unpack(">4I", data[:16])
    order = {_MAGIC_LITTLE: "<", _MAGIC_BIG: ">"}.get(magic, "")
    if not order or _sums(order, data[:24], (0, 0)) != struct.unpack(">2I", data[24:32]):
        is_blank = not any(data[:HEADER_BYTES])  # a power cut may leave a file without content
        return None if is_blank else Log("", 0, 0, is_followed=False, is_outdated=False)
    return _Reading(data, order, page_bytes).log()


class _Reading:
    def __init__(self, data: bytes, order: str, page_bytes: int) -> None:
        self._data = data
        self._order = order
        self._frame_bytes = FRAME_HEADER_BYTES + page_bytes
        self._count = (len(data) - HEADER_BYTES) // self._frame_bytes
        self._salts = data[16:24]

    def log(self) -> Log:
        good = committed = 0
        sums: Sums = struct.unpack(">2I", self._data[24:32])
        while good < self._count and self._is_good(good, sums):
            sums = self._stored(good)
            good += 1
            committed = good if self._ends_commit(good - 1) else committed
        behind, is_followed, is_outdated = 0, False, False
        for number in range(good, self._count):
            if number > good and self._is_good(number, self._stored(number - 1)):
                is_followed |= behind > 0
                behind += self._ends_commit(number)
            is_outdated |= self._is_of_next_log(number)
        return Log(self._salts.hex(), committed, behind, is_followed=is_followed, is_outdated=is_outdated)

    def _head(self, number: int) -> bytes:
        at = HEADER_BYTES + number * self._frame_bytes
        return self._data[at : at + FRAME_HEADER_BYTES]

    def _stored(self, number: int) -> Sums:
        return struct.unpack(">2I", self._head(number)[16:24])

    def _ends_commit(self, number: int) -> bool:
        return self._head(number)[4:8] != bytes(4)

    def _is_good(self, number: int, before: Sums) -> bool:
        head = self._head(number)
        if head[8:16] != self._salts or head[:4] == bytes(4):
            return False
        at = HEADER_BYTES + number * self._frame_bytes
        page = self._data[at + FRAME_HEADER_BYTES : at + self._frame_bytes]
        return _sums(self._order, page, _sums(self._order, head[:8], before)) == self._stored(number)

    def _is_of_next_log(self, number: int) -> bool:
        """Say whether a frame has the salts of the next log: the first is larger by 1, the second is new."""
        salts = self._head(number)[8:16]
        first = (int.from_bytes(self._salts[:4]) + 1) & _32_BITS
        return int.from_bytes(salts[:4]) == first and salts[4:] != self._salts[4:]


def _sums(order: str, data: bytes, before: Sums) -> Sums:
    first, second = before
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for one, other in zip(words, words, strict=True):
        first = (first + one + second) & _32_BITS
        second = (second + other + first) & _32_BITS
    return first, second


class LiveLog:
    """The log of an open database, read without SQLite by the thread that writes."""

    def __init__(self, database: Path) -> None:
        # The file exists as long as a connection. SQLite has no locks on it that closing it here would break.
        self._descriptor = os.open(f"{database}-wal", os.O_RDONLY | os.O_CLOEXEC)
        self._frame_bytes = 0
        self.salts = b""
        #: Frames up to the last commit.
        self.frames = 0

    def look(self) -> None:
        """Find the last commit, with some reads of a few bytes, however long the log is."""
        header = os.pread(self._descriptor, HEADER_BYTES, 0)
        if len(header) < HEADER_BYTES:
            self.salts, self.frames = b"", 0
            return
        self._frame_bytes = FRAME_HEADER_BYTES + int.from_bytes(header[8:12])
        if header[16:24] != self.salts:
            self.salts, self.frames = header[16:24], 0
        self.frames = self._last_commit(self._end())

    def _end(self) -> int:
        """Count the frames of this log from the front: by growing strides, then by halving the last one."""
        known, stride = self.frames, 1
        while self._is_present(known + stride - 1):
            known, stride = known + stride, stride * 2
        missing = known + stride
        while missing - known > 1:
            middle = (known + missing) // 2
            if self._is_present(middle - 1):
                known = middle
            else:
                missing = middle
        return known

    def _last_commit(self, end: int) -> int:
        """Leave out the frames of a transaction that was rolled back."""
        while end > self.frames and self._head(end - 1)[4:8] == bytes(4):
            end -= 1
        return end

    def _is_present(self, number: int) -> bool:
        return self._head(number)[8:16] == self.salts

    def _head(self, number: int) -> bytes:
        return os.pread(self._descriptor, FRAME_HEADER_BYTES, HEADER_BYTES + number * self._frame_bytes)

    @property
    def used_bytes(self) -> int:
        return HEADER_BYTES + self.frames * self._frame_bytes

    @property
    def file_bytes(self) -> int:
        return os.fstat(self._descriptor).st_size

    def close(self) -> None:
        os.close(self._descriptor)
