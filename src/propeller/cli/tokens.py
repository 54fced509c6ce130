"""``propeller tokens``: who may use a manager from programs."""

import asyncio
import json
import secrets
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from propeller.access.making import RANDOM_BYTES, new_token
from propeller.access.principal import LOCAL
from propeller.cli import formatting
from propeller.cli.commands import command, group
from propeller.cli.places import database_of
from propeller.cli.session import Session
from propeller.config import values
from propeller.errors import Invalid, no_such
from propeller.store.sqlite.opening import StoreInUse
from propeller.store.sqlite.store import SqliteStore
from propeller.store.tokens import TokenStore
from propeller.wire.http.schema import encode
from propeller.wire.http.tokens import created_token, lifetime_s, token_view

app = group("Make, list and revoke tokens, which let programs use a manager.")

T = TypeVar("T")
_OPEN_S = 30.0

DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Work on the store in this directory, whose manager does not run; as for a first token."
    ),
]
Database = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="The same in a database of PostgreSQL, whose managers may run: postgresql://user@host:port/name.",
    ),
]


@command(app)
def create(
    session: Session,
    name: Annotated[str, typer.Option(help="Who its bearer is; what they create is theirs.")],
    role: Annotated[str, typer.Option(help="viewer, submitter, operator or admin.")],
    namespaces: Annotated[
        str | None,
        typer.Option(help="The namespaces that its bearer sees, separated by commas [default: all]."),
    ] = None,
    expires: Annotated[
        str, typer.Option(metavar="DURATION", help="When it ends, as in 90d or 12h [default: never].")
    ] = "",
    data_dir: DataDir = None,
    database: Database = None,
) -> None:
    """Make a token; its text is printed once and kept nowhere."""
    among = None if namespaces is None else list(values.names(namespaces))
    if _is_direct(data_dir, database):
        answer = _work(data_dir, database, lambda store: _made(store, name, role, among, expires))
    else:
        answer = dict(session.client.create_token(name, role, namespaces=among, expires_in=expires))
    if session.as_json:
        session.show_json(answer)
        return
    print(answer["token"])
    session.remark(f"token {answer['id']} of {answer['name']} ({answer['role']}); it is not shown again")


@command(app, "list", pages=True)
def list_(session: Session, data_dir: DataDir = None, database: Database = None) -> None:
    """List tokens, also those that are no longer good."""
    if _is_direct(data_dir, database):
        page = _work(data_dir, database, lambda store: _listed(store, session.offset, session.limit))
    else:
        page = session.client.tokens(offset=session.offset, limit=session.limit)
    session.show_page(page, "tokens", lambda tokens: _table(session, tokens))


@command(app)
def revoke(
    session: Session,
    token_id: Annotated[str, typer.Argument(metavar="ID", help="Its id, or all of its text.")],
    data_dir: DataDir = None,
    database: Database = None,
) -> None:
    """Revoke a token: from now on it lets nobody in."""
    parts = token_id.split("_")
    id_ = parts[1] if len(parts) > 1 else token_id
    if _is_direct(data_dir, database):
        _work(data_dir, database, lambda store: _revoked(store, id_))
    else:
        session.client.revoke_token(id_)
    session.show_done()


def _table(session: Session, tokens: list[Any]) -> Any:
    table = session.table("ID", "NAME", "ROLE", "NAMESPACES", "STATE", "LAST USED", "CREATED")
    for token in tokens:
        table.add_row(
            token["id"],
            formatting.one_line(token["name"]),
            token["role"],
            ", ".join(token.get("namespaces", ["all"])),
            _state(token),
            formatting.clock(token.get("last_used_at")),
            formatting.clock(token["created_at"]),
        )
    return table


def _state(token: Any) -> str:
    if "revoked_at" in token:
        return "revoked"
    if "expires_at" not in token:
        return "good"
    return f"until {formatting.clock(token['expires_at'])}"


# -- straight in the store -----------------------------------------------------------------------------------


def _is_direct(data_dir: Path | None, database: str | None) -> bool:
    if data_dir is not None and database is not None:
        raise Invalid("--data-dir and --database: a store is in one of both; leave one out")
    return data_dir is not None or database is not None


def _work(data_dir: Path | None, database: str | None, work: Callable[[TokenStore], Awaitable[T]]) -> T:
    return asyncio.run(_worked(data_dir, database, work))


async def _worked(
    data_dir: Path | None, database: str | None, work: Callable[[TokenStore], Awaitable[T]]
) -> T:
    if data_dir is None:
        assert database is not None
        from propeller.store.postgres.store import PostgresStore  # noqa: PLC0415  loaded where it is used

        shared = PostgresStore(database_of(database))
        try:
            await shared.open(_OPEN_S)
            return await work(shared)
        finally:
            await shared.close()
    try:
        store = SqliteStore(data_dir)
    except StoreInUse as error:
        raise Invalid(f"--data-dir: {error}; or leave it out, and ask the manager that runs") from error
    try:
        return await work(store)
    finally:
        await store.close()


async def _made(store: TokenStore, name: str, role: str, namespaces: list[str] | None, expires: str) -> Any:
    try:
        lifetime_ns = int(lifetime_s(expires) * 10**9) if expires else 0
    except ValueError as error:
        raise Invalid(f"--expires: {expires!r} {error}") from error
    now = time.time_ns()
    token, text = new_token(
        LOCAL,
        name=name,
        role=role,
        namespaces=namespaces,
        now=now,
        expires_at=now + lifetime_ns if lifetime_ns else 0,
        random=secrets.token_bytes(RANDOM_BYTES),
    )
    await store.add_token(token)
    return _as_answered(created_token(token, text))


async def _listed(store: TokenStore, offset: int, limit: int) -> Any:
    found = [token for token in await store.tokens() if token.kind == "token"]
    shown = [_as_answered(token_view(token)) for token in found[offset : offset + limit]]
    return {"offset": offset, "limit": limit, "total": len(found), "tokens": shown}


async def _revoked(store: TokenStore, token_id: str) -> None:
    if await store.revoke_token(token_id, time.time_ns()) is None:
        raise no_such("token", token_id)


def _as_answered(view: Any) -> Any:
    return json.loads(encode(view))
