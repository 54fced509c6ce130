"""``propeller provision``: writes the identities of a fleet, for its programs and for the broker."""

import json
from pathlib import Path
from typing import Annotated

import typer

from propeller.cli.commands import new_app
from propeller.cli.session import Session
from propeller.config import values
from propeller.config.provision import (
    PROPLETS_MAX,
    Provisioned,
    Tls,
    add_client,
    add_foreign,
    add_proplets,
    add_proxy,
    renew,
    split,
)
from propeller.config.provision import provision as provision_new

app = new_app()

_DEFAULT = Path("config.toml")

FileFlag = Annotated[
    Path | None,
    typer.Option("--file-name", "-f", metavar="FILE", help="The file of identities [default: config.toml]."),
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print the result as JSON, without the keys.")]


def _address(text: str | None) -> str:
    try:
        return values.broker(text) if text else ""
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} {error}") from error


def _host(text: str) -> str:
    try:
        (name,) = values.host_names(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} {error}") from error
    return name


def _id(text: str) -> str:
    try:
        return values.topic_level(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} {error}") from error


@app.callback(invoke_without_command=True)
def provision(
    context: typer.Context,
    file_name: FileFlag = None,
    proplets: Annotated[int, typer.Option(min=0, max=PROPLETS_MAX, help="How many proplets.")] = 1,
    foreign: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID",
            parser=_id,
            help="Id of a foreign proplet (a program of somebody else) to add as well; may be repeated.",
        ),
    ] = None,
    mqtt_address: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            callback=_address,
            help="The address that programs connect to [default: tcp://localhost:1883; with --tls: "
            "ssl://localhost:8883].",
        ),
    ] = None,
    tls: Annotated[
        bool,
        typer.Option(
            "--tls",
            help="Make certificates for the API, the broker and all programs, signed by the fleet's own CA.",
        ),
    ] = False,
    mtls: Annotated[
        bool,
        typer.Option("--mtls", help="As --tls; the broker also lets in only those who show a certificate."),
    ] = False,
    san: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST",
            parser=_host,
            help="With --tls: a name or address of the API or the broker, besides localhost and the host in "
            "--mqtt-address; may be repeated.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace files that are there; their identities are lost.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Write identities for a fleet, and files for its broker.

    The identities are those of a manager, proplets and a proxy. The broker is a Mosquitto that lets in these
    and no others.
    """
    if context.invoked_subcommand is None:
        if san and not (tls or mtls):
            raise typer.BadParameter("--san names hosts for certificates; give --tls or --mtls, too")
        made = provision_new(
            file_name or _DEFAULT,
            proplets=proplets,
            foreign=foreign or (),
            mqtt_address=mqtt_address or "",
            force=force,
            tls=Tls(hosts=tuple(san or ()), is_mutual=mtls) if tls or mtls else None,
        )
        _show(context, made, as_json=as_json, next_step=f"mosquitto -c {made.broker_files[0]}")


@app.command("add-proplets")
def more_proplets(
    context: typer.Context,
    count: Annotated[int, typer.Argument(metavar="N", min=1, max=PROPLETS_MAX, help="How many.")] = 1,
    file_name: FileFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Add proplets to the identities and to the broker's files.

    Everything that is there stays.
    """
    made = add_proplets(_file(context, file_name), count)
    _show(context, made, as_json=as_json, next_step=f"{_RELOAD}; restart the manager")


@app.command("add-proxy")
def one_proxy(context: typer.Context, file_name: FileFlag = None, as_json: JsonFlag = False) -> None:
    """Add a proxy to the identities and to the broker's files."""
    made = add_proxy(_file(context, file_name))
    _show(context, made, as_json=as_json, next_step=f"{_RELOAD}; restart the proplets")


@app.command("add-foreign")
def more_foreign(
    context: typer.Context,
    ids: Annotated[list[str], typer.Argument(metavar="ID", parser=_id, help="Ids of foreign proplets.")],
    file_name: FileFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Add foreign proplets, and let the manager hear them.

    They are programs of somebody else, and known by their ids.
    """
    made = add_foreign(_file(context, file_name), ids)
    _show(context, made, as_json=as_json, next_step=f"{_RELOAD}; restart the manager")


@app.command("renew")
def renew_files(context: typer.Context, file_name: FileFlag = None, as_json: JsonFlag = False) -> None:
    """Write the broker's files anew, as this version writes them, and certificates that end soon.

    Identities and keys stay; who has no key to sign with gets one. Programs take new certificates without a
    restart. The manager then hears the foreign proplets that the file of identities names.
    """
    made = renew(_file(context, file_name))
    _show(context, made, as_json=as_json, next_step="restart Mosquitto, then the manager and the proplets")


@app.command("add-client")
def one_client(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its common name, such as ci.")],
    uri: Annotated[
        str, typer.Option(metavar="URI", help="A name in the form of a URI, which counts in place of NAME.")
    ] = "",
    file_name: FileFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a certificate by which a client of the API shows who it is."""
    path = add_client(_file(context, file_name), name, uri)
    if _is_json(context, as_json=as_json):
        print(json.dumps({"files": [str(path)]}, indent=2))
    else:
        context.ensure_object(Session).remark(f"written: {path}, its certificate and its key")


@app.command("split")
def split_file(context: typer.Context, file_name: FileFlag = None, as_json: JsonFlag = False) -> None:
    """Write each program's identity into a file of its own, beside the file of all.

    A program needs to see no other: give each machine or container its own file alone.
    """
    files = [str(path) for path in split(_file(context, file_name))]
    if _is_json(context, as_json=as_json):
        print(json.dumps({"files": files}, indent=2))
    else:
        context.ensure_object(Session).remark(f"written: {', '.join(files)}")


_RELOAD = "send Mosquitto a SIGHUP, and it reads them again"


def _file(context: typer.Context, file_name: Path | None) -> Path:
    """Find the file of identities; its flag may also stand before the command."""
    assert context.parent is not None
    return file_name or Path(context.parent.params["file_name"] or _DEFAULT)


def _is_json(context: typer.Context, *, as_json: bool) -> bool:
    """Look for the flag, which may stand before the command and before that."""
    is_above = context.parent is not None and context.parent.params.get("as_json")
    return bool(as_json or is_above or context.ensure_object(Session).as_json)


def _show(context: typer.Context, made: Provisioned, *, as_json: bool, next_step: str) -> None:
    session = context.ensure_object(Session)
    files = [str(path) for path in (made.config, *made.broker_files, *made.keys, *made.certificates)]
    if _is_json(context, as_json=as_json):
        print(
            json.dumps(
                {
                    "tenant_id": made.channel.tenant_id,
                    "channel_id": made.channel.channel_id,
                    "identities": {one.section: one.entity_id for one in made.identities},
                    "files": files,
                },
                indent=2,
            )
        )
        return
    table = session.table("SECTION", "ENTITY ID")
    for identity in made.identities:
        table.add_row(identity.section, identity.entity_id)
    session.out.print(table)
    session.remark(f"written: {', '.join(files)}")
    if made.keys:
        session.remark(f"copy to their machines anew: {', '.join(map(str, made.keys))}")
    if made.certificates:
        session.remark("Mosquitto takes new certificates at a SIGHUP, and running programs by themselves")
    session.remark(f"the keys are in {made.config}; next: {next_step}")
