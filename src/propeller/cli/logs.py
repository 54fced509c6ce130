"""``propeller tasks logs``: what a task printed that is not its result."""

import json
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from propeller.cli.session import Session

_PAGE = 1000

FollowFlag = Annotated[bool, typer.Option("--follow", "-f", help="Go on until the task has ended.")]
StreamFlag = Annotated[str, typer.Option(help="stdout or stderr; both where it is not given.")]


def logs(
    session: Session,
    task_id: Annotated[str, typer.Argument(metavar="ID")],
    stream: StreamFlag = "",
    follow: FollowFlag = False,
) -> None:
    """Print what a task prints that is not its result: its standard error to standard error."""
    after = 0
    if follow:
        for piece in session.client.follow_logs(task_id, stream=stream):
            show_piece(session, piece)
        return
    while True:
        page = session.client.task_logs(task_id, stream=stream, after=after, limit=_PAGE)
        for piece in page["logs"]:
            show_piece(session, piece)
            after = piece["number"]
        if len(page["logs"]) < _PAGE:
            return


def show_piece(session: Session, piece: Mapping[str, Any]) -> None:
    """Print one piece where its guest has printed it; with ``--json`` a line of JSON each."""
    if session.as_json:
        print(json.dumps(piece, ensure_ascii=False), flush=True)
        return
    out = sys.stdout if piece["stream"] == "stdout" else sys.stderr
    out.write(piece["text"])
    if piece.get("cut"):
        out.write(f"\n… {piece['stream']} is cut here: it has reached its limit\n")
    out.flush()
