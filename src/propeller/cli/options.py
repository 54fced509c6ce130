"""Flags that several commands share, and how their texts become values."""

import csv
import json
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print what the manager answered, as JSON.")]
Offset = Annotated[int, typer.Option("--offset", "-o", min=0, help="How many to pass over.")]
Limit = Annotated[int, typer.Option("--limit", "-l", min=1, help="How many to show.")]


def split(text: str | None) -> list[str] | None:
    """Split at commas; a part with a comma in it stands in double quotes."""
    return None if text is None else next(csv.reader([text], skipinitialspace=True), [])


def inputs(text: str | None) -> list[Any] | None:
    """Split at commas; what is a JSON number is sent as one."""
    parts = split(text)
    return None if parts is None else [number_or_text(part) for part in parts]


def number_or_text(text: str) -> int | float | str:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if type(value) in (int, float) else text


def pairs(texts: list[str] | None, flag: str) -> dict[str, str] | None:
    """Read ``K=V`` pairs, several in one text where they are separated by commas."""
    if not texts:
        return None
    found: dict[str, str] = {}
    for text in texts:
        for part in split(text) or []:
            key, sign, value = part.partition("=")
            if not sign or not key:
                raise typer.BadParameter(f"{flag}: {part!r} has to be KEY=VALUE")
            found[key] = value
    return found


def json_value(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"{what}: not valid JSON: {error}") from error


def task_list(tasks: str | None, tasks_file: typer.FileText | None) -> list[dict[str, Any]]:
    """Read the tasks of a create command from the one of the two flags that is given."""
    if tasks and tasks_file:
        raise typer.BadParameter("use either --tasks or --tasks-file, not both")
    text = tasks_file.read() if tasks_file else tasks
    found = json_value(text, "--tasks-file" if tasks_file else "--tasks") if text else None
    if isinstance(found, dict):
        found = found.get("tasks")
    if not found or not isinstance(found, list):
        raise typer.BadParameter("at least one task is required: a JSON array of tasks")
    return found
