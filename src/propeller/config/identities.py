"""Identities in a ``config.toml``: one manager, proplets and a proxy, all on one channel.

``[foreign1]`` and so on are foreign proplets, under their own ids; the ``allow_foreign`` of the manager names
them.

A file is extended as text, so that everything written by hand stays, comments included. The result is read
again and compared before it replaces the file.
"""

import re
import secrets
import tomllib
import uuid
from collections.abc import Sequence
from typing import Any

import msgspec

from propeller.config.definitions import IDENTITY
from propeller.config.errors import BadFiles
from propeller.config.shown import toml_value
from propeller.config.sources import sections_of

_ALIASES = {"tenant_id": "domain_id", "entity_id": "client_id", "api_key": "client_key"}
#: The directory of the certificates beside the file, and the names of some of them.
TLS, CA, BROKER = "tls", "ca.crt", "broker"
_ROLES = ("manager", "proplet", "foreign", "proxy")
_HEADING = """\
# The identities of programs at the broker. Each api_key is a password: keep this file to yourself.
"""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """One program, as the broker knows it."""

    #: Its section in the file: ``manager``, ``proplet``, ``proplet1``, ``foreign1``, ``proxy``.
    section: str
    tenant_id: str
    channel_id: str
    entity_id: str
    api_key: str

    @property
    def role(self) -> str:
        return self.section.rstrip("0123456789")


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """The tenant, the channel and the broker that all identities of a file share."""

    tenant_id: str
    channel_id: str
    #: Empty for the default.
    mqtt_address: str = ""
    #: Whether ``provision`` has made certificates for all.
    has_tls: bool = False


def new_channel(mqtt_address: str, *, has_tls: bool = False) -> Channel:
    return Channel(
        tenant_id=str(uuid.uuid4()),
        channel_id=str(uuid.uuid4()),
        mqtt_address=mqtt_address,
        has_tls=has_tls,
    )


def new_identity(section: str, channel: Channel, entity_id: str = "") -> Identity:
    return Identity(
        section=section,
        tenant_id=channel.tenant_id,
        channel_id=channel.channel_id,
        entity_id=entity_id or str(uuid.uuid4()),
        api_key=secrets.token_urlsafe(32),
    )


def new_fleet(channel: Channel, proplets: int, foreign: Sequence[str] = ()) -> list[Identity]:
    """Make a manager, proplets and a proxy; a single proplet's section has no number."""
    names = ["proplet"] if proplets == 1 else [f"proplet{n}" for n in range(1, proplets + 1)]
    ours = [new_identity(section, channel) for section in ("manager", *names)]
    others = [new_identity(f"foreign{n}", channel, entity_id) for n, entity_id in enumerate(foreign, 1)]
    return [*ours, *others, new_identity("proxy", channel)]


def write_identities(channel: Channel, identities: Sequence[Identity]) -> str:
    text = _HEADING + "".join(f"\n{_section(channel, identity)}" for identity in identities)
    return with_foreign(text, "config.toml", identities)


def read_identities(text: str, file: str) -> tuple[Channel, list[Identity]]:
    """Read the identities in a file; other sections and other keys are ignored.

    Raises:
        BadFiles: The file is no TOML, or its identities are incomplete or not all on the manager's channel.

    """
    document = parsed(text, file)
    names = [
        name for kind in ("manager", "proplet", "foreign", "proxy") for name in sections_of(document, kind)
    ]
    if "manager" not in names:
        raise BadFiles(f"{file}: there is no section [manager], and so no channel to add programs to")
    identities = [_identity(name, document[name], file) for name in names]
    manager = identities[0]
    for identity in identities:
        if (identity.tenant_id, identity.channel_id) != (manager.tenant_id, manager.channel_id):
            raise BadFiles(f"{file}: [{identity.section}] is on another channel than [manager]")
    address = document["manager"].get("mqtt_address", "")
    channel = Channel(
        tenant_id=manager.tenant_id,
        channel_id=manager.channel_id,
        mqtt_address=address if isinstance(address, str) else "",
        has_tls=document["manager"].get("mqtt_tls_ca_cert") == f"{TLS}/{CA}",
    )
    return channel, identities


def next_sections(role: str, identities: Sequence[Identity], count: int) -> list[str]:
    """Name new sections for a role, with numbers above the present ones; one without a number counts as 1."""
    taken = [int(one.section.removeprefix(role) or 1) for one in identities if one.role == role]
    first = max(taken, default=0) + 1
    return [f"{role}{n}" for n in range(first, first + count)]


