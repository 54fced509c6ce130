"""The frame of all commands: flags that may stand anywhere, and parameters that may look like flags.

A flag may stand before a command, after it or after its group; the last one wins. A command is a function
that takes a ``Session``, made from these flags, and its own parameters.
"""

import functools
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from propeller.cli.session import Session

_Flags = dict[str, Any]

ANYWHERE: _Flags = {
    "manager_url": Annotated[
        str | None,
        typer.Option(
            "--manager-url",
            "-m",
            help="The manager's address [env: PROPELLER_MANAGER_URL; default: http://localhost:7070].",
        ),
    ],
    "tls_verification": Annotated[
        bool | None,
        typer.Option(
            "-v/",
            "--tls-verification/--insecure",
            help="Check the manager's certificate (the default); --insecure accepts any, for tests only "
            "[env: PROPELLER_INSECURE, true or false].",
        ),
    ],
    "ca_cert": Annotated[
        Path | None,
        typer.Option(
            help="PEM file of the CA that signed the manager's certificate "
            "[env: PROPELLER_CA_CERT; default: the system's CAs].",
        ),
    ],
    "client_cert": Annotated[
        Path | None,
        typer.Option(
            help="PEM file of the certificate that shows the manager who you are, with its key or without "
            "[env: PROPELLER_CLIENT_CERT].",
        ),
    ],
    "client_key": Annotated[
        Path | None,
        typer.Option(
            help="PEM file of the key of that certificate; needed if it is not in the same file "
            "[env: PROPELLER_CLIENT_KEY].",
        ),
    ],
    "namespace": Annotated[
        str | None,
        typer.Option(
            "--namespace",
            metavar="NAME",
            help="The namespace of what is created and listed [env: PROPELLER_NAMESPACE; default: the "
            "manager's choice].",
        ),
    ],
    "token_file": Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File with the token to be known by "
            "[env: PROPELLER_TOKEN, the token itself; default: that of propeller login].",
        ),
    ],
    "atom_url": Annotated[
        # The existing command line has it; there is no identity service here that it could name.
        str | None, typer.Option("--atom-url", "-a", hidden=True)
    ],
    "as_json": Annotated[bool | None, typer.Option("--json", help="Print the manager's answer as JSON.")],
}
_PAGE: _Flags = {
    "offset": Annotated[int | None, typer.Option("--offset", "-o", min=0, help="How many entries to skip.")],
    "limit": Annotated[int | None, typer.Option("--limit", "-l", min=1, help="How many entries to show.")],
}

_NUMBER = re.compile(r"-(?:[0-9.][\w.+-]*|inf|infinity|nan)", re.IGNORECASE)
_TRUTHS = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}


class _Command(TyperCommand):
    """Reads ``-5`` as a number, not as a flag, and ``--flag=false`` as a flag that is switched off."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, self._sorted(args))

    def _sorted(self, args: list[str]) -> list[str]:
        """Put flags first and all other arguments behind ``--``; both keep their order."""
        with_value, switches = set[str](), dict[str, list[str]]()
        for param in self.params:
            if param.param_type_name == "option" and getattr(param, "is_flag", False):
                switches |= dict.fromkeys(param.opts, param.secondary_opts)
            elif param.param_type_name == "option":
                with_value.update(param.opts)
        flags: list[str] = []
        others: list[str] = []
        rest = iter(args)
        for arg in rest:
            name, sign, value = arg.partition("=")
            if arg == "--":
                others += rest
            elif not arg.startswith("-") or arg == "-" or _NUMBER.fullmatch(arg):
                others.append(arg)
            elif arg in with_value:
                flags += [arg, *[value for value in [next(rest, None)] if value is not None]]
            elif sign and name in switches and value.lower() in _TRUTHS:
                flags += [name] if _TRUTHS[value.lower()] else switches[name][:1]
            else:
                flags.append(arg)
        return [*flags, "--", *others]


def command(
    app: typer.Typer,
    name: str | None = None,
    *,
    pages: bool = False,
    fields: _Flags | None = None,
    is_client: bool = True,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a command of a function whose first parameter is the session.

    Args:
        app: The group of the command.
        name: The name of the command; the function's if it is not given.
        pages: True if the command takes the flags of a list.
        fields: More flags; the function gets those that are given as a dictionary, its parameter ``fields``.
        is_client: True if the command talks to a manager, and so takes the flags about it.

    """
    common = ANYWHERE if is_client else {}

    def register(function: Callable[..., None]) -> Callable[..., None]:
        made = with_flags(
            function if pages else _unpaged(function), common | (_PAGE if pages else {}), fields
        )
        app.command(name or function.__name__, cls=_Command)(made)
        return function

    return register


def _unpaged(function: Callable[..., None]) -> Callable[..., None]:
    """Refuse the flags of a list, which may have been given before the command."""

    @functools.wraps(function)
    def run(session: Session, **given: Any) -> None:
        if session.is_paged:
            raise typer.BadParameter("--offset and --limit are for lists, and this command shows none")
        function(session, **given)

    return run


def new_app(**options: Any) -> typer.Typer:
    """Make an app of one command or several, in the form of all: plain help, no flags about completion."""
    return typer.Typer(add_completion=False, rich_markup_mode=None, **options)


def group(text: str, *, pages: bool = True) -> typer.Typer:
    """Make a group of commands, which takes the flags of its commands too."""
    app = new_app(help=text, no_args_is_help=True)
    app.callback()(with_flags(_nothing, ANYWHERE | (_PAGE if pages else {})))
    return app


def _nothing(session: Session) -> None:
    """Do no more than take in the flags."""


def with_flags(
    function: Callable[..., None], flags: _Flags, fields: _Flags | None = None
) -> Callable[..., None]:
    """Wrap a function so that it gets a session, and Typer sees its parameters and the flags."""
    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in list(inspect.signature(function).parameters.values())[1:]
        if parameter.name != "fields"
    ]

    @functools.wraps(function)
    def run(ctx: typer.Context, **given: Any) -> None:
        session = ctx.ensure_object(Session)
        session.take({name: given.pop(name) for name in flags})
        if fields is not None:
            taken = {name: given.pop(name) for name in fields}
            given["fields"] = {name: value for name, value in taken.items() if value is not None}
        function(session, **given)

    parameters = [
        inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context),
        *own,
        *(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
            for name, annotation in {**(fields or {}), **flags}.items()
        ),
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
