"""What many followers cost: what is equal for them is made once, and one whom nothing concerns takes no step."""

import contextlib

import pytest

from propeller.api import events
from propeller.manager.feed import Feed
from tests.api.test_api_brief_events import announce, following, move
from tests.api.test_api_events import play

FOLLOWERS = 40


class Counted:
    """Counts the calls of a function."""

    def __init__(self, monkeypatch, owner, name):
        self.calls = 0
        one = getattr(owner, name)

        def counted(*given):
            self.calls += 1
            return one(*given)

        monkeypatch.setattr(owner, name, counted)


@contextlib.asynccontextmanager
async def all_following(site, query, *, nothing_there=0):
    """Have many follow; each hears first that what it follows is not there, of so many records."""
    async with contextlib.AsyncExitStack() as stack:
        followers = [await stack.enter_async_context(following(site, query)) for _ in range(FOLLOWERS)]
        for follower in followers:
            await follower.line()
            for _ in range(nothing_there):
                assert (await follower.event())[0] == "gone"
        yield followers


@pytest.mark.parametrize(("query", "records"), [("", 0), ("?job_id=j", 1), ("?workflow_id=w&job_id=j", 2)])
def test_texts_are_joined_once_for_all_who_follow_the_same(tmp_path, monkeypatch, query, records):
    joined = Counted(monkeypatch, events, "_pieces")

    async def part(site):
        async with all_following(site, query, nothing_there=records) as followers:
            for n in range(3):
                announce(site, *(move(f"t{n}", job_id="j", workflow_id="w") for _ in range(10)))
                for follower in followers:
                    seen = [await follower.event() for _ in range(10)]
                    assert [event_id for _, event_id, _ in seen] == list(range(10 * n + 1, 10 * n + 11))
                    assert {event["task_id"] for _, _, event in seen} == {f"t{n}"}
        assert joined.calls == 3

    play(part, tmp_path)


@pytest.mark.parametrize(("query", "records"), [("?brief=true", 0), ("?brief=true&job_id=j", 1)])
def test_rows_are_encoded_once_for_all_who_follow_the_same(tmp_path, monkeypatch, query, records):
    async def part(site):
        async with all_following(site, query, nothing_there=records) as followers:
            encoded = Counted(monkeypatch, events, "encode")
            for n in range(3):
                announce(site, *(move(f"t{n}", job_id="j") for _ in range(300)))
                for follower in followers:
                    rows, _ = await follower.rows(300)
                    assert [row[0] for row in rows] == [f"t{n}"] * 300
        assert encoded.calls == 3

    play(part, tmp_path)


@pytest.mark.parametrize("query", ["?job_id=other", "?brief=true&job_id=other", "?task_id=other&job_id=j"])
def test_nobody_takes_a_step_for_the_events_of_others(tmp_path, monkeypatch, query):
    async def part(site):
        async with all_following(site, query, nothing_there=query.count("_id")) as followers:
            steps = Counted(monkeypatch, Feed, "_batch")
            for n in range(50):
                announce(site, move(f"t{n}", job_id="j"))
                await site.turned()
            assert steps.calls == 0
            announce(site, move("other", job_id="j"), move("t", job_id="other"))
            for follower in followers:
                assert (await follower.event())[1] in (51, 52)
            assert steps.calls == FOLLOWERS

    play(part, tmp_path)
