"""``rerun`` and ``clone`` of workflows and jobs."""

from functools import partial
from typing import Annotated, Any

import typer

from propeller.cli import views
from propeller.cli.commands import command
from propeller.cli.completing import completer
from propeller.cli.heeding import check_key
from propeller.cli.naming import Kind, named
from propeller.cli.options import KeyFlag
from propeller.cli.session import Session


def add(app: typer.Typer, kind: Kind) -> None:
    """Add both commands to the group of a kind."""
    _add_rerun(app, kind)
    _add_clone(app, kind)


def _add_rerun(app: typer.Typer, kind: Kind) -> None:
    def rerun(
        session: Session,
        group_id: Annotated[str, typer.Argument(metavar="ID", autocompletion=completer(kind))],
        what: Annotated[
            str,
            typer.Option(
                metavar="WHAT",
                help="failed: what failed, was interrupted or skipped, and all that hangs on it; or all. "
                "Without a flag: failed.",
            ),
        ] = "",
        from_task: Annotated[
            str, typer.Option("--from", metavar="TASK", help="This task, and all that hangs on it.")
        ] = "",
        idempotency_key: KeyFlag = None,
    ) -> None:
        if what and from_task:
            raise typer.BadParameter("use either --what or --from, not both")
        check_key(session.client, idempotency_key)
        rerun_one = session.client.rerun_workflow if kind.word == "workflow" else session.client.rerun_job
        act = partial(rerun_one, what=what, from_task=from_task, key=idempotency_key)
        session.show_done(named(session, kind, group_id, act))

    rerun.__doc__ = (
        f"Run a {kind.word} that has ended again, or a part of it; other tasks keep their results."
    )
    command(app)(rerun)


def _add_clone(app: typer.Typer, kind: Kind) -> None:
    def clone(
        session: Session,
        group_id: Annotated[str, typer.Argument(metavar="ID", autocompletion=completer(kind))],
        name: Annotated[str, typer.Option(help="The name of the new one; that of the other.")] = "",
        idempotency_key: KeyFlag = None,
    ) -> None:
        check_key(session.client, idempotency_key)
        act: Any = session.client.clone_workflow if kind.word == "workflow" else session.client.clone_job
        answer = named(session, kind, group_id, partial(act, name=name, key=idempotency_key))
        if not session.as_json:
            session.remark(f"{kind.word} {answer['tasks'][0][kind.key]}")
        session.show(answer, lambda made: views.tasks_table(session, made["tasks"]))

    clone.__doc__ = f"Create a {kind.word} with the definition and the tasks of another; it is not started."
    command(app)(clone)
