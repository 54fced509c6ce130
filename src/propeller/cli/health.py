"""``propeller health``: the manager's own word on its health."""

import typer

from propeller.cli import views
from propeller.cli.commands import command, new_app
from propeller.cli.session import Session

app = new_app()


@command(app)
def health(session: Session) -> None:
    """Ask the manager for its health."""
    answer = session.client.health()
    session.show(answer, lambda shown: views.plain_lines(session, shown))
    if answer.get("status") != "pass":
        raise typer.Exit(1)
