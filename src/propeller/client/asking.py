"""The parts that requests are made of."""

from typing import Any


def rerun_body(what: str, from_task: str) -> dict[str, Any]:
    """Give what says which tasks are to run again."""
    given = {name: value for name, value in (("what", what), ("from", from_task)) if value}
    return {"json": given} if given else {}


def under(key: str | None) -> dict[str, Any]:
    """Give what names a request by an idempotency key."""
    return {} if key is None else {"headers": {"Idempotency-Key": key}}


def chosen_logs(stream: str, attempt: str, tail: int | None) -> dict[str, str]:
    """Give the query that chooses among the logs of a task."""
    chosen = {"stream": stream, "attempt": attempt, "tail": "" if tail is None else str(tail)}
    return {name: value for name, value in chosen.items() if value}


def page_query(offset: int, limit: int) -> dict[str, str]:
    """Give the query of a page."""
    return {"offset": str(offset), "limit": str(limit)}
