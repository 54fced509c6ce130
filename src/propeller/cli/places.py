"""Places of stores as arguments: a data directory, its database, or the URL of a database of PostgreSQL."""

import os
import sys
from pathlib import Path
from typing import get_args
from urllib.parse import parse_qs, unquote, urlsplit

import typer

from propeller.errors import Invalid
from propeller.store.postgres.settings import PostgresSettings, SslMode
from propeller.store.sqlite.opening import FILE_NAME

_SCHEMES = ("postgresql", "postgres")
#: Where the password comes from, because everybody on a machine may see arguments.
_PASSWORDS = ("MANAGER_POSTGRES_PASS", "PGPASSWORD")


def place_of(text: str) -> Path | PostgresSettings:
    """Read a place; raise ``Invalid`` if it is none."""
    if "://" in text:
        return database_of(text)
    path = Path(text).absolute()
    if path.name == FILE_NAME and not path.is_dir():
        return path.parent
    if path.is_file():
        raise Invalid(
            f"{path} is a file, and no {FILE_NAME} in a data directory; name the directory. A backup is put "
            "in the place of a store by propeller db restore"
        )
    return path


def database_of(url: str) -> PostgresSettings:
    """Read the URL of a database, and get its password; raise ``Invalid`` if it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port or PostgresSettings().port
    except ValueError as error:
        raise Invalid(f"the database's URL is none: {error}; {_form()}") from error
    if parts.scheme not in _SCHEMES:
        raise Invalid(f"{parts.scheme}://…: there are no such databases; {_form()}")
    if parts.password is not None:
        raise Invalid(
            "the database's URL has a password, which everybody on this machine may see; leave it out, and "
            f"set {_PASSWORDS[0]}, or type it when you are asked"
        )
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    mode = options.pop("sslmode", "disable")
    ca_cert = options.pop("sslrootcert", None)
    if mode not in get_args(SslMode):
        raise Invalid(f"sslmode={mode}: is none of: {', '.join(get_args(SslMode))}")
    if options:
        raise Invalid(
            f"the database's URL has {', '.join(options)}; only sslmode and sslrootcert may follow ?"
        )
    settings = PostgresSettings()
    user = unquote(parts.username or settings.user)
    database = unquote(parts.path.lstrip("/")) or settings.database
    return PostgresSettings(
        host=unquote(parts.hostname or settings.host),
        port=port,
        user=user,
        password=_password(user, database),
        database=database,
        ssl_mode=mode,  # type: ignore[arg-type]  # as was just looked at
        ca_cert=Path(ca_cert) if ca_cert else None,
    )


def _form() -> str:
    return "write postgresql://user@host:port/database"


def _password(user: str, database: str) -> str:
    for name in _PASSWORDS:
        if found := os.environ.get(name):
            return found
    if sys.stdin.isatty():
        return str(typer.prompt(f"Password of {user} for the database {database}", hide_input=True, err=True))
    return PostgresSettings().password
