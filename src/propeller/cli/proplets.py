"""``propeller proplets``: the programs that run guests."""

import time
from collections.abc import Callable
from typing import Annotated, Any

import typer

from propeller.cli import choosing, formatting, views
from propeller.cli.commands import command, group
from propeller.cli.completing import PropletId
from propeller.cli.naming import PROPLET, named
from propeller.cli.session import Session
from propeller.wire.durations import parse_duration

app = group("Look at proplets, and take them out of service.")


_LOOK_AGAIN_S = 0.5


def _duration(text: str) -> str:
    try:
        if text:
            parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} {error}") from error
    return text


@command(app, "list", pages=True, fields=choosing.PROPLET_FILTERS)
def list_(session: Session, fields: dict[str, str], everything: choosing.AllFlag = False) -> None:
    """List proplets."""
    page = choosing.page(session, PROPLET, choosing.query(session, fields), is_all=everything)
    session.show_page(page, "proplets", lambda proplets: views.proplets_table(session, proplets))


@command(app)
def view(session: Session, proplet_id: PropletId) -> None:
    """Show one proplet."""
    session.show(
        named(session, PROPLET, proplet_id, session.client.proplet),
        lambda answer: views.proplet_lines(session, answer),
    )


@command(app)
def token(
    session: Session,
    expires: Annotated[
        str, typer.Option(metavar="DURATION", help="How long it is good, like 30m or 2d.")
    ] = "1h",
) -> None:
    """Make a token with which one proplet joins: it and the manager then sign what they say to each other.

    Give it to the proplet as PROPLET_JOIN_TOKEN. It is shown once, and good for one proplet.
    """
    answer = session.client.request("POST", "/join-tokens", json={"expires_in": expires})
    if session.as_json:
        session.show_json(answer)
        return
    print(answer["token"])
    until = formatting.clock(answer["expires_at"])
    session.remark(f"good for one proplet until {until}, and not shown again")


@command(app)
def delete(session: Session, proplet_id: PropletId) -> None:
    """Forget a proplet that is gone."""
    named(session, PROPLET, proplet_id, session.client.delete_proplet)
    session.show_done()


@command(app)
def cordon(session: Session, proplet_id: PropletId) -> None:
    """Give a proplet no more tasks; those that it has go on."""
    session.show_done(named(session, PROPLET, proplet_id, session.client.cordon_proplet))


@command(app)
def uncordon(session: Session, proplet_id: PropletId) -> None:
    """Give a proplet tasks again."""
    session.show_done(named(session, PROPLET, proplet_id, session.client.uncordon_proplet))


@command(app)
def drain(
    session: Session,
    proplet_id: PropletId,
    timeout: Annotated[
        str, typer.Option(callback=_duration, help="After this time, move its tasks to others, as in 5m.")
    ] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it has no more tasks.")] = False,
) -> None:
    """Cordon a proplet, and let its tasks end."""
    answer = named(
        session, PROPLET, proplet_id, lambda id_: session.client.drain_proplet(id_, timeout=timeout)
    )
    if wait:
        answer = _until_empty(session, answer["id"])
    session.show_done(answer)


def _until_empty(session: Session, proplet_id: str) -> Any:
    """Look at a proplet again and again until it has no tasks, and return it as it is then."""
    before = None
    try:
        while (proplet := session.client.proplet(proplet_id))["task_count"]:
            if proplet["task_count"] != before:
                before = proplet["task_count"]
                session.remark(f"{before} of its tasks have not ended")
            time.sleep(_LOOK_AGAIN_S)
    except KeyboardInterrupt:
        session.remark(f"it goes on; look with: propeller proplets view {proplet_id}")
        raise typer.Exit(130) from None
    return proplet


@command(app)
def sdf(session: Session, proplet_id: PropletId) -> None:
    """Print a proplet's description in SDF, which is JSON."""
    session.show_json(named(session, PROPLET, proplet_id, session.client.proplet_sdf))


def _part(session: Session, proplet_id: str, read: Callable[..., Any]) -> Any:
    return named(
        session, PROPLET, proplet_id, lambda id_: read(id_, offset=session.offset, limit=session.limit)
    )


@command(app, pages=True)
def metrics(session: Session, proplet_id: PropletId) -> None:
    """Show the resources that a proplet used."""
    page = _part(session, proplet_id, session.client.proplet_metrics)
    session.show_page(page, "metrics", lambda rows: views.proplet_metrics_table(session, rows))


@command(app, "alive-history", pages=True)
def alive_history(session: Session, proplet_id: PropletId) -> None:
    """Show when a proplet gave its last signs of life."""
    page = _part(session, proplet_id, session.client.proplet_alive_history)
    session.show_page(page, "history", lambda times: views.times_table(session, times))
