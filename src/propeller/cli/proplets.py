"""``propeller proplets``: the processes that run Wasm."""

from typing import Annotated

import typer

from propeller.cli import views
from propeller.cli.commands import command, group
from propeller.cli.session import Session

app = group("Look at proplets.")

PropletId = Annotated[str, typer.Argument(metavar="ID")]


@command(app, "list", pages=True)
def list_(session: Session, status: Annotated[str, typer.Option(help="active or inactive.")] = "") -> None:
    """List proplets."""
    page = session.client.proplets(offset=session.offset, limit=session.limit, status=status)
    session.show_page(page, "proplets", lambda proplets: views.proplets_table(session, proplets))


@command(app)
def view(session: Session, proplet_id: PropletId) -> None:
    """Show one proplet."""
    session.show(session.client.proplet(proplet_id), lambda answer: views.proplet_lines(session, answer))


@command(app)
def delete(session: Session, proplet_id: PropletId) -> None:
    """Forget a proplet that is gone."""
    session.client.delete_proplet(proplet_id)
    session.show_done()


@command(app)
def sdf(session: Session, proplet_id: PropletId) -> None:
    """Print a proplet's description in SDF, which is JSON."""
    session.show_json(session.client.proplet_sdf(proplet_id))


@command(app, pages=True)
def metrics(session: Session, proplet_id: PropletId) -> None:
    """Show what a proplet used."""
    page = session.client.proplet_metrics(proplet_id, offset=session.offset, limit=session.limit)
    session.show_page(page, "metrics", lambda rows: views.proplet_metrics_table(session, rows))


@command(app, "alive-history", pages=True)
def alive_history(session: Session, proplet_id: PropletId) -> None:
    """Show when a proplet gave its last signs of life."""
    page = session.client.proplet_alive_history(proplet_id, offset=session.offset, limit=session.limit)
    session.show_page(page, "history", lambda times: views.times_table(session, times))
