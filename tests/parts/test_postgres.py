"""The PostgreSQL of tests does what its methods say."""

import pytest

from tests.parts.postgres import Postgres, running


@pytest.fixture(scope="module")
def server():
    with running(Postgres()) as one:
        yield one


def test_databases_are_fresh_and_those_of_a_template_are_its_copies(server):
    first, second = server.database(), server.database()
    server.sql("CREATE TABLE only_here (number integer); INSERT INTO only_here VALUES (7)", first)
    assert server.sql("SELECT to_regclass('only_here') IS NULL", second) == "t"
    assert server.sql("SELECT number FROM only_here", server.database(template=first)) == "7"


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_data_outlives_a_stop_and_a_crash(server, how):
    name = server.database()
    server.sql("CREATE TABLE kept (number integer); INSERT INTO kept VALUES (7)", name)
    if how == "kill":
        server.kill()
        server.start()
    else:
        server.restart()
    assert server.sql("SELECT number FROM kept", name) == "7"


def test_a_frozen_server_answers_when_it_is_thawed(server):
    server.freeze()
    server.thaw()
    assert server.sql("SELECT 1") == "1"
