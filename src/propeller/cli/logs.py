"""Prints the logs of tasks: each stream to the stream of its name, or with ``--json`` as an answer."""

import json
import sys
from typing import TYPE_CHECKING, Any, cast

from propeller.cli import formatting
from propeller.cli.session import Session

if TYPE_CHECKING:
    from propeller.client.shapes import Log

_PAGE = 1000


def show(session: Session, task_id: str, **chosen: Any) -> None:
    """Print the logs that there are."""
    page = session.client.task_logs(task_id, **chosen, limit=_PAGE)
    found = page["logs"]
    while len(page["logs"]) == _PAGE:
        last = page["logs"][-1]
        # The first page has made the choice of attempt and tail; the others go on from there.
        rest = chosen | {"attempt": chosen["attempt"] or str(last["attempt"]), "tail": None}
        page = session.client.task_logs(task_id, **rest, after=last["id"], limit=_PAGE)
        found += page["logs"]
    if session.as_json:
        session.show_json({"total": page["total"], "logs": found})
        return
    for piece in found:
        print_piece(session, piece)
    if not found:
        session.remark(f"no logs of task {task_id}")


def follow(session: Session, task_id: str, **chosen: Any) -> None:
    """Print the logs, and go on until the task has ended; with ``--json`` one object a line."""
    for item in session.client.follow_task_logs(task_id, **chosen):
        if session.as_json:
            print(json.dumps(item, ensure_ascii=False), flush=True)
        elif "text" in item:
            print_piece(session, cast("Log", item))


def print_piece(session: Session, piece: "Log") -> None:
    """Print a piece to the stream that its guest wrote it to, with a remark if the rest was dropped."""
    stream, text = piece["stream"], piece["text"]
    out = sys.stderr if stream == "stderr" else sys.stdout
    out.write(formatting.shown_on(out, text))
    out.flush()
    if piece.get("cut"):
        line_end = "" if not text or text.endswith("\n") else "\n"
        limit = formatting.size(piece["offset"] + len(text.encode(errors="replace")))
        session.remark(f"{line_end}… {stream} cut at {limit}")
