"""Finds the last lines of a log that is kept in pieces."""

from propeller.store.port import LogTail


class LastLines:
    """Takes the pieces, the last one first, until the lines are in them; an unfinished line counts."""

    def __init__(self, lines: int) -> None:
        self._is_none = not lines
        self._wanted = lines
        self._is_last = True

    def take(self, number: int, text: str) -> LogTail | None:
        """Take the piece of this id; give the begin of the lines if that is in it or behind it."""
        if self._is_none:
            return LogTail(number, 0)
        ends = text.count("\n")
        self._wanted += self._is_last and text.endswith("\n")
        self._is_last = self._is_last and not text
        if ends >= self._wanted:
            chars = _behind_line_end(text, self._wanted)
            return LogTail(number - 1, chars) if chars < len(text) else LogTail(number, 0)
        self._wanted -= ends
        return None


def _behind_line_end(text: str, count: int) -> int:
    at = len(text)
    for _ in range(count):
        at = text.rindex("\n", 0, at)
    return at + 1
