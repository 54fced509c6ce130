"""Readers of settings: each turns the text of a flag or variable, or a value of a TOML file, into a setting.

A reader raises ``ValueError`` with what is wrong and what to write; the caller puts the setting's name first.
"""

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from propeller.core.sandbox import Dir, is_host_rule
from propeller.wire.durations import parse_duration
from propeller.wire.fleet.joining import read_join_token
from propeller.wire.sizes import parse_size

#: A value of TOML; flags and variables are always text.
Raw = str | int | float | bool | list[object]
Reader = Callable[[Raw], object]

_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
_PORTS = {"tcp": 1883, "mqtt": 1883, "ssl": 8883, "tls": 8883, "mqtts": 8883}
_TLS = ("ssl", "tls", "mqtts")
_HOST = re.compile(r"[A-Za-z0-9._-]+(?::\d{1,5})?|\[[0-9A-Fa-f:.]+\](?::\d{1,5})?", re.ASCII)
_HOST_NAME = re.compile(r"[a-z0-9._-]+", re.ASCII)
_NOT_IN_TOPIC = re.compile(r"[/+#\x00-\x20\x7f]")
#: The last of 43 characters has bits of the 32nd byte only.
_KEY = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]", re.ASCII)
_NOT_IN_TEXT = re.compile(r"[\x00-\x1f\x7f]")


def text(raw: Raw) -> str:
    if not isinstance(raw, str):
        raise ValueError("has to be text, in quotes")  # noqa: TRY004  all errors of a reader are of one kind
    if _NOT_IN_TEXT.search(raw):
        raise ValueError("holds control characters; remove them")
    return raw


def topic_level(raw: Raw) -> str:
    """Read an id that is part of topics, and so has no character with a meaning in a topic."""
    if _NOT_IN_TOPIC.search(text(raw)):
        raise ValueError("holds a space or one of / + #, which an id can't have; write a UUID")
    return text(raw)


def boolean(raw: Raw) -> bool:
    if isinstance(raw, bool):
        return raw
    word = str(raw).strip().lower()
    if word not in (*_TRUE, *_FALSE):
        raise ValueError("is neither true nor false; write one of 1, true, yes, on, 0, false, no, off")
    return word in _TRUE


def whole(least: int, most: int) -> Reader:
    """Make a reader of whole numbers from ``least`` to ``most``."""

    def read(raw: Raw) -> int:
        digits = str(raw).strip()
        if isinstance(raw, bool | float) or not re.fullmatch(r"[+-]?\d{1,18}", digits, re.ASCII):
            raise ValueError(f"is no whole number; write one from {least} to {most}")
        if not least <= int(digits) <= most:
            raise ValueError(f"is out of range; write a number from {least} to {most}")
        return int(digits)

    return read


def duration(*, may_be_zero: bool = False) -> Reader:
    """Make a reader of durations, in seconds: a number, or as in Go: ``1m30s``."""

    def read(raw: Raw) -> float:
        seconds = parse_duration(str(raw))
        if not seconds and not may_be_zero:
            raise ValueError("has to be longer than 0")
        return seconds

    return read


def whole_seconds(most: int) -> Reader:
    """Make a reader of durations that the protocol needs in whole seconds, 1 or more."""

    def read(raw: Raw) -> int:
        seconds = duration()(raw)
        assert isinstance(seconds, float)
        if seconds % 1 or seconds > most:
            raise ValueError(f"has to be whole seconds, from 1s to {most}s")
        return int(seconds)

    return read


def size(*, least: str = "0") -> Reader:
    """Make a reader of numbers of bytes: a plain number, or one with KiB, MiB, GiB, kB, MB or GB.

    ``least`` is written likewise.
    """
    least_bytes = parse_size(least)

    def read(raw: Raw) -> int:
        found = parse_size("" if isinstance(raw, bool | float | list) else str(raw))
        if found < least_bytes:
            raise ValueError(f"is too small; write {least} or more")
        return found

    return read


def choice(*words: str) -> Reader:
    def read(raw: Raw) -> str:
        word = str(raw).strip().lower()
        if word not in words:
            raise ValueError(f"is none of: {', '.join(words)}")
        return word

    return read


def names(raw: Raw) -> tuple[str, ...]:
    """Read a list: an array in TOML, elsewhere text separated by commas; empty parts are left out."""
    parts = raw if isinstance(raw, list) else text(raw).split(",")
    return tuple(part for item in parts if (part := text(item).strip()))  # type: ignore[arg-type]


def ed25519_key(raw: Raw) -> str:
    """Read a key, private or public: 32 bytes in base64 for URLs."""
    key = text(raw).strip()
    if not _KEY.fullmatch(key):
        raise ValueError("is no key; write the 43 characters that `propeller provision` writes")
    return key


def join_token(raw: Raw) -> str:
    """Read a token with which a proplet joins its manager."""
    read_join_token(text(raw).strip())
    return text(raw).strip()


