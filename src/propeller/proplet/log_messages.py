"""Log messages to the manager, made of what guests print."""

from collections.abc import Iterable

from propeller.proplet.machine import Machine
from propeller.runtime.guest_run import Piece
from propeller.wire.fleet.from_proplet import Logs


def log_messages(pieces: Iterable[Piece], machine: Machine) -> list[Logs]:
    """Make messages of pieces; leave out pieces of ended runs, and those for a foreign manager."""
    messages = []
    for piece in pieces:
        found = machine.printed(piece.key, piece.stream, len(piece.data))
        if found is None:
            continue
        start, offset = found
        if start.attempt:
            messages.append(
                Logs(
                    task_id=start.id,
                    proplet_id=machine.id,
                    attempt=start.attempt,
                    stream=piece.stream,
                    offset=offset,
                    text=piece.data.decode(errors="replace"),
                    is_cut=piece.is_cut,
                    at=piece.at,
                )
            )
    return messages
