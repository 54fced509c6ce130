"""Settings of a connection to PostgreSQL."""

import re
from pathlib import Path
from typing import Literal

import msgspec

SslMode = Literal["disable", "prefer", "require", "verify-ca", "verify-full"]

_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*")


def quoted(name: str) -> str:
    """Write a name as statements of SQL take it."""
    if _PLAIN_NAME.fullmatch(name):
        return name
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


class PostgresSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One database on one server."""

    #: A name, an address, or the directory of a socket.
    host: str = "localhost"
    port: int = 5432
    user: str = "propeller"
    password: str = "propeller"  # noqa: S105  the default of the contract
    database: str = "propeller"
    #: As libpq has it: ``require`` encrypts, ``verify-ca`` also checks who signed the certificate, and
    #: ``verify-full`` the server's name too.
    ssl_mode: SslMode = "disable"
    #: Certificates in PEM form, in place of those of the system.
    ca_cert: Path | None = None
    #: How long the lead of one of several managers holds if it is not renewed.
    lease_s: float = 3.0

    @property
    def place(self) -> str:
        """The database, for people; without the password."""
        return f"database {self.database} on {self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"PostgresSettings({self.place}, user {self.user})"
