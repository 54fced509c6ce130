"""The stream of events as the client reads it, through everything that can happen to a connection."""

import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from propeller.client.api import Client
from propeller.client.contract import WorkflowLooks
from propeller.client.errors import ApiError, Unreachable
from propeller.client.events import Pace, read_stream
from propeller.errors import Invalid


def event(number, **fields):
    content = {"task_id": "t", "name": "main", "state": 2, "time": "2026-01-01T00:00:00Z", **fields}
    return f"id: {number}\nevent: task\ndata: {json.dumps(content, ensure_ascii=False)}\n\n".encode()


class Broken(httpx.SyncByteStream):
    """Sends some bytes, and then the connection breaks."""

    def __init__(self, *chunks):
        self._chunks = chunks

    def __iter__(self):
        yield from self._chunks
        raise httpx.ReadError("the connection broke")


class Manager:
    """Answers one request after another as it was told to, and writes down what it was asked."""

    def __init__(self, *answers):
        self._answers = list(answers)
        self.asked = []

    def __call__(self, request):
        self.asked.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def follow(self, **options):
        return Client("http://far", transport=httpx.MockTransport(self)).follow(**options)


def stream(*chunks):
    return httpx.Response(200, stream=Broken(*chunks))


def test_a_broken_stream_goes_on_behind_the_last_event():
    manager = Manager(
        stream(b": following\n\n", event(6), event(7, state=3)[:20]),
        httpx.ConnectError("refused"),
        httpx.Response(503, json={"error": "starting"}),
        stream(b": following\n\n", event(7, state=3)),
    )
    events = manager.follow(workflow_id="w")
    assert next(events) is None, "it stands: look for yourself"
    assert next(events)["state"] == 2
    assert next(events) is None, "it stands again"
    assert next(events)["state"] == 3
    assert [request.headers.get("last-event-id") for request in manager.asked] == [None, "6", "6", "6"]
    assert {request.url.query for request in manager.asked} == {b"workflow_id=w"}


def test_signs_of_life_are_passed_on():
    events = Manager(stream(b": following\n\n", b": still here\n\n", event(1))).follow()
    assert next(events) is None
    assert next(events) is None
    assert next(events)["task_id"] == "t"


def test_an_event_of_a_kind_without_content_says_look():
    gone = b'event: gone\ndata: {"task_id":"t"}\n\n'
    events = Manager(stream(b": following\n\n", event(1), gone, event(2))).follow()
    assert next(events) is None
    assert next(events)["task_id"] == "t"
    assert next(events) is None
    assert next(events)["task_id"] == "t"


def test_a_manager_that_never_answered_is_not_waited_for():
    with pytest.raises(Unreachable, match="no answer from http://far: refused"):
        next(Manager(httpx.ConnectError("refused")).follow())


def test_a_manager_that_stays_away_is_given_up():
    events = Manager(stream(), *[httpx.ConnectError("refused")] * 3).follow(give_up_s=0.0)
    assert next(events) is None
    with pytest.raises(Unreachable):
        next(events)


def test_a_refusal_is_passed_on():
    events = Manager(httpx.Response(400, json={"error": "invalid Last-Event-ID"})).follow()
    with pytest.raises(ApiError, match="invalid Last-Event-ID"):
        next(events)


@pytest.mark.parametrize("status", [404, 405])
def test_without_a_stream_one_looks_now_and_then(status):
    events = Manager(httpx.Response(status)).follow()
    assert [next(events), next(events)] == [None, None]


def test_lines_end_only_where_they_end():
    results = "one\u2028two\u0085three\x0bfour"
    ((number, read),) = read_stream([event(9, results=results)])
    assert (number, read["results"]) == ("9", results)


@given(st.lists(st.text()), st.data(), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_any_cut_of_the_stream_reads_the_same(texts, data, line_end):
    whole = b"".join(event(number, results=text) for number, text in enumerate(texts)).replace(
        b"\n", line_end
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)))))
    chunks = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert [(number, read["results"]) for number, read in read_stream([*chunks, b"\n"])] == [
        (str(number), text) for number, text in enumerate(texts)
    ]


def test_a_line_end_that_is_cut_in_two_is_one():
    chunks = [b'id: 1\r\ndata: {"task_id":\r', b'\ndata: "t"}\r', b"\n\r", b"\n"]
    assert list(read_stream(chunks)) == [("1", {"task_id": "t"})]


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (
            httpx.Response(409, json={"error": "task t runs: stop it first"}),
            409,
            "task t runs: stop it first",
        ),
        (httpx.Response(404, text="404 page not found"), 404, "the manager does not offer GET /tasks/a/b"),
        (httpx.Response(502, html="<p>Bad</p>"), 502, "GET /tasks/a/b answered 502 Bad Gateway"),
        (httpx.Response(200, text="<html>"), 200, "is it a Propeller manager"),
    ],
)
def test_refusals_are_in_the_managers_words(answer, status, said):
    manager = Manager(answer)
    with (
        Client("http://far", transport=httpx.MockTransport(manager)) as client,
        pytest.raises(ApiError) as refused,
    ):
        client.task("a/b")
    assert refused.value.status == status
    assert said in str(refused.value)
    assert manager.asked[0].url.raw_path == b"/tasks/a%2Fb?file=false"


