import contextlib

import pytest

from propeller.store import limits
from tests.parts.postgres import Postgres, running
from tests.store.same.both import Stores


@pytest.fixture(scope="module")
def stores():
    with running(Postgres()) as server, contextlib.closing(Stores(server)) as both:
        yield both


@pytest.fixture(autouse=True, scope="session")
def patience():
    """Let searches take the time that they need on a machine that is busy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "SEARCH_S", 30)
        yield
