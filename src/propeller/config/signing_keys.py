"""The Ed25519 keys in a ``config.toml``: each program's own, and the public ones of those whom it hears.

A file is changed as text, so that everything written by hand stays.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from propeller.config.errors import BadFiles
from propeller.config.identities import Identity, parsed
from propeller.config.shown import toml_value

_OWN = "signing_key"


def with_keys(text: str, file: str, identities: Sequence[Identity]) -> str:
    """Give each of our programs in a file a key, if it has none, and the public keys of the others.

    Foreign proplets have none. Keys of proplets that the manager knows from elsewhere stay.

    Raises:
        BadFiles: The file has a key that is none, or can't be changed without breaking it.

    """
    before = parsed(text, file)
    wanted = _wanted(before, file, [one for one in identities if one.role != "foreign"])
    result = "\n".join([*_lines_with(text.splitlines(), wanted), ""])
    if parsed(result, file) != before | {name: before[name] | keys for name, keys in wanted.items()}:
        raise BadFiles(f"{file}: can't take keys; put each header and each key on a line of its own")
    return result


def _wanted(before: dict[str, Any], file: str, ours: Sequence[Identity]) -> dict[str, dict[str, str]]:
    """Give the keys that each section has in the end."""
    from propeller.wire.fleet.keys import new_key, public_of  # noqa: PLC0415  it loads the cryptography

    own = {one.section: before[one.section].get(_OWN) or new_key() for one in ours}
    public: dict[str, str] = {}
    for section, key in own.items():
        try:
            public[section] = public_of(key)
        except (ValueError, TypeError) as error:
            raise BadFiles(f"{file}: [{section}] {_OWN}: is no key; delete the line to get one") from error
    wanted = {section: {_OWN: key} for section, key in own.items()}
    for one in ours:
        if one.role == "proplet":
            wanted[one.section]["manager_key"] = public["manager"]
            wanted[one.section] |= {"proxy_key": public["proxy"]} if "proxy" in public else {}
    named = before["manager"].get("proplet_keys", "")
    named = named if isinstance(named, list) else str(named).split(",")
    keys = dict(item.strip().split("=", 1) for item in named if "=" in item)
    keys |= {one.entity_id: public[one.section] for one in ours if one.role == "proplet"}
    wanted["manager"]["proplet_keys"] = ",".join(f"{name}={key}" for name, key in keys.items())
    return wanted


def _lines_with(lines: Sequence[str], wanted: dict[str, dict[str, str]]) -> list[str]:
    """Set keys in sections: on their lines, or below the last line that the section has."""
    headers = [at for at, line in enumerate(lines) if line.startswith("[")]
    result = list(lines[: headers[0]]) if headers else []
    left = dict(wanted)  # what looks like the same header once more is part of a text
    for begin, end in pairwise([*headers, len(lines)]):
        header = re.match(r"\[(\w+)\]", lines[begin])
        result += _section_with(lines[begin:end], left.pop(header[1], {}) if header else {})
    return result


def _section_with(lines: Sequence[str], keys: dict[str, str]) -> list[str]:
    missing = dict(keys)
    result: list[str] = []
    last = 0
    for line in lines:
        found = re.match(r"(\w+)[ \t]*=", line)
        if found and found[1] in keys:
            missing.pop(found[1], None)
            result.append(f"{found[1]} = {toml_value(keys[found[1]])}")
        else:
            result.append(line)
        if line.strip() and not line.startswith("#"):  # comments at the end are of the next section
            last = len(result)
    return [
        *result[:last],
        *(f"{key} = {toml_value(value)}" for key, value in missing.items()),
        *result[last:],
    ]
