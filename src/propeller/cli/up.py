"""``propeller up``: a manager and its local proplets on this machine."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from propeller.cli.commands import new_app
from propeller.cli.programs import ConfigFlag, resolved
from propeller.config import values
from propeller.config.definitions import BROKER_KEYS, MANAGER, PROPLET
from propeller.config.programs import manager_settings, proplet_settings
from propeller.config.setting import Program
from propeller.config.sources import Effective
from propeller.config.values import Raw

app = new_app()

#: Settings that the programs of this command do not have, and why.
_OF_OTHERS = {
    MANAGER: {"log_level": "this manager logs warnings"},
    PROPLET: {
        "data_dir": "the proplets' data is in the directory of the manager's; see --data-dir",
        "fetch": "these proplets always fetch images themselves",
        "log_level": "these proplets log warnings",
    },
}
#: Settings for a broker: the proplets use none, and the manager one that it is told of.
_OF_BROKER = {
    MANAGER: dict.fromkeys(
        (*BROKER_KEYS, "allow_foreign", "proplet_keys", "signatures"), "give --mqtt ADDRESS"
    ),
    PROPLET: dict.fromkeys(
        (*BROKER_KEYS, "manager_key", "proxy_key", "join_token"),
        "these proplets need no broker to reach their manager",
    ),
}

AllowDirs = Annotated[
    str | None,
    typer.Option(help="Directories that tasks may ask for: /data:rw,/models [env: PROPLET_ALLOW_DIRS]."),
]
AllowHttp = Annotated[
    str | None,
    typer.Option(help="Hosts that tasks may ask to send requests to; * for all [env: PROPLET_ALLOW_HTTP]."),
]
HttpEnabled = Annotated[
    bool | None,
    typer.Option(help="Let components serve HTTP on this machine [env: PROPLET_HTTP_ENABLED]."),
]
CompileTimeout = Annotated[
    str | None,
    typer.Option(
        metavar="DURATION",
        help="How long compiling a module may take; above 16 MiB in proportion to its size "
        "[env: PROPLET_COMPILE_TIMEOUT; default: 60s].",
    ),
]
Concurrency = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=1024,
        help="Guests of each proplet at once [default: PROPLET_SLOTS, or cores, at least 4].",
    ),
]
KeepEnded = Annotated[
    str | None,
    typer.Option(
        metavar="DURATION",
        help="Delete tasks, workflows and jobs that ended longer ago than this, as in 168h for a week "
        "[env: MANAGER_KEEP_ENDED; default: keep them for ever].",
    ),
]
HttpNames = Annotated[
    str | None,
    typer.Option(
        help="Names to answer to besides localhost and --host, separated by commas "
        "[env: MANAGER_HTTP_NAMES; default: none on loopback, elsewhere any].",
    ),
]
Ui = Annotated[
    bool | None,
    typer.Option(help="Serve the page for people under /ui/ [env: MANAGER_UI; default: yes]."),
]
Auth = Annotated[
    str | None,
    typer.Option(
        metavar="WAY",
        help="How it knows who sends a request: tokens; none: all who reach it may do everything "
        "[env: MANAGER_AUTH; default: none on loopback, elsewhere it has to be given].",
    ),
]
InsecureNoAuth = Annotated[
    bool,
    typer.Option(
        "--insecure-no-auth",
        help="Let all who reach it do everything, also from other machines [env: MANAGER_INSECURE_NO_AUTH].",
    ),
]
Host = Annotated[
    str | None,
    typer.Option(help="Address to listen on; empty means all [env: MANAGER_HTTP_HOST; default: localhost]."),
]
Port = Annotated[
    int | None,
    typer.Option(min=0, max=65535, help="0 for a free port [env: MANAGER_HTTP_PORT; default: 7070]."),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        help="The directory for all data [env: MANAGER_DATA_DIR; default: ~/.local/share/propeller]."
    ),
]
Durability = Annotated[
    str | None,
    typer.Option(
        help="full: a power cut loses nothing; normal: faster, it may lose the last commits "
        "[env: MANAGER_DURABILITY; default: full]."
    ),
]
StorageType = Annotated[
    str | None,
    typer.Option(
        help="sqlite: all is kept in the data directory; postgres: in the database of "
        "MANAGER_POSTGRES_HOST; memory: nothing is kept at the end "
        "[env: MANAGER_STORAGE_TYPE; default: sqlite]."
    ),
]
MaxLosses = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=1_000_000,
        help="How often a task is run again after its proplet was lost "
        "[env: MANAGER_LOSSES_MAX; default: 3].",
    ),
]
JobModeFlag = Annotated[
    str | None,
    typer.Option(help="Mode of jobs that name none [env: JOB_EXECUTION_MODE; default: configurable]."),
]


def _broker(address: str | None) -> str | None:
    try:
        return None if address is None else values.broker(address)
    except ValueError as error:
        raise typer.BadParameter(f"{address!r} {error}") from error


def _found(
    program: Program,
    flags: Mapping[str, Raw | Path | None],
    config_file: Path | None,
    told: Sequence[str] = (),
) -> Effective:
    """Find what holds for a program; warn of what was set and has no effect, and of what was not ``told``."""
    given = {
        key: str(value) if isinstance(value, Path) else value
        for key, value in flags.items()
        if value is not None
    }
    found = resolved(program, given, config_file, told=told)
    # The file that programs find by themselves may be there for those that are no part of this command.
    is_named = config_file is not None or bool(os.environ.get(program.file_variables[0]))
    _warn_of(_OF_OTHERS[program], found, also_in_file=is_named)
    if "mqtt_address" not in given:
        # In a file for a whole fleet the section is that of proplets elsewhere, which need these.
        _warn_of(_OF_BROKER[program], found, also_in_file=is_named and program is MANAGER)
    return found


def _warn_of(idle: Mapping[str, str], found: Effective, *, also_in_file: bool) -> None:
    """Warn of settings that were given and are idle here, once for each reason."""
    of_file = f"{found.file} [{found.section}] "
    for why in dict.fromkeys(idle.values()):
        sources = [source for key, source in found.sources.items() if idle.get(key) == why]
        meant = [
            source
            for source in sources
            if source != "default" and (also_in_file or not source.startswith(of_file))
        ]
        if meant:
            has = "has" if len(meant) == 1 else "have"
            print(f"warning: {', '.join(meant)} {has} no effect here: {why}", file=sys.stderr)


def _slots(near: Effective) -> int:
    is_given = near.sources["slots"] != "default"
    return near.values["slots"] if is_given else max(4, os.cpu_count() or 1)


@app.command()
def up(
    host: Host = None,
    port: Port = None,
    http_names: HttpNames = None,
    ui: Ui = None,
    auth: Auth = None,
    insecure_no_auth: InsecureNoAuth = False,
    data_dir: DataDir = None,
    proplets: Annotated[int, typer.Option(min=0, max=256, help="How many proplets to start.")] = 1,
    concurrency: Concurrency = None,
    storage_type: StorageType = None,
    durability: Durability = None,
    max_losses: MaxLosses = None,
    job_mode: JobModeFlag = None,
    keep_ended: KeepEnded = None,
    mqtt: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            callback=_broker,
            help="Also use proplets on other machines, through this broker, as in tcp://localhost:1883.",
        ),
    ] = None,
    allow_dirs: AllowDirs = None,
    allow_http: AllowHttp = None,
    compile_timeout: CompileTimeout = None,
    http_enabled: HttpEnabled = None,
    config_file: ConfigFlag = None,
) -> None:
    """Start a manager and proplets here. Ctrl-C stops them; running work goes on at the next start."""
    from propeller.assembly import parts_of  # noqa: PLC0415  the server is loaded by this command only
    from propeller.assembly import up as run_until_stopped  # noqa: PLC0415

    of_manager: dict[str, Raw | Path | None] = {
        "http_host": host,
        "http_port": port,
        "http_names": http_names,
        "ui": None if ui is None else str(ui),
        "auth": auth,
        "insecure_no_auth": "true" if insecure_no_auth else None,
        "data_dir": data_dir,
        "storage_type": storage_type,
        "durability": durability,
        "losses_max": max_losses,
        "job_execution_mode": job_mode,
        "keep_ended": keep_ended,
        "mqtt_address": mqtt,
    }
    of_proplets = {
        "allow_dirs": allow_dirs,
        "allow_http": allow_http,
        "http_enabled": http_enabled,
        "compile_timeout": compile_timeout,
    }
    near = _found(PROPLET, of_proplets, config_file)
    found = _found(MANAGER, of_manager, config_file, near.remarks)
    settings = manager_settings(found, os.environ, has_broker=mqtt is not None)
    parts = msgspec.structs.replace(
        parts_of(settings),
        proplets=proplets,
        concurrency=concurrency or _slots(near),
        proplet=proplet_settings(near, settings.data_dir, os.environ),
    )
    raise typer.Exit(run_until_stopped(parts))
