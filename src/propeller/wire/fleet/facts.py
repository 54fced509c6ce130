"""Translates messages of proplets into facts for the rules."""

from typing import Any

from propeller.core.events import (
    Fact,
    PropletOffline,
    PropletSeen,
    RunCompiles,
    RunEnded,
    RunHandedBack,
    RunUp,
)
from propeller.core.failures import ErrorKind, Failure
from propeller.core.results import from_json
from propeller.wire.fleet.from_proplet import Alive, Compiling, Create, HandBack, Results, Up
from propeller.wire.fleet.messages import Message, PropletMessage


def fact_of(message: Message, *, is_local: bool) -> Fact | None:
    """Translate a message; None if it is not about tasks or proplets."""
    match message:
        case Results():
            return RunEnded(
                proplet_id=sender_of(message),
                task_id=message.task_id,
                attempt=message.attempt or 0,
                placed_at=message.placed_at or 0,
                results=_results(message),
                failure=_failure(message),
                started_at=message.started_at or 0,
                finished_at=message.finished_at or 0,
                ran=message.ran or None,
            )
        case Alive(status="offline"):
            return PropletOffline(message.proplet_id, message.boot or 0)
        case Alive():
            return PropletSeen(
                proplet_id=message.proplet_id,
                boot=message.boot or 0,
                slots=message.slots or 0,
                running=tuple(message.running) if isinstance(message.running, list) else None,
                is_local=is_local,
            )
        case Create():
            return PropletSeen(
                proplet_id=message.proplet_id,
                boot=message.boot or 0,
                slots=message.slots or 0,
                running=tuple(message.running) if isinstance(message.running, list) else None,
                metadata=message.metadata or {},
                is_local=is_local,
                is_hello=True,
            )
        case Up():
            return RunUp(
                proplet_id=message.proplet_id,
                task_id=message.task_id,
                attempt=message.attempt,
                results=message.results or None,
                restarts=message.restarts,
                error=message.error,
                is_up=message.is_up,
                placed_at=message.placed_at or 0,
            )
        case Compiling():
            return RunCompiles(
                proplet_id=message.proplet_id,
                task_id=message.task_id,
                attempt=message.attempt,
                size_bytes=message.size_bytes,
                placed_at=message.placed_at or 0,
            )
        case HandBack():
            return RunHandedBack(
                proplet_id=message.proplet_id,
                task_id=message.task_id,
                attempt=message.attempt,
                reason=message.reason,
                placed_at=message.placed_at or 0,
                newest=message.newest or 0,
                is_lost=message.is_lost or False,
            )
    return None


def _results(message: Results) -> Any:
    if message.error and message.results == "":  # so the contract writes that there is nothing
        return None
    return from_json(message.results, message.results_encoding or "")


def _failure(message: Results) -> Failure | None:
    if not message.error:
        return None
    return Failure(message.error, ErrorKind.of(message.error_kind or ""), message.exit_code or 0)


def sender_of(message: PropletMessage) -> str:
    """Give the proplet that a message names as its sender; ``""`` if it names none.

    The sender of a federated update may stand inside of it (``mqtt``, section 4.3).
    """
    if message.proplet_id:
        return message.proplet_id
    results = message.results if isinstance(message, Results) else None
    sender = results.get("proplet_id") if isinstance(results, dict) else None
    return sender if isinstance(sender, str) else ""
