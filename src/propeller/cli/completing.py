"""Arguments and flags that name records, and how a shell completes them: it asks the manager what there is.

Where that does not answer soon, there is nothing to complete, and nothing is said.
"""

import contextlib
import io
import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

from propeller.cli.naming import JOB, PROPLET, TASK, WORKFLOW, Kind
from propeller.cli.session import Session
from propeller.errors import PropellerError

#: How long whoever has pressed the key waits for a request at most.
_ANSWER_S = 1.0
_MANY = 100
#: Other words would have to be quoted.
_PLAIN = re.compile(r"[\w@%+=.,/-]+")
#: The flags that a manager is chosen by.
_OF_MANAGER = ("manager_url", "tls_verification", "ca_cert", "client_cert", "client_key", "token_file")


def completer(kind: Kind) -> Callable[[typer.Context, str], list[str]]:
    """Make what Typer asks for the ids and names of a kind that begin with what has been typed."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        given = dict[str, Any]()
        level: typer.Context | None = ctx
        while level is not None:  # a flag nearer to the command wins
            given = {name: level.params.get(name) for name in _OF_MANAGER} | given
            given = {name: value for name, value in given.items() if value is not None}
            level = level.parent  # type: ignore[assignment]
        session = Session(answer_s=_ANSWER_S)
        session.take(given)
        with contextlib.suppress(PropellerError), contextlib.redirect_stderr(io.StringIO()):
            return [*dict.fromkeys(_words(session, kind, incomplete))]
        return []

    return complete


def _words(session: Session, kind: Kind, begin: str) -> Iterator[str]:
    queries: list[dict[str, str]] = [{"id_prefix": begin}]
    if kind.has_names and begin:
        queries.append({})
    for only in queries:
        for record in kind.page(session.client, 0, _MANY, only)[kind.plural]:
            for word in (record[kind.key], record.get("name", "") if kind.has_names else ""):
                if word.startswith(begin) and _PLAIN.fullmatch(word):
                    yield word


TaskId = Annotated[str, typer.Argument(metavar="ID", autocompletion=completer(TASK))]
WorkflowId = Annotated[str, typer.Argument(metavar="ID", autocompletion=completer(WORKFLOW))]
JobId = Annotated[str, typer.Argument(metavar="ID", autocompletion=completer(JOB))]
PropletId = Annotated[str, typer.Argument(metavar="ID", autocompletion=completer(PROPLET))]


def flag(kind: Kind, *names: str, text: str) -> Any:
    """Make a flag that names a record."""
    return Annotated[
        str | None, typer.Option(*names, metavar="ID", help=text, autocompletion=completer(kind))
    ]
