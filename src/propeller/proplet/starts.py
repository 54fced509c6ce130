"""Reading a start: where its module comes from, and why it can't be followed."""

from msgspec import UNSET

from propeller.core.failures import ErrorKind, Failure
from propeller.core.sandbox import Offer, refusal
from propeller.wire.fleet.from_manager import Start


def source_of(start: Start) -> str:
    """Name where the module comes from: its digest, or an image reference or URL; ``""`` if it has none."""
    return start.module or start.image_url or ""


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