@pytest.mark.parametrize("url", ["ftp://far", "http://", "http://far:port", "far:port"])
def test_urls_that_are_none(url):
    with pytest.raises(Invalid, match="manager URL"):
        Client(url)


def test_what_json_has_not_is_not_sent():
    client = Client("http://far", transport=httpx.MockTransport(Manager()))
    for wrong in (float("nan"), "\ud800", {1, 2}):
        with pytest.raises(Invalid, match="this can't be sent"):
            client.create_task({"name": "main", "inputs": [wrong]})
    with pytest.raises(Invalid, match="the id is empty"):
        client.delete_task("")


def test_where_there_are_no_events_looks_come_less_and_less_often_while_nothing_changes(monkeypatch):
    waits = []
    monkeypatch.setattr("propeller.client.events.time.sleep", waits.append)
    nothing = httpx.Response(404, text="404 page not found")
    pace = Pace()
    events = Manager(nothing).follow(pace=pace)
    for look in range(8):
        assert next(events) is None
        if look == 5:
            pace.quicken()
    assert waits == [0.5, 1.0, 2.0, 4.0, 5.0, 0.5, 1.0]
    waits.clear()
    events = Manager(httpx.Response(404, text="404 page not found")).follow()
    for _ in range(4):
        next(events)
    assert waits == [0.5, 0.5, 0.5]


def test_a_workflow_of_a_manager_without_workflows_is_looked_at_task_by_task():
    """All tasks of the manager are read once, and after that no other workflow's, and none that has ended."""
    ours = {f"t{n}": {"id": f"t{n}", "state": 3 if n else 2, "workflow_id": "w"} for n in range(3)}
    ours["gone"] = {"id": "gone", "state": 0, "workflow_id": "w"}
    others = [{"id": f"o{n}", "state": 0} for n in range(150)]
    asked = []

    def answer(request):
        asked.append(request.url.path)
        *_, kind, last = request.url.path.split("/")
        if kind == "workflows":
            return httpx.Response(404, text="404 page not found")
        if last == "tasks":
            at = int(request.url.params["offset"])
            tasks = [*others, *ours.values()]
            return httpx.Response(200, json={"total": len(tasks), "tasks": tasks[at : at + 100]})
        return (
            httpx.Response(200, json=ours[last])
            if last in ours
            else httpx.Response(404, json={"error": "no"})
        )

    look = WorkflowLooks(Client("http://far", transport=httpx.MockTransport(answer)))
    assert [task["id"] for task in look("w")["tasks"]] == ["t0", "t1", "t2", "gone"]
    assert asked == ["/workflows/w", "/tasks", "/tasks"]
    asked.clear()
    del ours["gone"]
    ours["t0"]["state"] = 3
    assert [task["state"] for task in look("w")["tasks"]] == [3, 3, 3]
    assert asked == ["/tasks/t0", "/tasks/gone"]


def test_who_wants_to_know_is_told_of_each_break():
    breaks = []
    manager = Manager(
        stream(event(6)),
        httpx.ConnectError("refused"),
        stream(event(7)),
    )
    events = manager.follow(on_break=lambda error: breaks.append(str(error)))
    assert [next(events), next(events)["state"], next(events), next(events)["state"]] == [None, 2, None, 2]
    assert breaks == ["no answer from http://far: the connection broke", "no answer from http://far: refused"]


def test_the_whole_is_asked_for_and_followed():
    manager = Manager(
        httpx.Response(200, json={"total": 0, "failures": []}),
        httpx.Response(200, json={"event_id": 7}),
        stream(b": following\n\n", b'id: 8\nevent: changes\ndata: [["a",3,1,"p",5,0]]\n\n'),
    )
    client = Client("http://far", transport=httpx.MockTransport(manager))
    assert client.failures(since="2026-01-01T00:00:00Z", limit=3)["total"] == 0
    assert client.graph("workflows", "a/b")["event_id"] == 7
    changes = client.follow_changes(workflow_id="a/b", after=7)
    assert [next(changes), next(changes)] == [None, [["a", 3, 1, "p", 5, 0]]]
    assert [str(request.url.raw_path, "ascii") for request in manager.asked] == [
        "/failures?limit=3&since=2026-01-01T00%3A00%3A00Z",
        "/workflows/a%2Fb/graph",
        "/events?brief=true&workflow_id=a%2Fb&after=7",
    ]
