"""``propeller proplets``: the processes that run Wasm."""

from typing import Annotated

import typer

from propeller.cli import views
from propeller.cli.options import AsJson, Limit, Offset
from propeller.cli.session import session_of

app = typer.Typer(help="Look at proplets.", no_args_is_help=True)

PropletId = Annotated[str, typer.Argument(metavar="ID")]


@app.command("list")
def list_(
    ctx: typer.Context,
    status: Annotated[str, typer.Option(help="active or inactive.")] = "",
    offset: Offset = 0,
    limit: Limit = 10,
    as_json: AsJson = False,
) -> None:
    """List proplets."""
    session = session_of(ctx, as_json=as_json)
    page = session.client.proplets(offset=offset, limit=limit, status=status)
    session.show(page, lambda answer: views.proplets_table(session, answer["proplets"]))


@app.command()
def view(ctx: typer.Context, proplet_id: PropletId, as_json: AsJson = False) -> None:
    """Show one proplet."""
    session = session_of(ctx, as_json=as_json)
    session.show(session.client.proplet(proplet_id), lambda answer: views.plain_lines(session, answer))


@app.command()
def delete(ctx: typer.Context, proplet_id: PropletId) -> None:
    """Forget a proplet that is gone."""
    session = session_of(ctx)
    session.client.delete_proplet(proplet_id)
    session.show_done()


@app.command()
def sdf(ctx: typer.Context, proplet_id: PropletId) -> None:
    """Print a proplet's description in SDF."""
    session = session_of(ctx)
    session.show_json(session.client.proplet_sdf(proplet_id))


@app.command()
def metrics(ctx: typer.Context, proplet_id: PropletId, offset: Offset = 0, limit: Limit = 10) -> None:
    """Print what a proplet used."""
    session = session_of(ctx)
    session.show_json(session.client.proplet_metrics(proplet_id, offset=offset, limit=limit))


@app.command("alive-history")
def alive_history(ctx: typer.Context, proplet_id: PropletId, offset: Offset = 0, limit: Limit = 10) -> None:
    """Print when a proplet gave its last signs of life."""
    session = session_of(ctx)
    session.show_json(session.client.proplet_alive_history(proplet_id, offset=offset, limit=limit))
