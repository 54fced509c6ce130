"""What a guest writes, as lines: its pieces begin and end anywhere."""

from typing import Any, NamedTuple

#: A line that is longer is shown in parts.
_LINE_CHARS = 8_000


class Line(NamedTuple):
    text: str
    #: ``stdout`` or ``stderr``.
    stream: str
    attempt: int


class Lines:
    """Puts the pieces of each stream of each attempt together."""

    def __init__(self) -> None:
        self._rests: dict[tuple[str, int], str] = {}

    def take(self, piece: Any) -> list[Line]:
        """Take in a piece, and return the lines that are whole with it."""
        key = (piece["stream"], piece.get("attempt", 1))
        *whole, rest = (self._rests.pop(key, "") + piece["text"]).split("\n")
        while len(rest) > _LINE_CHARS:
            whole.append(rest[:_LINE_CHARS])
            rest = rest[_LINE_CHARS:]
        if piece.get("cut"):
            whole += [*([rest] if rest else []), "… cut: the rest was not kept"]
        elif rest:
            self._rests[key] = rest
        return [
            Line(part, *key)
            for line in whole
            for part in [line[at : at + _LINE_CHARS] for at in range(0, max(len(line), 1), _LINE_CHARS)]
        ]

    def finish(self) -> list[Line]:
        """Give the lines that have no end, because nothing more comes."""
        left = [Line(rest, *key) for key, rest in self._rests.items()]
        self._rests.clear()
        return left
