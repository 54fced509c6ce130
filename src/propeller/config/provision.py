"""New identities, written to all files that need them; no identity service is needed.

``config.toml`` is written last: until it is there, nothing uses the other files.
"""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from propeller.config import broker
from propeller.config.errors import BadFiles
from propeller.config.files import create_text, read_text, replace_text
from propeller.config.identities import (
    CA,
    TLS,
    Channel,
    Identity,
    alone,
    extended,
    new_channel,
    new_fleet,
    new_identity,
    next_sections,
    read_identities,
    with_foreign,
    write_identities,
)
from propeller.config.signing_keys import with_keys
from propeller.config.values import broker_parts

#: Where the broker is asked, if nothing else is said and there are certificates.
TLS_ADDRESS = "ssl://localhost:8883"
PROPLETS_MAX = 10_000
#: Beside the file of identities: a file for each of our programs, with its identity alone.
KEYS = "keys"
#: The names of those files.
_OWN = re.compile(r"manager|proplet\d*|proxy")
_DATA = "mosquitto-data"


class Provisioned(msgspec.Struct, frozen=True, kw_only=True):
    """The files that were made."""

    channel: Channel
    #: The new ones; after a renewal, all.
    identities: list[Identity]
    config: Path
    #: Beside it: ``passwords``, ``acl`` and, if it was written, ``mosquitto.conf``.
    broker_files: list[Path]
    #: Files of single programs, made by ``split``, that are new or other than before.
    keys: list[Path] = []
    #: Files below ``tls`` that are new or other than before.
    certificates: list[Path] = []


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """The certificates that are to be made."""

    #: Names and addresses of the API and of the broker, besides those of the machine itself.
    hosts: tuple[str, ...] = ()
    #: Whether the broker lets in only those who show theirs.
    is_mutual: bool = False


def provision(
    config: Path,
    *,
    proplets: int,
    foreign: Sequence[str] = (),
    mqtt_address: str = "",
    force: bool = False,
    tls: Tls | None = None,
) -> Provisioned:
    """Write a new ``config.toml`` and the files of a broker beside it.

    Args:
        config: The path of the new file; its directory has to be there.
        proplets: How many, from 0 to ``PROPLETS_MAX``.
        foreign: Ids of foreign proplets to add.
        mqtt_address: The address that programs connect to; empty for ``tcp://localhost:1883``, the default.
        force: Replace files that are there already; their identities are lost.
        tls: The certificates that are made; None for none. The address is one of TLS then.

    Raises:
        BadFiles: One of the files is there already, or can't be written, or a name fits into no certificate.

    """
    directory = _directory(config)
    channel = new_channel(mqtt_address or (TLS_ADDRESS if tls else ""), has_tls=tls is not None)
    identities = new_fleet(channel, proplets, _all_new(foreign, []))
    texts = {
        directory / "mosquitto.conf": broker.mosquitto_conf(
            channel, directory, is_mutual=tls is not None and tls.is_mutual
        ),
        directory / "passwords": broker.passwords(identities),
        directory / "acl": broker.acl(identities),
        config: with_keys(write_identities(channel, identities), str(config), identities),
    }
    certificates = {} if tls is None else _new_certificates(directory, channel, identities, tls)
    keys = _changed_keys(config, texts[config], identities, certificates) if force else {}
    for path in (config, *texts, *certificates):
        if path.exists() and not force:
            raise BadFiles(
                f"{path}: is there already; `propeller provision add-proplets` adds to it, "
                "--force replaces it and all its identities"
            )
    _make_directory(directory / _DATA)
    if certificates:
        _make_directory(directory / TLS)
    _keep_out_of_git(config, directory)
    for path, text in (certificates | keys | texts).items():
        create_text(path, text, force=force)
    if force:
        _forget_keys(config, identities)
    return Provisioned(
        channel=channel,
        identities=identities,
        config=config,
        broker_files=[*texts][:-1],
        keys=[*keys],
        certificates=[*certificates],
    )


def add_proplets(config: Path, count: int) -> Provisioned:
    """Add proplets to a ``config.toml``, and to the files of the broker.

    Raises:
        BadFiles: There is no such file, or it can't be extended.

    """
    text, channel, identities = _read(config)
    more = [new_identity(section, channel) for section in next_sections("proplet", identities, count)]
    return _extend(config, text, channel, identities, more)


