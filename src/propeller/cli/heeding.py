"""Checks that a manager has taken over all fields of a task: a foreign one ignores those it does not know."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from propeller.errors import Invalid, PropellerError
from propeller.wire.durations import parse_duration
from propeller.wire.sizes import parse_size

if TYPE_CHECKING:
    from propeller.client.api import Client

#: Fields that answers show as they were given; where they were not, the manager chooses some of them.
_SHOWN = frozenset(
    {
        "id",
        "name",
        "kind",
        "image_url",
        "signature",
        "cli_args",
        "env",
        "daemon",
        "latent",
        "encrypted",
        "kbs_resource_path",
        "run_if",
        "mode",
        "broadcast",
        "priority",
        "metadata",
        "schedule",
        "timezone",
        "is_recurring",
    }
)
_CHOSEN = ("id", "name", "kind", "priority")
#: Fields that are shown in another way than they are given; that they are shown at all has to do.
_SHOWN_OTHERWISE = ("inputs", "stdin", "required_tags", "retry", "schedule_options")
#: Durations, of which 0 is as good as none.
_DURATIONS = ("timeout", "deadline", "queue_timeout")
#: A time that has not come yet.
_NEVER = "0001-01-01T00:00:00Z"


class NotHeeded(PropellerError):
    """The manager answered with success, and left out something that it was sent."""


def check_key(client: "Client", key: str | None) -> None:
    """Refuse an idempotency key that the manager would take no notice of.

    Raises:
        Invalid: It only knows the contract.

    """
    if key is not None and not client.lists_workflows():
        raise Invalid(
            f"--idempotency-key: the manager at {client.base_url} does not know it, and would carry out the "
            "request each time; leave it out"
        )


def unheeded(given: Mapping[str, Any], shown: Mapping[str, Any]) -> list[str]:
    """Name the fields of a request that the task in the answer does not have."""
    return [name for name, value in given.items() if value is not None and not _is_heeded(name, value, shown)]


def _is_heeded(name: str, given: Any, answer: Mapping[str, Any]) -> bool:
    shown = answer.get(name)
    if name == "proplet_id":
        if "pinned_to" in answer:
            return bool(answer["pinned_to"] == given)
        # Once it was placed, the proplet that got it is shown, whatever is asked for.
        return shown == given or not (given or shown) or answer.get("start_time", _NEVER) != _NEVER
    if name in _DURATIONS:
        return bool(shown) == (_number(given, parse_duration) != 0)
    if name == "limits":
        return set(shown or {}) == {limit for limit, most in given.items() if _number(most, parse_size) != 0}
    if name == "grants":  # none at all is less than what a proplet gives to every task
        return shown is not None
    if name in _SHOWN_OTHERWISE:
        return bool(given) == bool(shown)
    if name not in _SHOWN or (not given and name in _CHOSEN):
        return True
    return bool(given == shown) or not (given or shown)


def _number(given: Any, parse: Callable[[str], float]) -> float | None:
    """Read what the manager has accepted; None for what only it can read."""
    try:
        return parse(str(given))
    except ValueError:
        return None


def check_heeded(given: Mapping[str, Any], shown: Mapping[str, Any], consequence: str) -> None:
    """Raise ``NotHeeded`` that names the fields, with what follows from it."""
    _refuse(unheeded(given, shown), f"task {shown['id']}", consequence)


def check_all_heeded(
    given: Iterable[Mapping[str, Any]],
    shown: Iterable[Mapping[str, Any]],
    consequence: str,
    *,
    of_group: Mapping[str, Any] | None = None,
    look: Callable[[], Mapping[str, Any]] = dict,
) -> None:
    """Look at all fields of a request for a workflow or a job.

    Args:
        given: The tasks of the request.
        shown: Those of its answer, in the same order.
        consequence: What follows if one was passed over.
        of_group: Other fields of the request; None for one that was not given.
        look: Reads the workflow or job: the answer to its creation does not show all of these.

    Raises:
        NotHeeded: The manager passed over some; the message names them.

    """
    missed: dict[str, None] = {}
    for one, answer in zip(given, shown, strict=False):
        missed.update(dict.fromkeys(unheeded(one, answer)))
    _refuse(list(missed), "tasks", consequence)
    wanted = {name: value for name, value in (of_group or {}).items() if value not in (None, "")}
    if wanted:
        group = look()
        missing = [name for name, value in wanted.items() if not _is_shown(name, value, group)]
        _refuse(missing, "it", consequence)


def _is_shown(name: str, given: Any, group: Mapping[str, Any]) -> bool:
    """Say whether a group has a field; objects are shown with all that they leave out filled in."""
    if name in _DURATIONS:
        return _is_heeded(name, given, group)
    return name in group if isinstance(given, dict) else bool(group.get(name) == given)


def _refuse(fields: list[str], whose: str, consequence: str) -> None:
    if fields:
        raise NotHeeded(
            f"the manager has not taken over {', '.join(fields)} of {whose}, which it does not know, or does "
            f"not change; {consequence}"
        )
