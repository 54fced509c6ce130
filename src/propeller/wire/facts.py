"""What a proplet's message means to the rules."""

from msgspec import UNSET

from propeller.core.events import Fact, PropletLost, PropletSeen, RunEnded, RunHandedBack
from propeller.wire.messages import Alive, Create, HandBack, Message, Results


def fact_of(message: Message, *, is_local: bool) -> Fact | None:
    """Translate a message, or return None where it is not about tasks or proplets."""
    match message:
        case Results():
            return RunEnded(
                proplet_id=message.proplet_id,
                task_id=message.task_id,
                attempt=message.attempt,
                results=message.results,
                error=message.error or "",
                started_at=message.started_at,
                finished_at=message.finished_at,
            )
        case Alive(status="offline"):
            return PropletLost(message.proplet_id, "the proplet stopped", message.boot)
        case Alive():
            return PropletSeen(
                proplet_id=message.proplet_id,
                boot=message.boot,
                slots=message.slots,
                running=None if message.running is UNSET else tuple(message.running),
                is_local=is_local,
            )
        case Create():
            return PropletSeen(
                proplet_id=message.proplet_id,
                boot=message.boot,
                slots=message.slots,
                metadata=message.metadata,
                is_local=is_local,
            )
        case HandBack():
            return RunHandedBack(
                proplet_id=message.proplet_id,
                task_id=message.task_id,
                attempt=message.attempt,
                reason=message.reason,
            )
    return None