def named_keys(raw: Raw) -> tuple[str, ...]:
    """Read public keys of proplets: ``id=key`` in an array, or separated by commas; an id has one key."""
    found = tuple(dict.fromkeys(names(raw)))
    ids = set()
    for item in found:
        proplet_id, _, key = item.partition("=")
        if not proplet_id or not _KEY.fullmatch(key):
            raise ValueError(f"holds {item!r}; write each key as id=key, the key with 43 characters")
        if proplet_id in ids:
            raise ValueError(f"holds two keys of {proplet_id}; leave one out")
        ids.add(proplet_id)
    return found


def paths(raw: Raw) -> tuple[str, ...]:
    """Read directories: an array in TOML, elsewhere text separated by colons."""
    parts = [text(item) for item in raw] if isinstance(raw, list) else text(raw).split(":")  # type: ignore[arg-type]
    found = tuple(part for part in parts if part)
    for part in found:
        _absolute(part)
    return found


def directories(raw: Raw) -> tuple[Dir, ...]:
    """Read directories with modes: in ``/data:rw,/models``, guests may write to the first only."""
    found = []
    for item in names(raw):
        path, colon, mode = item.partition(":")
        if (colon and mode not in ("ro", "rw")) or not path:
            raise ValueError("is not a list of directories; write it as /data:rw,/models:ro")
        _absolute(path)
        found.append(Dir(host=path, guest=path, mode="rw" if mode == "rw" else "ro"))
    return tuple(found)


def _absolute(path: str) -> None:
    if not path.startswith("/") or ".." in path.split("/"):
        raise ValueError(f"holds {path!r}; directories begin with / and have no .. in them")


def host_rules(raw: Raw) -> tuple[str, ...]:
    """Read rules for hosts: ``example.com``, with a port or without, ``*.example.com``, or ``*``."""
    found = names(raw)
    for rule in found:
        if not is_host_rule(rule):
            raise ValueError(
                f"holds {rule!r}; write hosts as example.com, example.com:8080, *.example.com, or *"
            )
    return found


def host(raw: Raw) -> str:
    """Read the name of a registry as images have it: ``host[:port]``."""
    name = text(raw).strip().lower()
    if not _HOST.fullmatch(name):
        raise ValueError(
            "has to be a host as in the names of images, like registry.example or localhost:5000"
        )
    return name


def hosts(raw: Raw) -> tuple[str, ...]:
    return tuple(host(name) for name in names(raw))


def host_names(raw: Raw) -> tuple[str, ...]:
    """Read names and addresses of a machine; give them in lower case, IPv6 without brackets."""
    found = tuple(name.lower().strip("[]") for name in names(raw))
    for name in found:
        if not _HOST_NAME.fullmatch(name) and not _is_address(name):
            raise ValueError(f"holds {name!r}; write names without scheme and port, like propeller.example")
    return found


def networks(raw: Raw) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    """Read addresses and networks, such as ``10.0.0.7`` and ``10.0.0.0/8``."""
    found = []
    for item in names(raw):
        try:
            found.append(ipaddress.ip_network(item))
        except ValueError:
            raise ValueError(
                f"holds {item!r}; write addresses and networks, like 10.0.0.7 and 10.0.0.0/8"
            ) from None
    return tuple(found)


def web_address(raw: Raw) -> str:
    """Read the URL of a manager: ``http`` or ``https``, a host, maybe a port and a path."""
    url = text(raw).strip().rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("has to be a URL like http://manager-1.example:7070")
    return url


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def path(raw: Raw) -> Path:
    return Path(text(raw)).expanduser()


def key_files(raw: Raw) -> tuple[Path, ...]:
    """Read a list of files and directories that exist."""
    found = tuple(Path(name).expanduser() for name in names(raw))
    for path in found:
        if not path.exists():
            raise ValueError(f"names {path}, which does not exist; name files or directories of public keys")
    return found


def pem_file(raw: Raw) -> Path:
    """Read the path of a file that exists, so that an error about it names the setting and not TLS."""
    file = path(raw)
    if not file.is_file():
        raise ValueError("is no file; name a file in PEM form")
    return file


def broker(raw: Raw) -> str:
    """Check a broker's address (``mqtt``, section 1), and give it as it was written."""
    broker_parts(text(raw))
    return text(raw).strip()


def broker_parts(address: str) -> tuple[str, int, bool]:
    """Split a broker's address.

    Returns:
        The host (IPv6 without brackets), the port, and true for TLS.

    Raises:
        ValueError: The address has none of the known forms.

    """
    address = address.strip()
    scheme, found, rest = address.partition("://")
    scheme = scheme.lower() if found else "tcp"
    if scheme not in _PORTS:
        raise ValueError(
            "has to begin with tcp://, mqtt://, ssl://, tls:// or mqtts://, or to be host[:port]"
        )
    rest = (rest if found else address).removesuffix("/")
    if rest.count(":") > 1 and not rest.startswith("["):
        raise ValueError("has an IPv6 address, which has to stand in brackets: tcp://[::1]:1883")
    if not _HOST.fullmatch(rest):
        raise ValueError("has to look like tcp://localhost:1883")
    try:
        parts = urlsplit(f"//{rest}")
        name, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("has a port out of range; write one from 1 to 65535") from None
    if not name or port == 0:
        raise ValueError("has to look like tcp://localhost:1883")
    return name, port or _PORTS[scheme], scheme in _TLS
