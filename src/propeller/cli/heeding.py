"""Checks that a manager has taken over all fields of a task: a foreign one ignores those it does not know."""

from collections.abc import Iterable, Mapping
from typing import Any

from propeller.errors import PropellerError

#: Fields that answers show as they were given; where they were not, the manager chooses some of them.
_SHOWN = frozenset(
    {
        "id",
        "name",
        "kind",
        "image_url",
        "cli_args",
        "env",
        "daemon",
        "latent",
        "encrypted",
        "kbs_resource_path",
        "proplet_id",
        "run_if",
        "mode",
        "broadcast",
        "priority",
        "metadata",
    }
)
_CHOSEN = ("id", "name", "kind", "priority")
#: Fields that are shown in another way than they are given; that they are shown at all has to do.
_SHOWN_OTHERWISE = ("inputs", "stdin", "required_tags", "timeout", "limits", "grants")


class NotHeeded(PropellerError):
    """The manager answered with success, and left out something that it was sent."""


def unheeded(given: Mapping[str, Any], shown: Mapping[str, Any]) -> list[str]:
    """Name the fields of a request that the task in the answer does not have."""
    return [name for name, value in given.items() if not _is_heeded(name, value, shown.get(name))]


def _is_heeded(name: str, given: Any, shown: Any) -> bool:
    if name in _SHOWN_OTHERWISE:
        return bool(given) == bool(shown)
    if name not in _SHOWN or (not given and name in _CHOSEN):
        return True
    return bool(given == shown) or not (given or shown)


def check_heeded(given: Mapping[str, Any], shown: Mapping[str, Any], consequence: str) -> None:
    """Raise ``NotHeeded`` that names the fields, with what follows from it."""
    _refuse(unheeded(given, shown), f"task {shown['id']}", consequence)


def check_all_heeded(
    given: Iterable[Mapping[str, Any]], shown: Iterable[Mapping[str, Any]], consequence: str
) -> None:
    """Look at the tasks of a request, and at those of its answer, in the same order."""
    missed: dict[str, None] = {}
    for one, answer in zip(given, shown, strict=False):
        missed.update(dict.fromkeys(unheeded(one, answer)))
    _refuse(list(missed), "tasks", consequence)


def _refuse(fields: list[str], whose: str, consequence: str) -> None:
    if fields:
        raise NotHeeded(
            f"the manager has not taken over {', '.join(fields)} of {whose}, which it does not know, or does "
            f"not change; {consequence}"
        )
