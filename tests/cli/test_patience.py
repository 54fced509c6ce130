"""A client of a manager that has too much to do: it waits as it is told, and sends again what is safe."""

import json

import httpx
import pytest

from propeller.client import patience
from propeller.client.api import Client
from propeller.client.errors import ApiError


class Busy:
    """A manager that refuses the first few requests."""

    def __init__(self, monkeypatch, *answers):
        self.answers = list(answers)
        self.requests = []
        self.waits = []
        self.said = []
        monkeypatch.setattr(patience.time, "sleep", self.waits.append)
        monkeypatch.setattr(patience.random, "random", lambda: 0.5)

    def __call__(self, request):
        self.requests.append(request)
        status, after = self.answers.pop(0) if self.answers else (200, "")
        headers = {"retry-after": after} if after else {}
        body = {} if status < 300 else {"error": "the manager is overloaded: 9 wait; try again in 2 s"}
        return httpx.Response(status, headers=headers, content=json.dumps(body))

    def client(self, **more):
        told = lambda said, seconds: self.said.append((said, seconds))  # noqa: E731
        return Client("http://far", on_wait=told, transport=httpx.MockTransport(self), **more)


def test_it_waits_as_long_as_it_is_told_and_a_little_more_by_chance(monkeypatch):
    manager = Busy(monkeypatch, (429, "2"), (503, "3"), (429, "1"))
    with manager.client() as client:
        assert client.start_task("t", key="k") == {}
    # The third wait is longer than it was told, since the others were not enough.
    assert manager.waits == [2 * 1.25, 3 * 1.25, 4 * 1.25]
    assert [seconds for _, seconds in manager.said] == manager.waits
    assert manager.said[0][0].startswith("the manager is overloaded")
    assert {request.headers["idempotency-key"] for request in manager.requests} == {"k"}


@pytest.mark.parametrize(("status", "key", "times"), [(429, None, 2), (503, None, 1), (503, "k", 2)], ids=str)
def test_what_may_have_been_done_comes_again_only_under_a_key(monkeypatch, status, key, times):
    manager = Busy(monkeypatch, (status, "1"))
    with manager.client() as client:
        if times == 1:
            with pytest.raises(ApiError):
                client.start_task("t", key=key)
        else:
            client.start_task("t", key=key)
    assert len(manager.requests) == times


def test_what_does_the_same_when_it_comes_twice_comes_again(monkeypatch):
    manager = Busy(monkeypatch, (503, "1"), (200, ""), (503, "1"))
    with manager.client() as client:
        client.health()
        client.delete_task("t")
    assert [request.method for request in manager.requests] == ["GET", "GET", "DELETE", "DELETE"]


def test_nothing_waits_where_it_is_not_said_for_how_long(monkeypatch):
    manager = Busy(monkeypatch, (503, ""))
    with manager.client() as client, pytest.raises(ApiError):
        client.health()
    assert manager.waits == []


def test_a_wait_has_an_end(monkeypatch):
    manager = Busy(monkeypatch, *[(429, "20")] * 20)
    with manager.client() as client, pytest.raises(ApiError, match="overloaded"):
        client.health()
    assert 60 < sum(manager.waits) <= 120
    quick = Busy(monkeypatch, (429, "2"))
    with quick.client(answer_s=1.0) as client, pytest.raises(ApiError):
        client.health()
    assert quick.waits == []
