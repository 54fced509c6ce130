"""The simulation sees faults in what the turns of a manager take in, and when."""

import pytest

from propeller.manager import inbox
from propeller.manager.inbox import Inbox

from .faults import assert_caught


def test_stops_wait_behind_creations(monkeypatch):
    monkeypatch.setattr(inbox, "ENDING", ())
    assert_caught("own-lane")


def test_commands_wait_while_there_are_facts(monkeypatch):
    take = Inbox.take

    def facts_first(self):
        taken = take(self)
        if not self._facts:
            return taken
        for item in reversed(taken):
            if isinstance(item, inbox.Ask):
                (self._ending if isinstance(item.command, inbox.ENDING) else self._bringing).appendleft(
                    (0, item)
                )
        return [item for item in taken if not isinstance(item, inbox.Ask)]

    monkeypatch.setattr(Inbox, "take", facts_first)
    assert_caught("own-lane")


@pytest.mark.parametrize("lane", ["_facts", "_ending", "_bringing"])
def test_the_last_one_is_taken_first(monkeypatch, lane):
    take = Inbox.take

    def last_first(self):
        getattr(self, lane).reverse()
        return take(self)

    monkeypatch.setattr(Inbox, "take", last_first)
    assert_caught("own-lane")
