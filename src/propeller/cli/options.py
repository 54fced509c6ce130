"""Flags that several commands share, and readers of their texts."""

import base64
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from propeller.cli.reading import read_bounded, read_named
from propeller.errors import Invalid

_SIGNATURE_BYTES_MAX = 4096

PairsFlag = Annotated[list[str] | None, typer.Option(metavar="K=V,…", help="Pairs; may be repeated.")]
TasksFlag = Annotated[str | None, typer.Option("--tasks", help="A JSON array of tasks.")]
TasksFileFlag = Annotated[
    Path | None, typer.Option("--tasks-file", help="A file with that array; - reads standard input.")
]
RunFile = Annotated[Path, typer.Argument(help="A YAML or JSON file; its ids are local to it.")]
ModuleFlag = Annotated[Path | None, typer.Option(help="The module for tasks that name none.")]
KeyFlag = Annotated[
    str | None,
    typer.Option(
        "--idempotency-key",
        metavar="KEY",
        help="A name for this request: sent again under it within a day, it is carried out once.",
    ),
]
DetachFlag = Annotated[bool, typer.Option("--detach", help="Start it and return at once.")]

StdinFlag = Annotated[
    Path | None,
    typer.Option("--stdin", metavar="FILE", help="Its standard input; - is that of this command."),
]

SignatureFlag = Annotated[
    Path | None,
    typer.Option("--signature", metavar="FILE", help="The signature of the module, from propeller sign."),
]

RetryFlag = Annotated[
    list[str] | None,
    typer.Option(
        metavar="K=V,…",
        help="Try it again when it fails: max_attempts=5,delay=2s,on=trap,timeout; also backoff, max_delay, "
        "jitter; may be repeated.",
    ),
]
DeadlineFlag = Annotated[
    str | None, typer.Option(help="How long a run may take in all, with all attempts: 5m.")
]
QueueTimeoutFlag = Annotated[str | None, typer.Option(help="How long it may wait for a proplet: 5m.")]

ScheduleFlag = Annotated[
    str | None, typer.Option("--schedule", help='When it runs by itself: "0 2 * * MON-FRI" or @daily.')
]
TimezoneFlag = Annotated[
    str | None,
    typer.Option("--timezone", help="The zone of the schedule, as in Europe/Berlin [default: UTC]."),
]
RecurringFlag = Annotated[
    bool | None,
    typer.Option("--is-recurring/--no-is-recurring", help="At each time of the schedule, or once."),
]
ScheduleOptionsFlag = Annotated[
    str | None,
    typer.Option(
        "--schedule-options", metavar="K=V,…", help="Of the schedule: catch_up, overlap, jitter, start, end."
    ),
]

#: Flags of a workflow or job as a whole, by the names of their values, as ``fields_of_group`` takes these.
GROUP_FIELDS: dict[str, Any] = {
    "timeout": Annotated[str | None, typer.Option("--timeout", help="How long it may take in all: 1h.")],
    "defaults": Annotated[
        str | None,
        typer.Option(
            "--defaults",
            metavar="JSON",
            help='What holds for tasks that do not say it themselves: {"retry": …, "timeout": …}.',
        ),
    ],
    "label": Annotated[
        list[str] | None,
        typer.Option("--label", metavar="KEY=VALUE", help="A label to find it by; may be repeated."),
    ],
    "max_parallel": Annotated[
        int | None,
        typer.Option("--max-parallel", min=1, help="How many of its tasks run at once; any number."),
    ],
    "fail_fast": Annotated[
        bool | None,
        typer.Option(
            "--fail-fast/--no-fail-fast",
            help="Stop the other tasks when one fails; a job does unless told otherwise.",
        ),
    ],
    "schedule": ScheduleFlag,
    "timezone": TimezoneFlag,
    "is_recurring": RecurringFlag,
    "schedule_options": ScheduleOptionsFlag,
}

#: One part of a list: in double quotes, with each quote inside doubled, or up to the next comma.
_PART = re.compile(r'\s*"((?:[^"]|"")*)"\s*(?=,|\Z)|([^,]*)')
_INT64_MAX = 2**63 - 1
#: More than a manager takes; what it says of less than this is better than that it is too much.
_STDIN_BYTES_MAX = 32 * 1024 * 1024
_TASKS_BYTES_MAX = 128 * 1024 * 1024


def split(text: str | None, flag: str) -> list[str] | None:
    """Split at commas; a part with a comma in it has to be in double quotes, as in CSV."""
    if text is None:
        return None
    parts: list[str] = []
    at = 0
    while text and at <= len(text):
        part = _PART.match(text, at)
        assert part is not None, "the second form takes anything"
        if part[2] is not None and part[2].lstrip().startswith('"'):
            raise typer.BadParameter(f"{flag}: a quoted part does not end before a comma: {part[2]}")
        parts.append(part[2] if part[1] is None else part[1].replace('""', '"'))
        at = part.end() + 1
    return parts


