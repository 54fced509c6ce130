"""Shows the effective settings of a program as TOML, each with its source."""

import json
from pathlib import Path

from propeller.config.sources import Effective
from propeller.wire.durations import format_duration

_MASK = "********"


def shown(effective: Effective) -> str:
    """Write the settings as a section of the file, with secrets masked."""
    lines = [f"[{effective.section}]"]
    for setting in effective.program.settings:
        value, source = effective.values[setting.key], effective.sources[setting.key]
        if value is None:
            computed = f": {setting.computed.replace('`', '')}" if setting.computed else ""
            lines.append(f"# {setting.key} is not set{computed}")
        else:
            # What everybody can read in the documentation is no secret.
            is_hidden = setting.is_secret and source != "default"
            written = toml_value(_MASK if is_hidden else value)
            lines.append(f"{setting.key} = {written}  # {source}")
    return "\n".join(lines) + "\n"


def toml_value(value: object) -> str:
    """Write the value of a setting as TOML; seconds as a duration."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f'"{format_duration(value)}"'
    if isinstance(value, tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    assert isinstance(value, str | Path), "settings are of no other kind"
    # Text of JSON is text of TOML, but for DEL, which JSON leaves as it is.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
