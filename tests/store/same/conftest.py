import contextlib

import pytest

from tests.parts.postgres import Postgres, running
from tests.store.same.both import Stores


@pytest.fixture(scope="module")
def stores():
    with running(Postgres()) as server, contextlib.closing(Stores(server)) as both:
        yield both
