"""Checks that the directories of guests hold none of Propeller's own files.

If a guest could write to compiled machine code, to a settings file or to a Python module, it would leave its
sandbox with the next start. If it could read the data, it would see the inputs of other tasks.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from propeller.config.errors import BadSettings
from propeller.config.sources import DEFAULT_FILE, Effective
from propeller.core.sandbox import Dir


class _Place(NamedTuple):
    variable: str
    host: Path
    #: The same without symbolic links.
    real: Path
    may_change: bool


def check_directories(effective: Effective, data: Iterable[Path]) -> None:
    """Check the directories that a proplet's owner gives to tasks, or lets them ask for.

    Args:
        effective: Settings of a proplet.
        data: The data directories of Propeller's programs on this machine.

    Raises:
        BadSettings: One of the directories holds files of Propeller itself.

    """
    places = list(_outermost(list(_places(effective))))
    settings_file = _real(effective.file or DEFAULT_FILE)
    for place in places:
        for directory in map(_real, data):
            _refuse_data(place, directory)
        if _holds(place, settings_file) and (place.may_change or settings_file.exists()):
            raise BadSettings(
                f"{place.variable}: {place.host} is where settings are read from ({settings_file}); name "
                "directories below it, or start this program elsewhere"
            )
        for directory in map(_real, {sys.prefix, *sys.path}):
            if place.may_change and _holds(place, directory):
                raise BadSettings(
                    f"{place.variable}: {place.host} may be written to, and holds Python modules that this "
                    f"program loads ({directory}); name directories beside them"
                )
        for other in places:
            _refuse_way_in(place, other)
        if not place.real.is_dir():
            raise BadSettings(
                f"{place.variable}: there is no directory {place.host}; make it, or leave it out"
            )


def _places(effective: Effective) -> Iterator[_Place]:
    variable_of = {
        setting.key: effective.program.variables(setting)[0] for setting in effective.program.settings
    }
    shared = [Dir(host=path, guest=path, mode="rw") for path in effective.values["dirs"] or ()]
    for key, dirs in (("dirs", shared), ("allow_dirs", effective.values["allow_dirs"] or ())):
        for one in dirs:
            host = Path(os.path.normpath(one.host))
            yield _Place(variable_of[key], host, _real(host), may_change=one.mode == "rw")


def _outermost(places: list[_Place]) -> Iterator[_Place]:
    """Leave out directories inside one that guests may write to: they can't lead out of it."""
    for place in places:
        if not any(other.may_change and other.host in place.host.parents for other in places):
            yield place


def _refuse_data(place: _Place, data: Path) -> None:
    if data in place.real.parents:
        raise BadSettings(
            f"{place.variable}: {place.host} lies in the data of Propeller itself ({data}); name directories "
            "beside it"
        )
    if _holds(place, data):
        raise BadSettings(
            f"{place.variable}: {place.host} holds the data of Propeller itself ({data}); name directories "
            "beside it, or keep it elsewhere with --data-dir"
        )


def _refuse_way_in(place: _Place, other: _Place) -> None:
    """Raise ``BadSettings`` if a link leads into the other directory, where guests could replace it."""
    if other.may_change and other.real in place.real.parents:
        inside = other.host / place.real.relative_to(other.real)
        raise BadSettings(
            f"{place.variable}: {place.host} leads into {other.host}, which tasks may write to; name it as "
            f"{inside}"
        )


def _holds(place: _Place, path: Path) -> bool:
    return place.real == path or place.real in path.parents


def _real(path: str | Path) -> Path:
    return Path(os.path.realpath(path))
