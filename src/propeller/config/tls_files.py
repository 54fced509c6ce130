"""The certificates of a fleet: files in ``tls``, beside the ``config.toml`` that names them.

``ca.crt`` is the authority that all believe, and ``ca.key`` signs for it: who has that can be anybody, and
only ``provision`` needs it. Each program and the broker have a file with key and certificate, as has each
client of the API that was added.
"""

import contextlib
import datetime as dt
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from propeller.access.certificates import PROGRAM_URIS
from propeller.config.certificates import (
    Authority,
    Subject,
    check_authority,
    ends_soon,
    is_signed_by,
    issue,
    new_authority,
    renewed_authority,
    subject_of,
)
from propeller.config.errors import BadFiles
from propeller.config.files import read_text
from propeller.config.identities import BROKER, CA, TLS, Identity

_CA_KEY = "ca.key"
#: At these the API and the broker are always asked on their own machine.
_HERE = ("localhost", "127.0.0.1", "::1")
_CLIENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


def new_files(
    directory: Path, identities: Sequence[Identity], hosts: Sequence[str], now: dt.datetime
) -> dict[Path, str]:
    """Make an authority, and certificates for the broker and all identities; give what to write where.

    Args:
        directory: That of the ``config.toml``.
        identities: All of them.
        hosts: Names and addresses of the API and of the broker, besides those of the machine itself.
        now: The time.

    Raises:
        BadFiles: A name can't stand in a certificate.

    """
    authority = new_authority("Propeller fleet", now)
    files = {directory / TLS / CA: authority.cert, directory / TLS / _CA_KEY: authority.key}
    return files | _issued(directory, authority, _subjects(identities, hosts), now)


def more_files(directory: Path, identities: Sequence[Identity], now: dt.datetime) -> dict[Path, str]:
    """Make certificates for identities that are added.

    Raises:
        BadFiles: Nothing can be signed, or one has the name of a client, who would then be it at the broker.

    """
    for one in identities:
        if (directory / TLS / f"client-{one.entity_id}.pem").exists():
            raise BadFiles(f"{one.entity_id}: is the name of a client of the API; use another id")
    authority = _authority(directory)
    return _issued(directory, authority, _subjects(identities, ())[1:], now)


def renewed_files(directory: Path, identities: Sequence[Identity], now: dt.datetime) -> dict[Path, str]:
    """Make anew what ends soon, what is missing, and what another authority has signed; raise ``BadFiles``.

    The certificates of clients of the API are renewed too. One that another authority has signed is left.
    """
    authority = _authority(directory)
    files: dict[Path, str] = {}
    if ends_soon(authority.cert, now):
        authority = renewed_authority(authority, now)
        files[directory / TLS / CA] = authority.cert
    hosts = _hosts(directory)
    ours = {directory / TLS / f"{name}.pem": subject for name, subject in _subjects(identities, hosts)}
    paths = sorted({*ours, *(directory / TLS).glob("*.pem")})
    due = [(path.stem, who) for path in paths if (who := _whom(path, ours.get(path), authority, now))]
    return files | _issued(directory, authority, due, now)


def client_file(
    directory: Path, name: str, uri: str, identities: Sequence[Identity], now: dt.datetime
) -> dict[Path, str]:
    """Make a certificate for a client of the API.

    Raises:
        BadFiles: The name or the URI is a program's or can't stand in a certificate, or the client is there.

    """
    if not _CLIENT.fullmatch(name):
        raise BadFiles(f"{name!r}: a client's name has 1 to 64 letters, digits and any of . _ @ -")
    if name in {one.entity_id for one in identities} or uri.startswith(PROGRAM_URIS):
        raise BadFiles(f"{uri or name}: is the name of a program of the fleet; give the client another")
    subject = Subject(name=name, uri=uri)
    files = _issued(directory, _authority(directory), [(f"client-{name}", subject)], now)
    for path in files:
        if path.exists():
            raise BadFiles(f"{path}: is there already; delete it to make another")
    return files


def _subjects(identities: Sequence[Identity], hosts: Sequence[str]) -> list[tuple[str, Subject]]:
    """Say whom each file is about: that of the broker, then those of the identities."""
    names = tuple(dict.fromkeys([*_HERE, *hosts]))
    found = [(BROKER, Subject(name="broker", hosts=names))]
    for one in identities:
        served = names if one.role == "manager" else ()
        uri = f"{PROGRAM_URIS}{one.role}:{one.section}"
        found.append((one.section, Subject(name=one.entity_id, hosts=served, uri=uri)))
    return found


def _hosts(directory: Path) -> tuple[str, ...]:
    """Give the names and addresses that the broker's certificate has, or else the manager's."""
    for name in (BROKER, "manager"):
        text = read_text(directory / TLS / f"{name}.pem")
        if text is not None:
            with contextlib.suppress(ValueError):
                return subject_of(text).hosts
    return ()


def _issued(
    directory: Path, authority: Authority, wanted: Iterable[tuple[str, Subject]], now: dt.datetime
) -> dict[Path, str]:
    files: dict[Path, str] = {}
    for name, subject in wanted:
        try:
            files[directory / TLS / f"{name}.pem"] = issue(authority, subject, now)
        except ValueError as error:
            raise BadFiles(f"{name}: there can be no certificate for it: {error}") from error
    return files


def _authority(directory: Path) -> Authority:
    texts: list[str] = []
    for name in (CA, _CA_KEY):
        path = directory / TLS / name
        text = read_text(path)
        if text is None:
            raise BadFiles(f"{path}: is not there, and nothing can be signed without it")
        texts.append(text)
    found = Authority(*texts)
    try:
        check_authority(found)
    except ValueError as error:
        raise BadFiles(f"{directory / TLS}: {CA} and {_CA_KEY} can't sign: {error}") from error
    return found


def _whom(path: Path, ours: Subject | None, authority: Authority, now: dt.datetime) -> Subject | None:
    """Say for whom a file is to be made anew; None where it stays. ``ours`` is who of the fleet has it."""
    text = read_text(path)
    try:
        if text is None or not is_signed_by(text, authority):
            return ours
        return subject_of(text) if ends_soon(text, now) else None
    except ValueError as error:
        raise BadFiles(f"{path}: can't be renewed: {error}; delete it, and it is made anew") from error