def add_foreign(config: Path, ids: Sequence[str]) -> Provisioned:
    """Add foreign proplets under their ids, and let the manager hear them.

    Raises:
        BadFiles: There is no such file, one of the ids is in it already, or it can't be extended.

    """
    text, channel, identities = _read(config)
    ids = _all_new(ids, identities)
    sections = next_sections("foreign", identities, len(ids))
    more = [new_identity(section, channel, name) for section, name in zip(sections, ids, strict=True)]
    return _extend(config, text, channel, identities, more)


def renew(config: Path) -> Provisioned:
    """Write the broker's files anew for the identities in a ``config.toml``, as this version writes them.

    Certificates are made anew where they end soon, are missing or are of another authority.

    Raises:
        BadFiles: There is no such file, or one of the files can't be read or written.

    """
    text, channel, identities = _read(config)
    directory = _directory(config)
    conf = directory / "mosquitto.conf"
    texts = {
        directory / "passwords": broker.passwords(identities, read_text(directory / "passwords") or ""),
        directory / "acl": broker.renewed_acl(identities, read_text(directory / "acl") or ""),
        conf: broker.renewed_conf(read_text(conf) or broker.mosquitto_conf(channel, directory)),
        config: with_keys(with_foreign(text, str(config), identities), str(config), identities),
    }
    certificates: dict[Path, str] = {}
    if channel.has_tls:
        from propeller.config import tls_files  # noqa: PLC0415  who has no TLS needs no cryptography

        certificates = tls_files.renewed_files(directory, identities, _now())
    keys = _changed_keys(config, texts[config], identities, certificates)
    for path, new in (certificates | keys | texts).items():
        replace_text(path, new)
    return Provisioned(
        channel=channel,
        identities=identities,
        config=config,
        broker_files=[*texts][:-1],
        keys=[*keys],
        certificates=[*certificates],
    )


def add_client(config: Path, name: str, uri: str) -> Path:
    """Make a certificate for a client of the API; give its file.

    Raises:
        BadFiles: There are no certificates, or there can be none for this client.

    """
    _, channel, identities = _read(config)
    if not channel.has_tls:
        raise BadFiles(f"{config}: has no certificates; make them with: propeller provision --tls")
    from propeller.config import tls_files  # noqa: PLC0415  who has no TLS needs no cryptography

    ((path, text),) = tls_files.client_file(_directory(config), name, uri, identities, _now()).items()
    create_text(path, text, force=False)
    return path


def _new_certificates(
    directory: Path, channel: Channel, identities: Sequence[Identity], tls: Tls
) -> dict[Path, str]:
    from propeller.config import tls_files  # noqa: PLC0415  who has no TLS needs no cryptography

    host, _, is_tls = broker_parts(channel.mqtt_address)
    if not is_tls:
        raise BadFiles(f"{channel.mqtt_address}: is an address without TLS; begin it with ssl://")
    return tls_files.new_files(directory, identities, [*tls.hosts, host], _now())


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def split(config: Path) -> list[Path]:
    """Write each identity of ours into a file of its own, which is all that its program needs to see.

    Returns:
        The files, which replace those of before.

    Raises:
        BadFiles: There is no such file, or one can't be written.

    """
    text, channel, identities = _read(config)
    directory = _directory(config)
    texts = _parts(config, text, identities) | _copied(config, identities, {})
    _make_directory(directory / KEYS)
    if channel.has_tls:
        _make_directory(directory / KEYS / TLS)
    _keep_out_of_git(config, directory)
    for path, part in texts.items():
        replace_text(path, part)
    return list(texts)


def _parts(config: Path, text: str, identities: Sequence[Identity]) -> dict[Path, str]:
    """Give the content of each program's own file, by its path."""
    return {
        _directory(config) / KEYS / f"{one.section}.toml": alone(text, str(config), one)
        for one in identities
        if one.role != "foreign"
    }


def _copied(config: Path, identities: Sequence[Identity], new: Mapping[Path, str]) -> dict[Path, str]:
    """Give the copies of certificates beside the programs' own files; ``new`` is yet to be written."""
    source, target = _directory(config) / TLS, _directory(config) / KEYS / TLS
    names = [CA, *(f"{one.section}.pem" for one in identities if one.role != "foreign")]
    texts = {target / name: new.get(source / name) or read_text(source / name) for name in names}
    return {path: text for path, text in texts.items() if text}


