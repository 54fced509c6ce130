"""Reading a start: where its module comes from, why it can't be followed, how its results are said."""

from msgspec import UNSET, UnsetType

from propeller.core.failures import ErrorKind, Failure
from propeller.core.results import as_bytes, as_text, from_json, to_json
from propeller.core.sandbox import Offer, refusal
from propeller.proplet.actions import Outcome
from propeller.wire.fleet.from_manager import Start

STOPPING = "the proplet is stopping"


def why_handed_back(start: Start, sealing_key: str) -> str:
    """Say why another attempt has to take this one's place; ``""`` if none has to."""
    if start.sealed and start.sealed.to != sealing_key:
        return "its secrets were sealed for an earlier start of this proplet"
    return ""


def source_of(start: Start) -> str:
    """Name where the module comes from: its digest, or an image reference or URL; ``""`` if it has none."""
    return start.module or start.image_url or ""


def reported(start: Start, outcome: Outcome) -> tuple[str, str | UnsetType]:
    """Give the results of a run as its manager understands them, and their encoding where they have one.

    A foreign manager knows only text, and gets bytes that are none replaced.
    """
    if outcome.error:
        return "", UNSET
    results, encoding = to_json(outcome.results if start.attempt else as_text(outcome.results))
    return results, encoding or UNSET


def stdin_of(start: Start) -> bytes | None:
    """Give the standard input of a run; None for an empty one."""
    return as_bytes(from_json(start.stdin, start.stdin_encoding or "")) if start.stdin else None


def obstacle(start: Start, offer: Offer) -> Failure | None:
    """Say why a start can't be followed; the contract's validation, but reported (``mqtt``, section 3.1)."""
    if not start.id or not start.name:
        return Failure("the start has no id or no name", ErrorKind.REFUSED)
    if start.sandbox is not UNSET and (why := refusal(offer, start.sandbox)):
        return Failure(f"this proplet refuses it: {why}", ErrorKind.REFUSED)
    if not source_of(start):
        error = f"task {start.id} came without a module that this proplet can get"
        return Failure(error, ErrorKind.MODULE)
    return None
