"""The command: looks at the terminal, and loads the rest only then."""

import sys

from propeller.cli.commands import command, new_app
from propeller.cli.session import Session
from propeller.errors import Invalid

app = new_app()
#: A manager that does not answer is to be noticed, and answers here are small.
_ANSWER_S = 15.0


@command(app)
def top(session: Session) -> None:
    """Show what runs, live and on the whole screen: workflows, jobs, tasks, proplets, logs, events."""
    if session.as_json:
        raise Invalid("top is a view for people; for JSON use: propeller tasks list --json, or GET /events")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Invalid(
            "top needs a terminal; elsewhere use: propeller tasks list, propeller workflows list, "
            "propeller workflows watch ID, or propeller proplets list"
        )
    session.answer_s = _ANSWER_S
    from propeller.cli.top.app import Top  # noqa: PLC0415  it is large, and only this command needs it

    with session.client as client:
        Top(client).run()
