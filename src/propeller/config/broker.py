"""The files of a Mosquitto 2 that knows the identities of a ``config.toml``, and the rights of each.

Topics are below ``m/<tenant>/c/<channel>/`` (``mqtt``, section 2). Mosquitto grants any subscription, and
checks each message before it delivers it. So a message that an identity may not read never arrives.
"""

import base64
import hashlib
import os
import pwd
import re
import secrets
from collections.abc import Sequence
from pathlib import Path

from propeller.config.errors import BadFiles
from propeller.config.identities import BROKER, CA, TLS, Channel, Identity
from propeller.config.values import broker_parts

#: The default of Mosquitto. More would slow down each connection and protect nothing: the keys are random.
_ITERATIONS = 101
#: Mosquitto 2.0 reads no other length.
_SALT_BYTES = 12
_HASH_BYTES = 64
#: Otherwise a holder of one key could take over the connection of another, and the messages that wait for it.
_BY_NAME = "use_username_as_clientid true"

#: No program can speak in the name of another, except for foreign proplets among each other. They share their
#: topics, so they see each other's tasks and could report for each other, but not for a native proplet.
_RULES = {
    "manager": (
        "write control/manager/#",
        "write proplet/#",
        "write registry/server",
        "write fl/#",
        "read control/manager/announcement",
        "read from/+/control/proplet/#",
        "read control/proplet/#",
        "read registry/proplet",
        "read fl/#",
    ),
    "proplet": (
        "write from/{entity_id}/#",
        "read control/manager/announcement",
        "read control/manager/hello",
        "read proplet/{entity_id}/#",
    ),
    "foreign": (
        "write control/proplet/create",
        "write control/proplet/alive",
        "write control/proplet/results",
        "write control/proplet/invoke_results",
        "write control/proplet/metrics",
        "write control/proplet/task_metrics",
        "write registry/proplet",
        "read control/manager/start",
        "read control/manager/stop",
        "read control/manager/invoke",
        "read registry/server",
    ),
    "proxy": (
        "read from/+/registry/proplet",
        "read registry/proplet",
        "write registry/server",
        "write proplet/+/registry/server",
    ),
}


def password_line(identity: Identity, salt: bytes | None = None) -> str:
    """Write a line of a password file: PBKDF2 with SHA-512, as Mosquitto 2 reads it."""
    salt = salt or secrets.token_bytes(_SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", identity.api_key.encode(), salt, _ITERATIONS, _HASH_BYTES)
    encoded = (base64.b64encode(part).decode() for part in (salt, digest))
    return f"{identity.entity_id}:$7${_ITERATIONS}${'$'.join(encoded)}\n"


def acl_block(identity: Identity) -> str:
    """Write the rules for one identity."""
    base = f"m/{identity.tenant_id}/c/{identity.channel_id}"
    rules = [rule.format(entity_id=identity.entity_id).split(" ") for rule in _RULES[identity.role]]
    lines = [f"topic {access} {base}/{topic}\n" for access, topic in rules]
    return f"# {identity.section}\nuser {identity.entity_id}\n{''.join(lines)}"


def passwords(identities: Sequence[Identity], before: str = "") -> str:
    """Write a password file; entries of an earlier one stay as they are."""
    known = {line.partition(":")[0] for line in before.splitlines()}
    return _ended(before) + "".join(password_line(one) for one in identities if one.entity_id not in known)


def acl(identities: Sequence[Identity], before: str = "") -> str:
    """Write an ACL file; entries of an earlier one stay as they are."""
    known = re.findall(r"(?m)^\s*user\s+(\S+)\s*$", before)
    blocks = [acl_block(one) for one in identities if one.entity_id not in known]
    return "\n".join([_ended(before), *blocks] if before else blocks)


def renewed_acl(identities: Sequence[Identity], before: str) -> str:
    """Write an ACL file anew; rules for other users, and for all users, stay as they are.

    A ``pattern`` is for all users wherever it stands, and none comes from this program.
    """
    ours = {one.entity_id for one in identities}
    kept: list[str] = []
    comments: list[str] = []
    user = ""
    for line in before.splitlines():
        if line.lstrip().startswith("#"):
            comments.append(line)
            continue
        found = re.fullmatch(r"\s*user\s+(\S+)\s*", line)
        user = found[1] if found else user
        if user not in ours or re.match(r"\s*pattern\s", line):
            kept += [*comments, line]
        comments.clear()
    others = "\n".join(kept).strip()
    return "\n".join([*([f"{others}\n"] if others else []), *map(acl_block, identities)])


def is_outdated(acl_text: str, identities: Sequence[Identity]) -> bool:
    """Say whether the manager of an ACL file could not hear proplets on topics of their own."""
    manager = next(one for one in identities if one.role == "manager")
    return f"user {manager.entity_id}\n" in acl_text and "/from/+/control/proplet/#" not in acl_text


def renewed_conf(before: str) -> str:
    """Add to a configuration, as ``mosquitto_conf`` wrote it earlier, the line that it lacks."""
    if re.search(rf"(?m)^\s*{_BY_NAME.split(maxsplit=1)[0]}\s", before):
        return before
    return re.sub(r"(?m)^allow_anonymous false\n", rf"\g<0>{_BY_NAME}\n", before, count=1)


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"


def mosquitto_conf(channel: Channel, directory: Path, *, is_mutual: bool = True) -> str:
    """Write a configuration for files in a directory, given as an absolute path, which Mosquitto needs.

    Args:
        channel: The channel; whether it has certificates says whether the broker shows one of these.
        directory: Where the files are.
        is_mutual: With certificates: whether those who connect have to show theirs, and are known by it.

    Raises:
        BadFiles: The path has characters that Mosquitto's configuration can't express.

    """
    if re.search(r"[\x00-\x1f\x7f]|\s\s|\s$", str(directory)):
        raise BadFiles(f"{directory}: Mosquitto's configuration can't name such a directory; use another")
    _, port, is_tls = broker_parts(channel.mqtt_address or "localhost")
    tls = f"certfile {directory}/server.crt\nkeyfile {directory}/server.key\n" if is_tls else ""
    if is_tls and channel.has_tls:
        own = f"{directory}/{TLS}/{BROKER}.pem"
        tls = f"certfile {own}\nkeyfile {own}\n{_mutual(directory) if is_mutual else ''}"
    return f"""\
# Start it with: mosquitto -c {directory}/mosquitto.conf
listener {port}
{tls}\
allow_anonymous false
{_BY_NAME}
password_file {directory}/passwords
acl_file {directory}/acl
{_user()}\

# Messages that the broker has acknowledged outlive it: they are written to disk every second.
persistence true
persistence_location {directory}/mosquitto-data/
autosave_interval 1
# A proplet that never comes back does not leave a queue for ever.
persistent_client_expiration 1d

# The default limits, 20 and 1000, slow a busy fleet down and drop messages while a program restarts.
max_inflight_messages 1000
max_queued_messages 100000
set_tcp_nodelay true
"""


def _mutual(directory: Path) -> str:
    """Let in only who shows a certificate; its common name is the user, and the password does not count."""
    return f"cafile {directory}/{TLS}/{CA}\nrequire_certificate true\nuse_identity_as_username true\n"


def _user() -> str:
    """Name the user who may read the files; otherwise Mosquitto becomes a user who may not."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run as a user without a name
        return ""
    return f"# Used only when root starts Mosquitto: a user who may read these files.\nuser {name}\n"