def inputs(text: str | None, flag: str) -> list[int | float | str] | None:
    """Split at commas; a part that is a JSON number becomes a number."""
    parts = split(text, flag)
    return None if parts is None else [number_or_text(part) for part in parts]


def number_or_text(text: str) -> int | float | str:
    """Return a number if JSON writes it in the same way, else the text, so that nothing is lost.

    ``1.0`` and ``1e3`` stay text: a program that gets them as arguments is to see them as they were typed.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if type(value) is int and -_INT64_MAX <= value <= _INT64_MAX and str(value) == text:
        return value
    if type(value) is float and math.isfinite(value) and value % 1 and json.dumps(value) == text:
        return value
    return text


def pairs(texts: list[str] | None, flag: str) -> dict[str, str] | None:
    """Read ``K=V`` pairs; one text may have several, separated by commas."""
    if texts is None:
        return None
    return dict(pair(part, flag) for text in texts for part in split(text, flag) or [])


def json_object(text: str | None, flag: str) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        found = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(f"{flag}: not valid JSON: {error}") from error
    if not isinstance(found, dict):
        raise typer.BadParameter(f"{flag}: it has to be a JSON object")
    return found


def retry_of(texts: list[str], flag: str) -> dict[str, Any]:
    """Read ``max_attempts=5,delay=2s,on=trap,timeout``; the manager checks the values."""
    found: dict[str, Any] = {}
    key = ""
    for part in [part for text in texts for part in split(text, flag) or []]:
        is_one_more_kind = key == "on" and "=" not in part
        key, value = ("on", part) if is_one_more_kind else pair(part, flag)
        if key == "on":
            found.setdefault("on", []).append(value)
        else:
            found[key] = value if key in ("delay", "max_delay") else number_or_text(value)
    return found


def schedule_options_of(text: str | None, flag: str) -> dict[str, str] | None:
    """Read ``overlap=queue,jitter=30s``; the manager checks the values."""
    return None if text is None else dict(pair(part, flag) for part in split(text, flag) or [])


def fields_of_group(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Put the fields of a workflow or job together that are given as flags."""
    more = dict(fields)
    if "defaults" in more:
        more["defaults"] = json_object(more["defaults"], "--defaults")
    if labels := more.pop("label", None):
        more["labels"] = dict(pair(label, "--label") for label in labels)
    if "schedule_options" in more:
        more["schedule_options"] = schedule_options_of(more["schedule_options"], "--schedule-options")
    return more


def pair(text: str, flag: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign or not key:
        raise typer.BadParameter(f"{flag}: {text!r} has to be KEY=VALUE")
    return key, value


def task_list(tasks: str | None, tasks_file: Path | None) -> list[Any]:
    """Read the tasks of a create command from the one of the two flags that is given."""
    if tasks is not None and tasks_file is not None:
        raise typer.BadParameter("use either --tasks or --tasks-file, not both")
    flag = "--tasks" if tasks_file is None else "--tasks-file"
    text = tasks if tasks_file is None else _text_of(tasks_file)
    if not text or not text.strip():
        raise typer.BadParameter("at least one task is required: give a JSON array with --tasks")
    try:
        found = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(f"{flag}: not valid JSON: {error}") from error
    if isinstance(found, dict):
        found = found.get("tasks")
    if not isinstance(found, list):
        raise typer.BadParameter(f"{flag}: it has to be a JSON array of tasks")
    if not found:
        raise typer.BadParameter("at least one task is required")
    return found


def stdin_of(path: Path) -> dict[str, str]:
    """Read what is to be a task's standard input, as the API's fields have it; ``-`` is this program's."""
    try:
        data = read_named(path, _STDIN_BYTES_MAX)
    except OSError as error:
        raise Invalid(f"{path} can't be read: {error.strerror}") from error
    try:
        return {"stdin": data.decode()}
    except UnicodeDecodeError:
        return {"stdin": base64.b64encode(data).decode(), "stdin_encoding": "base64"}


def _text_of(path: Path) -> str:
    try:
        return read_named(path, _TASKS_BYTES_MAX).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"--tasks-file: {path} can't be read: {error}") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON; write it as text")


def signature_of(path: Path, where: str) -> str:
    """Read the text of a signature; raise ``Invalid`` if that can't be."""
    try:
        return read_bounded(path, _SIGNATURE_BYTES_MAX).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{where}: {path} can't be read, or is no signature") from error
