"""Texts of events, rendered once for all followers."""

from propeller.api.sse import event_text
from propeller.core.effects import Transition
from propeller.wire.http.events import event_view
from propeller.wire.http.schema import encode

_BYTES_KEPT = 4 * 2**20


class EventTexts:
    """Keeps the texts of the latest events in memory."""

    def __init__(self) -> None:
        self._texts: dict[int, bytes] = {}
        self._size = 0

    def of(self, event_id: int, transition: Transition) -> bytes:
        text = self._texts.get(event_id)
        if text is None:
            text = event_text(event_id, "task", encode(event_view(transition)))
            self._texts[event_id] = text
            self._size += len(text)
            while self._size > _BYTES_KEPT:
                self._size -= len(self._texts.pop(next(iter(self._texts))))
        return text
