"""``propeller login``, ``logout`` and ``context``: which manager one talks to, and who one is there."""

import sys
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
import typer

from propeller.cli import formatting
from propeller.cli.commands import command, new_app
from propeller.cli.contexts import Context, contexts_file, read_contexts, write_contexts
from propeller.cli.session import Session
from propeller.errors import Invalid, NotFound


def _single(function: Callable[..., None]) -> typer.Typer:
    app = new_app()
    command(app, function.__name__)(function)
    return app


def login(
    session: Session,
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="Name of the context [default: the manager's host].")
    ] = "",
    oidc: Annotated[
        bool, typer.Option("--oidc", help="Sign in at the issuer of the manager, in any browser.")
    ] = False,
) -> None:
    """Keep a token for a manager, and use that manager from now on.

    The token is asked for, or read from the standard input, --token-file or PROPELLER_TOKEN.
    """
    kept = _signed_in(session) if oidc else Context("", session.token or _asked_for())
    session.token = kept.token
    who = session.client.whoami()
    if who["how"] == "none":
        session.remark("this manager asks nobody who they are; the token is kept all the same")
    contexts = read_contexts()
    name = name or urlsplit(session.client.base_url).netloc
    ca_cert = "" if session.ca_cert is None else str(session.ca_cert.absolute())
    contexts.contexts[name] = msgspec.structs.replace(
        kept, manager_url=session.client.base_url, ca_cert=ca_cert
    )
    contexts.current = name
    write_contexts(contexts)
    if session.as_json:
        session.show_json(who)
    else:
        print(f"{name}: {session.client.base_url}, as {formatting.plain(who['name'])} ({who['role']})")


def _signed_in(session: Session) -> Context:
    """Sign in at the issuer of the manager, by a code that is entered in any browser."""
    from propeller.client.device import Device  # noqa: PLC0415  loaded where needed

    session.is_signing_in, session.token = True, ""
    told = session.client.issuer()
    session.client.close()
    del session.client  # the next one has the token
    if not told["cli_client_id"]:
        raise NotFound(f"this manager names no client of {told['issuer']} for the command line; use a token")
    with Device(told["issuer"], told["cli_client_id"]) as device:
        code = device.code(told["scopes"])
        where = code.verification_uri_complete or code.verification_uri
        session.remark(f"open {where} in any browser, and see that it shows the code {code.user_code}")
        granted = device.granted(code)
    return Context(
        manager_url="",
        token=granted.id_token,
        issuer=told["issuer"],
        client_id=told["cli_client_id"],
        refresh_token=granted.refresh_token,
    )


def _asked_for() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Token", hide_input=True, err=True)).strip()
    if token := sys.stdin.readline().strip():
        return token
    raise Invalid("there is no token on the standard input; as in: propeller login < FILE")


def logout(
    session: Session,
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="Name of the context [default: the one in use].")
    ] = "",
) -> None:
    """Forget the token of a manager here; it stays good until an admin revokes it."""
    contexts = read_contexts()
    name = name or contexts.in_use()
    if not name:
        raise NotFound("no context is in use, so there is no token to forget")
    contexts.contexts[name] = msgspec.structs.replace(
        contexts.named(name), token="", issuer="", client_id="", refresh_token=""
    )
    write_contexts(contexts)
    session.show_done()


context = new_app(help="Choose the manager that commands talk to.", no_args_is_help=True)


JsonFlag = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@command(context, "list", is_client=False)
def list_(session: Session, as_json: JsonFlag = False) -> None:
    """List the contexts; the one in use has a mark."""
    contexts = read_contexts()
    in_use = contexts.in_use()
    shown = [_shown(name, one, is_current=name == in_use) for name, one in sorted(contexts.contexts.items())]
    if as_json or session.as_json:
        session.show_json({"contexts": shown})
        return
    table = session.table("", "NAME", "MANAGER", "TOKEN")
    for one in shown:
        table.add_row("*" if one["current"] else "", one["name"], one["manager_url"], one["token_id"])
    session.show(shown, lambda _: table)
    if not shown:
        session.remark("no contexts; make one with: propeller login")


@command(context, is_client=False)
def show(session: Session, as_json: JsonFlag = False) -> None:
    """Show the context in use, without its secret."""
    contexts = read_contexts()
    name = contexts.in_use()
    if not name:
        raise NotFound("no context is in use; choose one with propeller context use, or propeller login")
    one = _shown(name, contexts.named(name), is_current=True)
    if as_json or session.as_json:
        session.show_json(one)
    else:
        pairs = [("context", name), ("manager", one["manager_url"]), ("token", one["token_id"])]
        session.show(one, lambda _: session.lines([*pairs, ("file", str(contexts_file()))]))


@command(context, is_client=False)
def use(session: Session, name: Annotated[str, typer.Argument(help="Name of the context.")]) -> None:
    """Talk to the manager of a context from now on."""
    contexts = read_contexts()
    contexts.named(name)
    contexts.current = name
    write_contexts(contexts)
    session.show_done()


@command(context, is_client=False)
def delete(session: Session, name: Annotated[str, typer.Argument(help="Name of the context.")]) -> None:
    """Forget a context, with its token."""
    contexts = read_contexts()
    contexts.named(name)
    del contexts.contexts[name]
    if contexts.current == name:
        contexts.current = ""
    write_contexts(contexts)
    session.show_done()


def _shown(name: str, one: Context, *, is_current: bool) -> dict[str, Any]:
    # Of a token of ours the part before the secret.
    token_id = "_".join(one.token.split("_")[:2]) if one.token.startswith("prp_") else "set"
    return {
        "name": name,
        "manager_url": one.manager_url,
        "token_id": token_id if one.token else "",
        "current": is_current,
    }


APPS = {"login": _single(login), "logout": _single(logout), "context": context}
