"""``rerun`` and ``clone`` of workflows and jobs."""

from typing import Annotated, Any

import typer

from propeller.cli import views
from propeller.cli.commands import command
from propeller.cli.completing import completer
from propeller.cli.naming import Kind, named
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
    ) -> None:
        if what and from_task:
            raise typer.BadParameter("use either --what or --from, not both")
        act = session.client.rerun_workflow if kind.word == "workflow" else session.client.rerun_job
        session.show_done(
            named(session, kind, group_id, lambda id_: act(id_, what=what, from_task=from_task))
        )

    rerun.__doc__ = (
        f"Run a {kind.word} that has ended again, or a part of it; other tasks keep their results."
    )
    command(app)(rerun)


def _add_clone(app: typer.Typer, kind: Kind) -> None:
    def clone(
        session: Session,
        group_id: Annotated[str, typer.Argument(metavar="ID", autocompletion=completer(kind))],
        name: Annotated[str, typer.Option(help="The name of the new one; that of the other.")] = "",
    ) -> None:
        act: Any = session.client.clone_workflow if kind.word == "workflow" else session.client.clone_job
        answer = named(session, kind, group_id, lambda id_: act(id_, name=name))
        if not session.as_json:
            session.remark(f"{kind.word} {answer['tasks'][0][kind.key]}")
        session.show(answer, lambda made: views.tasks_table(session, made["tasks"]))

    clone.__doc__ = f"Create a {kind.word} with the definition and the tasks of another; it is not started."
    command(app)(clone)
