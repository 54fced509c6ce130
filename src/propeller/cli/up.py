"""``propeller up``: a manager and its local proplets on this machine."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from propeller.cli.commands import new_app
from propeller.cli.programs import ConfigFlag, resolved
from propeller.config import values
from propeller.config.definitions import MANAGER, PROPLET
from propeller.config.programs import data_home, mqtt_settings, proplet_settings
from propeller.config.settings import HttpSettings
from propeller.config.sources import Effective
from propeller.config.values import Raw
from propeller.core.model import JobMode
from propeller.core.policy import Policy
from propeller.errors import Invalid
from propeller.wire.durations import parse_duration

app = new_app()

#: Settings of a proplet that none beside its manager has, and why.
_OF_REMOTE_ONES = {
    "data_dir": "the proplets' data is in the directory of the manager's; see --data-dir",
    "fetch": "these proplets always fetch images themselves",
    "log_level": "these proplets log warnings",
}

AllowDirs = Annotated[
    str | None,
    typer.Option(envvar="PROPLET_ALLOW_DIRS", help="Directories that tasks may ask for: /data:rw,/models."),
]
AllowHttp = Annotated[
    str | None,
    typer.Option(
        envvar="PROPLET_ALLOW_HTTP", help="Hosts that tasks may ask to send requests to; * for all."
    ),
]
HttpEnabled = Annotated[
    bool | None,
    typer.Option(envvar="PROPLET_HTTP_ENABLED", help="Let components serve HTTP on this machine."),
]
CompileTimeout = Annotated[
    str | None,
    typer.Option(
        envvar="PROPLET_COMPILE_TIMEOUT",
        metavar="DURATION",
        help="How long compiling a module may take; above 16 MiB in proportion to its size [default: 60s].",
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
        envvar="MANAGER_KEEP_ENDED",
        metavar="DURATION",
        help="Delete tasks, workflows and jobs that ended longer ago than this, as in 168h for a week "
        "[default: keep them for ever].",
    ),
]
HttpNames = Annotated[
    str,
    typer.Option(
        envvar="MANAGER_HTTP_NAMES",
        help="Names to answer to besides localhost and --host, separated by commas "
        "[default: none on loopback, elsewhere any].",
    ),
]


def _names(text: str) -> tuple[str, ...]:
    try:
        return values.host_names(text)
    except ValueError as error:
        raise typer.BadParameter(f"--http-names: {text!r} {error}") from error


def _duration(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"--keep-ended: {text!r} {error}") from error
    if not seconds:
        raise typer.BadParameter("--keep-ended: has to be longer than 0; leave it out to keep all for ever")
    return seconds


def _broker(address: str | None) -> str | None:
    try:
        return None if address is None else values.broker(address)
    except ValueError as error:
        raise typer.BadParameter(f"{address!r} {error}") from error


def _mode(job_mode: str) -> JobMode:
    try:
        return JobMode(job_mode)
    except ValueError:
        allowed = ", ".join(f'"{known}"' for known in JobMode)
        raise Invalid(f'invalid JOB_EXECUTION_MODE: "{job_mode}" (allowed: {allowed})') from None


def _beyond(address: str | None, config_file: Path | None) -> dict[str, Any]:
    """Give what a manager needs that also works with proplets at a broker."""
    if address is None:
        return {}
    far = resolved(MANAGER, {"mqtt_address": address}, config_file)
    return {"mqtt": mqtt_settings(far), "allow_foreign": far.values["allow_foreign"]}


def _local_proplets(flags: Mapping[str, Raw | None], config_file: Path | None) -> Effective:
    """Find what holds for the proplets; warn of variables that can't hold for those beside their manager."""
    near = resolved(PROPLET, {key: value for key, value in flags.items() if value is not None}, config_file)
    for key, why in _OF_REMOTE_ONES.items():
        variable = f"{PROPLET.prefix}{key.upper()}"
        if near.sources[key] == variable:
            print(f"warning: {variable} has no effect here: {why}", file=sys.stderr)
    return near


def _slots(near: Effective) -> int:
    is_given = near.sources["slots"] != "default"
    return near.values["slots"] if is_given else max(4, os.cpu_count() or 1)


@app.command()
def up(
    host: Annotated[
        str, typer.Option(envvar="MANAGER_HTTP_HOST", help="Address to listen on; empty means all.")
    ] = "localhost",
    port: Annotated[
        int, typer.Option(envvar="MANAGER_HTTP_PORT", min=0, max=65535, help="0 for a free port.")
    ] = 7070,
    http_names: HttpNames = "",
    data_dir: Annotated[
        Path | None, typer.Option(help="The directory for all data [default: ~/.local/share/propeller].")
    ] = None,
    proplets: Annotated[int, typer.Option(min=0, max=256, help="How many proplets to start.")] = 1,
    concurrency: Concurrency = None,
    durability: Annotated[
        str,
        typer.Option(help="full: a power cut loses nothing; normal: faster, it may lose the last commits."),
    ] = "full",
    max_losses: Annotated[
        int, typer.Option(min=0, help="How often a task is run again after its proplet was lost.")
    ] = 3,
    job_mode: Annotated[
        str, typer.Option(envvar="JOB_EXECUTION_MODE", help="Mode of jobs that name none.")
    ] = "configurable",
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
    from propeller.assembly import ManagerParts  # noqa: PLC0415  the server is loaded by this command only
    from propeller.assembly import up as run_until_stopped  # noqa: PLC0415

    if durability not in ("full", "normal"):
        raise typer.BadParameter(f"--durability: {durability!r} is no durability; use full or normal")
    mode = _mode(job_mode)
    flags = {
        "allow_dirs": allow_dirs,
        "allow_http": allow_http,
        "http_enabled": http_enabled,
        "compile_timeout": compile_timeout,
    }
    near = _local_proplets(flags, config_file)
    place = (data_dir or data_home(os.environ)).absolute()
    parts = ManagerParts(
        http=HttpSettings(host=host, port=port, names=_names(http_names)),
        data_dir=place,
        proplets=proplets,
        concurrency=concurrency or _slots(near),
        proplet=proplet_settings(near, place, os.environ),
        durability="normal" if durability == "normal" else "full",
        keep_ended_s=None if keep_ended is None else _duration(keep_ended),
        policy=Policy(losses_max=max_losses, job_mode=mode),
        **_beyond(mqtt, config_file),
    )
    raise typer.Exit(run_until_stopped(parts))
