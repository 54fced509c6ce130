"""What one of several managers does where its database is away, and when it ends."""

import asyncio
import contextlib

import pytest

from propeller.assembly import several
from propeller.assembly.manager_parts import ManagerParts
from propeller.assembly.several import OneOfSeveral
from propeller.errors import LeadershipLost, StoreUnusable, Unavailable
from propeller.manager.lead import Term
from propeller.store.lead import Held
from propeller.store.postgres.settings import PostgresSettings

#: Nobody listens there.
NOWHERE = PostgresSettings(host="127.0.0.1", port=1)


def one_of_several(directory):
    return OneOfSeveral(ManagerParts(data_dir=directory), NOWHERE, "http://127.0.0.1:7070")


@pytest.mark.parametrize("error", [StoreUnusable("it is away"), Unavailable("it has not answered for 10 s")])
def test_who_lost_the_lead_follows_as_soon_as_the_database_is_back(tmp_path, monkeypatch, error):
    async def scene():
        one, attempts = one_of_several(tmp_path), []

        async def follow():
            attempts.append(1)
            if len(attempts) < 3:
                raise error
            one._follower = object()

        monkeypatch.setattr(one, "_follow", follow)
        monkeypatch.setattr(several, "_AGAIN_S", 0.001)
        await one._follow_again(asyncio.Event())
        assert len(attempts) == 3

    asyncio.run(scene())


def test_who_begins_to_lead_while_the_database_is_away_can_be_stopped(tmp_path, monkeypatch):
    async def scene():
        one, stop, waits = one_of_several(tmp_path), asyncio.Event(), asyncio.Event()

        async def taken():
            return Term(one._lead, Held(1, 0, "one"))

        async def lead(_):
            waits.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(one._lead, "taken", taken)
        monkeypatch.setattr(one._store, "lead", lead)
        await one._lead.start()
        turns = asyncio.create_task(one.take_turns(stop))
        await waits.wait()
        stop.set()
        async with asyncio.timeout(10):
            await turns
        await one.give_back()
        await one._lease.close()

    asyncio.run(scene())


def test_who_leads_again_while_an_earlier_term_begins_does_not_let_that_one_write(tmp_path, monkeypatch):
    """Else it would write without having read what the store has by then."""

    async def scene():
        one, leads = one_of_several(tmp_path), []

        async def lead(held):
            leads.append(held)
            raise LeadershipLost("another has it")

        monkeypatch.setattr(one._store, "lead", lead)
        earlier, now = Held(1, 0, "one"), Held(3, 7, "one")
        one._lead._taken = now
        with pytest.raises(LeadershipLost):
            await one._begin_to_lead(Term(one._lead, earlier), contextlib.AsyncExitStack())
        assert leads == [earlier]

    asyncio.run(scene())


def test_the_streams_that_are_forwarded_end_with_the_program(tmp_path):
    class Stream:
        has_ended = False

        def end(self):
            self.has_ended = True

    async def scene():
        one, stream = one_of_several(tmp_path), Stream()
        one._forwarding._streams.add(stream)
        await one.give_back()
        assert stream.has_ended

    asyncio.run(scene())


@pytest.mark.parametrize("was_at_a_broker", [False, True])
def test_a_leader_without_a_broker_says_so_where_others_have_one(
    tmp_path, monkeypatch, caplog, was_at_a_broker
):
    async def scene():
        one = one_of_several(tmp_path)

        async def looked():
            return was_at_a_broker

        async def lead(_):
            pass

        @contextlib.asynccontextmanager
        async def managing(*_):
            yield None

        monkeypatch.setattr(one._store, "lead", lead)
        monkeypatch.setattr(one._store, "has_been_at_a_broker", looked)
        monkeypatch.setattr(several, "managing", managing)
        async with contextlib.AsyncExitStack() as stack:
            await one._begin_to_lead(Term(one._lead, Held(1, 0, "one")), stack)

    asyncio.run(scene())
    assert ("give all managers of a database the same settings" in caplog.text) is was_at_a_broker
