"""The library of the broker says nothing of its own in a program's log."""

import logging

import pytest

from propeller.assembly.logs import log_as_json, log_as_text
from propeller.mqtt import link

LIBRARY = logging.getLogger("gmqtt")


@pytest.fixture(autouse=True)
def as_it_was():
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.mark.parametrize("log", [log_as_text, lambda: log_as_json("info"), lambda: log_as_json("debug")])
def test_what_a_library_says_of_a_closed_socket_is_no_warning_of_ours(log):
    assert link._silent.level == logging.CRITICAL
    log()
    assert not LIBRARY.isEnabledFor(logging.WARNING)
