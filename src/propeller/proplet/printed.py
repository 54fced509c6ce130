"""What guests print, as messages to the manager."""

from collections.abc import Callable, Iterable

from propeller.runtime.run import Piece
from propeller.wire.messages import Logs, Start


def logs_of(pieces: Iterable[Piece], proplet_id: str, start_of: Callable[[int], Start | None]) -> list[Logs]:
    """Write pieces as messages; not those of runs that are over, or of a foreign manager."""
    messages = []
    for piece in pieces:
        start = start_of(piece.key)
        if start is not None and start.attempt:
            messages.append(
                Logs(
                    task_id=start.id,
                    proplet_id=proplet_id,
                    attempt=start.attempt,
                    stream=piece.stream,
                    offset=piece.offset,
                    text=piece.data.decode(errors="replace"),
                    is_cut=piece.is_cut,
                    at=piece.at,
                )
            )
    return messages