def _changed_keys(
    config: Path, text: str, identities: Sequence[Identity], certificates: Mapping[Path, str]
) -> dict[Path, str]:
    """Give the content of the programs' own files that change with the file of all, if that was split."""
    if not (_directory(config) / KEYS).is_dir():
        return {}
    parts = _parts(config, text, identities) | _copied(config, identities, certificates)
    if certificates:
        _make_directory(_directory(config) / KEYS / TLS)
    return {path: part for path, part in parts.items() if read_text(path) != part}


def _forget_keys(config: Path, identities: Sequence[Identity]) -> None:
    """Delete the programs' own files whose identities are lost."""
    keys = _directory(config) / KEYS
    files = [*keys.glob("*.toml"), *(keys / TLS).glob("*.pem")]
    kept = {one.section for one in identities}
    for path in (one for one in files if _OWN.fullmatch(one.stem) and one.stem not in kept):
        try:
            path.unlink()
        except OSError as error:
            raise BadFiles(f"{path}: can't be deleted: {error.strerror}") from error


def _all_new(ids: Sequence[str], identities: Sequence[Identity]) -> list[str]:
    taken = {one.entity_id for one in identities}
    for name in ids:
        if name in taken:
            raise BadFiles(f"id {name} is there already; an id is one program's alone")
        taken.add(name)
    return list(ids)


def add_proxy(config: Path) -> Provisioned:
    """Add a proxy to a ``config.toml`` that has none, and to the files of the broker.

    Raises:
        BadFiles: There is no such file, it has a proxy, or it can't be extended.

    """
    text, channel, identities = _read(config)
    if any(identity.role == "proxy" for identity in identities):
        raise BadFiles(f"{config}: there is a section [proxy] already; delete it to get another")
    return _extend(config, text, channel, identities, [new_identity("proxy", channel)])


def _read(config: Path) -> tuple[str, Channel, list[Identity]]:
    text = read_text(config)
    if text is None:
        raise BadFiles(f"{config}: there is no such file; make one with: propeller provision -f {config}")
    return text, *read_identities(text, str(config))


def _extend(
    config: Path, text: str, channel: Channel, before: Sequence[Identity], more: Sequence[Identity]
) -> Provisioned:
    directory = _directory(config)
    acl = read_text(directory / "acl") or ""
    if broker.is_outdated(acl, before):
        raise BadFiles(
            f"{directory}/acl: is of an earlier version; "
            f"renew the files with: propeller provision renew -f {config}"
        )
    everybody = [*before, *more]
    new_text = with_keys(extended(text, str(config), channel, more), str(config), everybody)
    # Identities that these files lack are added too, so that identities from elsewhere also work.
    texts = {
        directory / "passwords": broker.passwords(everybody, read_text(directory / "passwords") or ""),
        directory / "acl": broker.acl(everybody, acl),
        config: new_text,
    }
    certificates: dict[Path, str] = {}
    if channel.has_tls:
        from propeller.config import tls_files  # noqa: PLC0415  who has no TLS needs no cryptography

        certificates = tls_files.more_files(directory, more, _now())
    keys = _changed_keys(config, new_text, everybody, certificates)
    for path, new in (certificates | keys | texts).items():
        replace_text(path, new)
    return Provisioned(
        channel=channel,
        identities=[*more],
        config=config,
        broker_files=[*texts][:-1],
        keys=[*keys],
        certificates=[*certificates],
    )


def _directory(config: Path) -> Path:
    directory = config.absolute().parent
    if not directory.is_dir():
        raise BadFiles(f"{directory}: there is no such directory; make it first")
    return directory


def _make_directory(path: Path) -> None:
    """Make a directory for keys, or for the data of Mosquitto, which makes none itself."""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise BadFiles(f"{path}: can't be made: {error.strerror}") from error


def _keep_out_of_git(config: Path, directory: Path) -> None:
    """Name all files with secrets in ``.gitignore``; what it has stays."""
    path = directory / ".gitignore"
    before = read_text(path) or ""
    secret = [f"/{config.name}", "/passwords", "/acl", f"/{_DATA}/", f"/{KEYS}/", f"/{TLS}/"]
    missing = [line for line in secret if line not in before.splitlines()]
    if missing:
        begin = before if not before or before.endswith("\n") else f"{before}\n"
        replace_text(path, "\n".join([f"{begin}# Who is who at the broker.", *missing, ""]))
