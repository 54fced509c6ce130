"""``propeller manager``, ``propeller proplet`` and ``propeller proxy``: the programs, each by itself.

Their flags follow from the definitions of the settings; each setting also has a variable and a key.
"""

import importlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from propeller.cli.commands import command, new_app
from propeller.cli.session import Session
from propeller.config.definitions import MANAGER, PROGRAMS, PROPLET, PROXY
from propeller.config.errors import BadSettings
from propeller.config.programs import manager_settings, proxy_settings, remote_proplet_settings
from propeller.config.setting import Program, Setting
from propeller.config.shown import shown
from propeller.config.sources import Effective, read, resolve
from propeller.config.values import Raw

ConfigFlag = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="The file with the settings [default: ./config.toml]."),
]
SectionFlag = Annotated[
    str, typer.Option(metavar="NAME", help="The section of that file [default: the name of the command].")
]
ShowFlag = Annotated[
    bool, typer.Option("--show-config", help="Print the settings and where each comes from, and exit.")
]

_SETTINGS: dict[Program, Callable[[Effective, Mapping[str, str]], object]] = {
    MANAGER: manager_settings,
    PROPLET: remote_proplet_settings,
    PROXY: proxy_settings,
}


def _command_of(program: Program) -> Callable[..., None]:
    def run(
        _session: Session,
        fields: dict[str, Raw],
        config_file: ConfigFlag = None,
        section: SectionFlag = "",
        show_config: ShowFlag = False,
    ) -> None:
        _run(program, resolved(program, fields, config_file, section), show_config=show_config)

    run.__doc__ = program.text
    return run


def _flags_of(program: Program) -> dict[str, Any]:
    """Make a flag for each setting that is no secret."""
    return {
        setting.key: Annotated[
            bool | None if setting.is_switch else str | None,
            typer.Option(help=_help(program, setting), metavar=None if setting.is_switch else "VALUE"),
        ]
        for setting in program.settings
        if not setting.is_secret
    }


def _help(program: Program, setting: Setting) -> str:
    default = setting.computed.replace("`", "") or setting.default
    shown_default = "" if default in ("", None) else f"; default: {str(default).lower()}"
    text = setting.text.replace("*Extension.* ", "").replace("`", "")
    return f"{text} [env: {program.variables(setting)[0]}{shown_default}]"


def resolved(
    program: Program,
    flags: Mapping[str, Raw],
    config_file: Path | None,
    section: str = "",
    *,
    told: Sequence[str] = (),
) -> Effective:
    """Find the settings of a program that is started here, and print those warnings that were not ``told``.

    Raises:
        typer.BadParameter: A flag is wrong.
        BadSettings: A value from elsewhere is wrong.

    """
    for setting in program.settings:
        if setting.key in flags:
            try:
                read(setting, flags[setting.key], setting.flag)
            except BadSettings as error:
                raise typer.BadParameter(str(error)) from error
    effective = resolve(program, os.environ, flags=flags, file=config_file, section=section)
    for remark in effective.remarks:
        if remark not in told:
            print(f"warning: {remark}", file=sys.stderr)
    return effective


def _run(program: Program, effective: Effective, *, show_config: bool) -> None:
    if show_config:
        print(shown(effective), end="")
    # Made also if they are only shown: an error says that the program would not start.
    settings = _SETTINGS[program](effective, os.environ)
    if not show_config:
        # Only here: the servers take long to load, and --help is to be fast.
        assembly = importlib.import_module("propeller.assembly")
        raise typer.Exit(getattr(assembly, program.name)(settings))


def _app_of(program: Program) -> typer.Typer:
    app = new_app()
    command(app, program.name, fields=_flags_of(program), is_client=False)(_command_of(program))
    return app


#: A command for each program, by its name.
APPS = {program.name: _app_of(program) for program in PROGRAMS}
