"""Credentials for registries of images.

A file for several registries is TOML with a section for each host, or the JSON that ``docker login`` writes::

    ["registry.example"]
    username = "ada"
    password = "…"

    ["registry.example:5000"]
    token = "…"
"""

import base64
import binascii
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from propeller.config import values
from propeller.config.errors import BadSettings
from propeller.config.settings import Login

_FIELDS = ("username", "password", "token")


def logins_of(program_values: Mapping[str, Any], *, prefix: str) -> tuple[Login, ...]:
    """Gather the credentials, at most one per host; those of the settings count before those of the file."""
    single = _single(program_values, prefix)
    file = program_values["registries_file"]
    several = read_logins(file) if file else ()
    taken = {login.host for login in single}
    return (*single, *(login for login in several if login.host not in taken))


def _single(given: Mapping[str, Any], prefix: str) -> tuple[Login, ...]:
    username, password, token = (given[f"registry_{field}"] or "" for field in _FIELDS)
    wanted = given.get("authenticate")
    has_any = bool(username or password or token)
    if wanted is False or not has_any:
        if wanted and not given["registries_file"]:
            raise BadSettings(
                f"{prefix}AUTHENTICATE: it is on, but there are no credentials; "
                f"set {prefix}REGISTRY_USERNAME and {prefix}REGISTRY_PASSWORD, or {prefix}REGISTRY_TOKEN"
            )
        return ()
    # Without a host, any registry that a task names would get the credentials, a stranger's too.
    if not given["registry_url"]:
        raise BadSettings(
            f"{prefix}REGISTRY_URL: there are credentials, but not for whom; set it to the registry's host"
        )
    return (_login(f"{prefix}REGISTRY_*", given["registry_url"], username, password, token),)


def _login(where: str, host: str, username: str, password: str, token: str) -> Login:
    if bool(username) != bool(password):
        raise BadSettings(f"{where}: user name and password go together; give both, or a token")
    if bool(username) == bool(token):
        raise BadSettings(f"{where}: give either user name and password, or a token")
    return Login(host=host, username=username, password=password, token=token)


def read_logins(file: Path) -> tuple[Login, ...]:
    """Read a file of credentials.

    Raises:
        BadSettings: The file can't be read, or has no valid credentials.

    """
    try:
        text = file.read_text(encoding="utf-8")
        is_json = text.lstrip().startswith("{")
        document = json.loads(text) if is_json else tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise BadSettings(f"{file}: can't be read as TOML or JSON: {error}") from error
    entries = document.get("auths", document)
    if not isinstance(entries, dict):
        raise BadSettings(f"{file}: auths has to be an object")
    return tuple(_entry(file, name, entry) for name, entry in entries.items() if name not in _NO_HOSTS)


#: Other keys that ``docker login`` keeps at the top of its file.
_NO_HOSTS = ("credsStore", "credHelpers", "HttpHeaders")


def _entry(file: Path, name: str, entry: Any) -> Login:
    where = f"{file}: {name}"
    if not isinstance(entry, dict) or not all(isinstance(value, str) for value in entry.values()):
        raise BadSettings(f"{where}: has to be a section with username and password, or with token")
    fields = dict(entry)
    if auth := fields.pop("auth", ""):
        try:
            fields["username"], _, fields["password"] = (
                base64.b64decode(auth, validate=True).decode().partition(":")
            )
        except (binascii.Error, UnicodeDecodeError):
            raise BadSettings(f"{where}: auth is not in base64") from None
    if "identitytoken" in fields:
        fields["token"] = fields.pop("identitytoken")
        fields.pop("username", None), fields.pop("password", None)
    unknown = [field for field in fields if field not in _FIELDS]
    if unknown:
        raise BadSettings(f"{where}: {unknown[0]} is no field of credentials; use {', '.join(_FIELDS)}")
    username, password, token = (fields.get(field, "") for field in _FIELDS)
    return _login(where, _host(name, where), username, password, token)


def _host(name: str, where: str) -> str:
    """Read the host of an entry; Docker writes some as URLs."""
    bare = name.partition("://")[2] or name
    try:
        host = values.host(bare.partition("/")[0])
    except ValueError as error:
        raise BadSettings(f"{where}: {error}") from None
    return "docker.io" if host == "index.docker.io" else host
