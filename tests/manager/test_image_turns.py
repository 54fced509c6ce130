"""A foreign proplet fetches an image for one task at a time."""

import asyncio

import pytest

from propeller.manager import image_turns
from propeller.manager.image_turns import ImageTurns
from propeller.wire.fleet.from_manager import Start


@pytest.fixture
def sent():
    return []


def run(play, sent):
    async def main():
        turns = ImageTurns(lambda start: sent.append(start.id))
        try:
            await play(turns)
        finally:
            turns.close()

    asyncio.run(main())


def start(task_id, proplet_id="f", image_url="registry.test/x:1"):
    return Start(id=task_id, name="main", proplet_id=proplet_id, image_url=image_url)


def test_the_next_start_of_an_image_waits_for_a_sign_of_the_first(sent):
    async def play(turns):
        for name in "abc":
            turns.start(start(name))
        assert sent == ["a"]
        turns.over("a")
        assert sent == ["a", "b"]
        turns.over("b")

    run(play, sent)
    assert sent == ["a", "b", "c"]


def test_others_do_not_wait_for_it(sent):
    async def play(turns):
        turns.start(start("a"))
        turns.start(start("elsewhere", proplet_id="g"))
        turns.start(start("other", image_url="registry.test/y:1"))
        turns.start(start("inline", image_url=""))

    run(play, sent)
    assert sent == ["a", "elsewhere", "other", "inline"]


def test_a_repetition_does_not_wait_twice_and_does_not_overtake(sent):
    async def play(turns):
        for name in ("a", "b", "a", "b"):
            turns.start(start(name))
        assert sent == ["a", "a"]
        turns.over("a")
        turns.over("b")

    run(play, sent)
    assert sent == ["a", "a", "b"]


def test_what_is_stopped_before_its_turn_is_not_sent(sent):
    async def play(turns):
        for name in "abc":
            turns.start(start(name))
        turns.over("b")
        turns.over("a")

    run(play, sent)
    assert sent == ["a", "c"]


def test_a_proplet_that_stays_silent_holds_up_the_others_for_a_while_only(monkeypatch):
    monkeypatch.setattr(image_turns, "_FETCH_S_MAX", 0.01)

    async def play():
        second = asyncio.Event()
        turns = ImageTurns(lambda start: second.set() if start.id == "b" else None)
        turns.start(start("a"))
        turns.start(start("b"))
        assert not second.is_set()
        async with asyncio.timeout(10):
            await second.wait()
        turns.close()

    asyncio.run(play())
