"""Idempotency keys: a command that comes again under the same key is not carried out again."""

from collections.abc import Mapping, Sequence

import msgspec

from propeller.core.model import Task
from propeller.errors import KeyReused

#: How long a key is remembered: a day.
REMEMBERED_NS = 24 * 3600 * 1_000_000_000


class Key(msgspec.Struct, frozen=True):
    """A client's name for a request, and the request that it names."""

    #: The client's own.
    text: str
    #: The same for the same request, and for no other.
    fingerprint: bytes


class Remembered(msgspec.Struct, frozen=True):
    """A command that was carried out under a key."""

    key: Key
    #: When, ns since the epoch.
    at: int
    #: The tasks that it created, in order.
    task_ids: tuple[str, ...] = ()

    def is_known_at(self, now: int) -> bool:
        return now - self.at < REMEMBERED_NS

    def check_is(self, key: Key) -> None:
        """Raise ``KeyReused`` if the same key stands for another request here."""
        if key.fingerprint != self.key.fingerprint:
            raise KeyReused(
                f"Idempotency-Key: {key.text} was used for another request less than a day ago, with another "
                "method, path, query or body; use a new key for a new request"
            )

    def is_of(self, task: Task) -> bool:
        """Say whether this created a task of one of its ids, and no later command did."""
        return self.at <= task.created_at < self.at + max(len(self.task_ids), 1)


class Memory:
    """What was done under the keys of one turn, before it and in it."""

    def __init__(self) -> None:
        self._done: dict[str, Remembered] = {}
        #: In this turn.
        self.new: list[Remembered] = []

    def adopt(self, done: Mapping[str, Remembered]) -> None:
        """Take in what the store has of the keys."""
        self._done.update(done)

    def recall(self, key: Key, now: int) -> Remembered | None:
        """Give what was done under a key; None if nothing was within a day.

        Raises:
            KeyReused: The key stands for another request.

        """
        done = self._done.get(key.text)
        if done is None or not done.is_known_at(now):
            return None
        done.check_is(key)
        return done

    def remember(self, key: Key, created: Sequence[Task], now: int) -> None:
        done = Remembered(key, now, tuple(task.id for task in created))
        self._done[key.text] = done
        self.new.append(done)


def as_created(task: Task) -> Task:
    """Give a task as it was when it was created: nothing has happened to it yet."""
    return Task(spec=task.spec, seq=task.seq, created_at=task.created_at)
