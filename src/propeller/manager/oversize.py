"""Handling messages that are larger than the broker takes, so that nothing waits for them for ever."""

import base64
import hashlib
import re
from collections.abc import Callable

import msgspec
from msgspec import UNSET

from propeller.core.events import RunEnded
from propeller.core.failures import ErrorKind, Failure
from propeller.core.names import attempt_of
from propeller.manager.service import Manager
from propeller.mqtt.link import TooLarge
from propeller.wire.fleet.codec import decode
from propeller.wire.fleet.from_manager import Ack, Invoke, Start
from propeller.wire.fleet.messages import Message
from propeller.wire.fleet.modules import REPOSITORY, ModuleChunk, ModuleRequest
from propeller.wire.fleet.signing import TO_PROPLET_TOPIC, messages_in

_OWN_TOPIC = re.compile(r"proplet/([^/]+)/(.+)")


class Oversize:
    """Sends a message that was too large in another way, or fails the task or invocation it was for."""

    def __init__(
        self,
        manager: Manager,
        *,
        send_again: Callable[[str, Message], None],
        send_foreign: Callable[[Start], None],
        give_up_foreign: Callable[[str], None],
        answer: Callable[[ModuleRequest], None],
    ) -> None:
        """Prepare.

        Args:
            manager: Is told of tasks that fail.
            send_again: Sends a message to a native proplet.
            send_foreign: Sends a start to a foreign one, in its turn.
            give_up_foreign: Ends the turn of a task, which has the id that foreign ones know.
            answer: Sends pieces of a module; they are smaller by now.

        """
        self._manager = manager
        self._send_again = send_again
        self._send_foreign = send_foreign
        self._give_up_foreign = give_up_foreign
        self._answer = answer

    def take(self, refused: TooLarge) -> None:
        own = _OWN_TOPIC.fullmatch(refused.topic)
        proplet_id, topic = (own[1], own[2]) if own else ("", refused.topic)
        if topic == TO_PROPLET_TOPIC:
            self._take_signed(proplet_id, refused)
        else:
            self._take(proplet_id, decode(topic, refused.payload), refused.why)

    def _take_signed(self, proplet_id: str, refused: TooLarge) -> None:
        """Send each message of an envelope in one of its own; one that was alone is too large itself."""
        messages = [decode(*one) for one in messages_in(refused.payload)]
        if len(messages) == 1:
            self._take(proplet_id, messages[0], refused.why)
            return
        for message in messages:
            self._send_again(proplet_id, message)

    def _take(self, proplet_id: str, message: Message, why: str) -> None:
        match message:
            case Start() as start:
                self._start(start, why)
            case Invoke() as invoke:
                words = f"the invocation's message {why}, or make its inputs and env smaller"
                self._manager.invocations.refused(invoke.invocation_id, words)
            case Ack() as ack if len(ack.ended) > 1:
                half = len(ack.ended) // 2
                for part in (ack.ended[:half], ack.ended[half:]):
                    self._send_again(proplet_id, msgspec.structs.replace(ack, ended=part))
            case ModuleChunk() as chunk if proplet_id:
                # The proplet sees that the pieces have another size now, and asks for them.
                self._answer(ModuleRequest(app_name=chunk.app_name, proplet_id=proplet_id, first=0, count=1))
            case _:
                pass  # the rest is repeated anyway, or may get lost; pieces for all are cut anew

    def _start(self, start: Start, why: str) -> None:
        if start.file:
            digest = hashlib.sha256(base64.b64decode(start.file)).hexdigest()
            start.file, start.image_url = UNSET, REPOSITORY + digest
            self._send_foreign(start)
            return
        task_id, attempt = (start.id, start.attempt) if start.attempt else attempt_of(start.id)
        self._give_up_foreign(start.id)
        self._manager.tell(
            RunEnded(
                proplet_id=str(start.proplet_id),
                task_id=task_id,
                attempt=attempt,
                failure=Failure(
                    f"the task's start message {why}, or make its inputs, its env or the results of its "
                    "parents smaller",
                    ErrorKind.INPUTS,
                ),
            )
        )