def with_foreign(text: str, file: str, identities: Sequence[Identity]) -> str:
    """Add the foreign proplets in a file to the ``allow_foreign`` of its manager.

    Raises:
        BadFiles: The text can't be changed without breaking it.

    """
    before = parsed(text, file)
    named = before["manager"].get("allow_foreign", "")
    named = named if isinstance(named, list) else str(named).split(",")
    ids = [one.entity_id for one in identities if one.role == "foreign"]
    allowed = ",".join(dict.fromkeys([*(part.strip() for part in named if part.strip()), *ids]))
    lines = text.splitlines()
    section = _lines_of("manager", lines)
    there = [at for at in section if re.match(r"allow_foreign[ \t]*=", lines[at])]
    at = there[0] if there else max(at for at in section if lines[at].strip()) + 1
    lines[at : at + len(there[:1])] = [f"allow_foreign = {toml_value(allowed)}"]
    result = "\n".join([*lines, ""])
    wanted = before | {"manager": before["manager"] | {"allow_foreign": allowed}}
    if parsed(result, file) != wanted:
        raise BadFiles(f"{file}: allow_foreign can't be set; write it into [manager] on a line of its own")
    return result


def _lines_of(section: str, lines: Sequence[str]) -> range:
    """Give the range of a section's lines, with its header."""
    headers = [at for at, line in enumerate(lines) if line.startswith("[")]
    begin = next((at for at in headers if re.match(rf"\[{section}\]", lines[at])), 0)
    return range(begin, next((at for at in headers if at > begin), len(lines)))


def extended(text: str, file: str, channel: Channel, more: Sequence[Identity]) -> str:
    """Add sections to a file's text: before ``[proxy]``, or at its end.

    Raises:
        BadFiles: The text can't be extended without breaking it.

    """
    added = "\n".join(_section(channel, identity) for identity in more)
    found = None if more[0].section == "proxy" else re.search(r"(?m)^((#.*\n)*)\[proxy\]", text)
    if found is None:
        result = f"{text.rstrip()}\n\n{added}"
    else:
        result = f"{text[: found.start()]}{added}\n{text[found.start() :]}"
    wanted = parsed(text, file) | {one.section: _keys(channel, one) for one in more}
    if parsed(result, file) != wanted:
        raise BadFiles(f"{file}: can't be extended; put each section's header on a line of its own")
    return with_foreign(result, file, more) if any(one.role == "foreign" for one in more) else result


def alone(text: str, file: str, identity: Identity) -> str:
    """Give the section of one program as a file of its own, with all that it has, under the name of its role.

    Raises:
        BadFiles: The file is written in a way that this would break.

    """
    lines = text.splitlines()
    section = _lines_of(identity.section, lines)
    result = "\n".join([f"[{identity.role}]", *lines[section.start + 1 : section.stop]]).rstrip() + "\n"
    if parsed(result, file) != {identity.role: parsed(text, file)[identity.section]}:
        raise BadFiles(f"{file}: can't be split; put each section's header on a line of its own")
    return result


def _keys(channel: Channel, identity: Identity) -> dict[str, str]:
    address = {"mqtt_address": channel.mqtt_address} if channel.mqtt_address else {}
    return {
        "tenant_id": identity.tenant_id,
        "entity_id": identity.entity_id,
        "api_key": identity.api_key,
        "channel_id": identity.channel_id,
        **address,
        **(_certificates(identity) if channel.has_tls else {}),
    }


def _certificates(identity: Identity) -> dict[str, str]:
    """Name the files for TLS; each has the certificate and its key, so that both are replaced at once."""
    own = f"{TLS}/{identity.section}.pem"
    served = {"http_server_cert": own, "http_server_key": own} if identity.role == "manager" else {}
    return {
        "mqtt_tls_ca_cert": f"{TLS}/{CA}",
        "mqtt_tls_client_cert": own,
        "mqtt_tls_client_key": own,
        **served,
    }


def _section(channel: Channel, identity: Identity) -> str:
    lines = [f"{key} = {toml_value(value)}\n" for key, value in _keys(channel, identity).items()]
    return f"[{identity.section}]\n{''.join(lines)}"


def parsed(text: str, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadFiles(f"{file}: is no TOML: {error}") from error


def _identity(section: str, table: Any, file: str) -> Identity:
    if not isinstance(table, dict):
        raise BadFiles(f"{file}: {section} has to be a section, [{section}]")
    found: dict[str, str] = {}
    for key in IDENTITY:
        value = table.get(key) or table.get(_ALIASES.get(key, key))
        if not isinstance(value, str):
            raise BadFiles(f"{file}: [{section}] has no {key}")
        found[key] = value
    return Identity(section=section, **found)
