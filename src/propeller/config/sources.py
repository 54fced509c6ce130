"""The sources of each setting, in this order: flag, variable, file, default."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from propeller.config import values
from propeller.config.definitions import IDENTITY
from propeller.config.errors import BadSettings
from propeller.config.setting import Program, Setting
from propeller.config.values import Raw

DEFAULT_FILE = Path("config.toml")

#: Variables that Kubernetes sets for a service with the name of the program.
_SERVICE_LINK = re.compile(r"[A-Z]+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP)(_\w+)?)?)")


class Effective(msgspec.Struct, frozen=True, kw_only=True):
    """The values of one program's settings, with the source of each."""

    program: Program
    #: By key; None where a setting has no value.
    values: dict[str, Any]
    #: By key: the flag, variable or file that a value is from, or ``default``.
    sources: dict[str, str]
    #: The file that was read, and its section; empty where there was none.
    file: str
    section: str
    #: Other sections of the file for programs of this kind.
    others: tuple[str, ...]
    #: Warnings: they don't keep the program from starting.
    remarks: tuple[str, ...]


def resolve(
    program: Program,
    environ: Mapping[str, str],
    *,
    flags: Mapping[str, Raw] | None = None,
    file: Path | None = None,
    section: str = "",
) -> Effective:
    """Find the value of each setting.

    Args:
        program: The program whose settings these are.
        environ: The variables.
        flags: The flags that were given, by key.
        file: The file that a flag names; otherwise a variable counts, then ``config.toml`` if it is there.
        section: The section that a flag names; otherwise a variable counts, then the program's name.

    Raises:
        BadSettings: A value is wrong, two spellings of one setting differ, the file can't be read, or a
            variable asks for what there is not.

    """
    file_variable, section_variable = program.file_variables
    named_file = file or (Path(environ[file_variable]) if environ.get(file_variable) else None)
    for name, why in program.refused:
        if environ.get(name):
            raise BadSettings(f"{name}: {why}")
    named_section = section or environ.get(section_variable, "")
    document = _document(named_file or DEFAULT_FILE, is_named=named_file is not None)
    section = named_section or program.name
    others = tuple(name for name in sections_of(document, program.name) if name != section)
    table = _section(named_file or DEFAULT_FILE, document, section)
    label = f"{named_file or DEFAULT_FILE} [{section}]" if table is not None else ""
    if table is None and named_section:
        known = f"; it has: {', '.join(document)}" if document else ""
        raise BadSettings(f"{named_file or DEFAULT_FILE}: there is no section [{section}]{known}")
    _refuse_unknown(program, table or {}, label)
    given = _Given(
        flags=flags or {},
        environ=environ,
        table=table or {},
        label=label,
        directory=(named_file or DEFAULT_FILE).parent,
    )
    found = {setting.key: _find(program, setting, given) for setting in program.settings}
    return Effective(
        program=program,
        values={key: value for key, (value, _) in found.items()},
        sources={key: source for key, (_, source) in found.items()},
        file=str(named_file or DEFAULT_FILE) if document else "",
        section=section,
        others=others,
        remarks=(
            *_open_file(named_file or DEFAULT_FILE, document),
            *_unknown_variables(program, environ),
            *_unchecked(found),
        ),
    )


def sections_of(document: Iterable[str], name: str) -> list[str]:
    """Name the sections for programs of one kind: ``[proplet]``, ``[proplet1]`` and so on."""
    return [section for section in document if re.fullmatch(rf"{name}\d*", section, re.ASCII)]


def missing_identity(effective: Effective) -> str:
    """Say which of the four credentials are missing, and how to set them; ``""`` if none is."""
    program = effective.program
    missing = [
        f"{setting.key} ({program.variables(setting)[0]})"
        for setting in program.settings
        if setting.key in IDENTITY and not effective.values[setting.key]
    ]
    if not missing:
        return ""
    text = f"the {program.name} has no {', '.join(missing)}"
    if effective.others and program.name == "proplet":
        known = ", ".join(f"[{name}]" for name in effective.others)
        return (
            f"{text}: {effective.file} has no section [{effective.section}], but {known}; "
            f"choose one with --section or {program.file_variables[1]}"
        )
    where = f"section [{effective.section}] of {effective.file or DEFAULT_FILE}"
    return f"{text}; set the variables or the {where}, which `propeller provision` writes"


def _document(file: Path, *, is_named: bool) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            return tomllib.load(stream)
    except FileNotFoundError:
        if not is_named:
            return {}
        raise BadSettings(f"{file}: there is no such file; `propeller provision` writes one") from None
    except OSError as error:
        raise BadSettings(f"{file}: can't be read: {error.strerror}; give another with --config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadSettings(f"{file}: is no TOML: {error}") from error


def _section(file: Path, document: Mapping[str, Any], section: str) -> dict[str, Any] | None:
    table = document.get(section)
    if table is not None and not isinstance(table, dict):
        raise BadSettings(f"{file}: {section} has to be a section, [{section}]")
    return table


def _refuse_unknown(program: Program, table: Mapping[str, Any], label: str) -> None:
    known = [name for setting in program.settings for name in (setting.key, *setting.aliases)]
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "docs/configuration.md lists all settings"
            raise BadSettings(f"{label}: {key} is no setting of the {program.name}; {hint}")


class _Given(msgspec.Struct, frozen=True, kw_only=True):
    """The sources of values."""

    flags: Mapping[str, Raw]
    environ: Mapping[str, str]
    #: The section of the file, and its name in error messages.
    table: Mapping[str, Any]
    label: str
    #: That of the file, from which the paths of certificates go on.
    directory: Path


def _find(program: Program, setting: Setting, given: _Given) -> tuple[Any, str]:
    """Return the value of a setting, and its source."""
    if setting.key in given.flags:
        return read(setting, given.flags[setting.key], setting.flag), setting.flag
    variables = {
        name: given.environ[name]
        for name in program.variables(setting)
        if name in given.environ and (given.environ[name] or setting.takes_empty)
    }
    names = (setting.key, *setting.aliases)
    keys = {
        f"{given.label} {name}": _from_file(setting, given.table[name], given.directory)
        for name in names
        if name in given.table
    }
    for place in (variables, keys):
        if len({repr(raw) for raw in place.values()}) > 1:
            raise BadSettings(f"{' and '.join(place)} are two names for one setting and differ; keep one")
        for name, raw in place.items():
            return read(setting, raw, name), name
    if setting.default is None:
        return None, "default"
    return read(setting, setting.default, setting.key), "default"


def _from_file(setting: Setting, raw: Any, directory: Path) -> Any:
    """Let a path go on from the directory of the file that names it, if it is one of a certificate or key.

    So a directory with a file and its certificates may be anywhere, wherever the program is started.
    """
    if setting.read is not values.pem_file or not isinstance(raw, str):
        return raw
    return str(directory / Path(raw).expanduser())


def read(setting: Setting, raw: Any, name: str) -> Any:
    """Read a value; ``name`` is the flag, variable or key that an error names.

    Raises:
        BadSettings: The value is wrong.

    """
    try:
        if not isinstance(raw, str | int | float | bool | list):
            raise ValueError("is of a kind that no setting has")  # noqa: TRY004
        return setting.read(raw)
    except ValueError as error:
        shown = "" if setting.is_secret else f" {raw!r}"
        raise BadSettings(f"{name}:{shown} {error}") from None


def _open_file(file: Path, document: Mapping[str, Any]) -> list[str]:
    if document and file.stat().st_mode & 0o004:
        return [f"{file} holds keys, and everybody on this machine may read it; do: chmod 600 {file}"]
    return []


def _unchecked(found: Mapping[str, tuple[Any, str]]) -> list[str]:
    """Warn of settings for tests, with which any machine in between can read and answer everything."""
    return [
        f"{source}: certificates are not checked, anybody may answer in place of the other side"
        for key, (value, source) in found.items()
        if key.endswith("insecure_skip_verify") and value
    ]


def _unknown_variables(program: Program, environ: Mapping[str, str]) -> list[str]:
    """Warn of variables with the program's prefix that do nothing; they may belong to another program."""
    known = {name for setting in program.settings for name in program.variables(setting)}
    known |= {*program.file_variables}
    remarks = []
    for name in sorted(environ):
        if name.startswith(program.prefix) and name not in known and not _SERVICE_LINK.fullmatch(name):
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
            hint = f"; did you mean {near[0]}?" if near else ""
            remarks.append(f"{name} has no effect in this version{hint}")
    return remarks
