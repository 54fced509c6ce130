"""What the screen knows, apart from screens: deeds, lists, lines, events, the connection, and how they are drawn."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from propeller.cli.top import deeds, drawing, lists
from propeller.cli.top.connection import Connection
from propeller.cli.top.happenings import KEPT, Happenings, cause
from propeller.cli.top.lines import Lines
from propeller.client.api import Client
from propeller.core.states import COMPLETED, FAILED, PENDING, RUNNING
from propeller.errors import Invalid

NASTY = "[bold red]x[/] \x1b[31m\x07\u202e" + "y" * 10_000


def a_target(state, **counts):
    return deeds.Target("workflow", "w", state, counts)


# -- deeds -------------------------------------------------------------------------------------------------


def test_a_start_says_whether_it_is_the_first():
    assert "wait for no other" in deeds.start(a_target(PENDING, pending=3)).will
    assert "all its 3 tasks run once more" in deeds.start(a_target(COMPLETED, completed=3)).will
    assert "copy" in deeds.start(deeds.Target("job", "j", PENDING, {}, has_schedule=True)).will


def test_a_stop_counts_whom_it_stops():
    will = deeds.stop(a_target(RUNNING, running=1, scheduled=2, pending=3, completed=4)).will
    assert will.startswith("1 task that runs and 5 that wait become Interrupted")
    assert "nothing changes" in deeds.stop(a_target(COMPLETED, completed=1)).will


def test_a_rerun_is_of_what_did_not_complete_or_else_of_all():
    asked = []

    class Asked:
        def rerun_workflow(self, workflow_id, *, what, from_task):
            asked.append((workflow_id, what, from_task))

    for deed in (
        deeds.rerun(a_target(FAILED, failed=1, skipped=1, completed=3)),
        deeds.rerun(a_target(COMPLETED, completed=3)),
        deeds.rerun(a_target(FAILED, failed=1), "t"),
    ):
        deed.do(Asked())
    assert asked == [("w", "", ""), ("w", "all", ""), ("w", "", "t")]
    assert "2 tasks that failed" in deeds.rerun(a_target(FAILED, failed=1, skipped=1)).will
    with pytest.raises(Invalid, match="has not ended"):
        deeds.rerun(a_target(FAILED, failed=1, running=1))


def test_a_task_of_a_group_is_rerun_with_what_hangs_on_it_and_any_other_started():
    task = {"id": "t", "state": FAILED, "attempt": 2}
    assert "as attempt 3" in deeds.rerun_task(task).will
    assert "job j from task t on" in deeds.rerun_task({**task, "job_id": "j"}).question
    with pytest.raises(Invalid, match="has not ended"):
        deeds.rerun_task({**task, "state": RUNNING})


def test_a_proplet_that_is_alive_is_not_forgotten():
    with pytest.raises(Invalid, match="is alive"):
        deeds.forget({"id": "p", "name": "p", "alive": True})
    assert "1 task" in deeds.drain({"id": "p", "name": "p", "task_count": 1}).will


def test_what_is_asked_has_no_control_characters():
    task = {"id": NASTY, "state": RUNNING}
    for deed in (deeds.stop_task(task), deeds.delete_task(task), deeds.cordon({"id": "p", "name": NASTY})):
        assert "\x1b" not in deed.question + deed.done
        assert len(deed.question) < 120


# -- lists -------------------------------------------------------------------------------------------------


class Manager:
    """Answers lists; as an older one it refuses query parameters that it does not know."""

    def __init__(self, *pages, unknown=()):
        self.pages = [*pages]
        self.unknown = set(unknown)
        self.asked = []

    def __call__(self, request):
        self.asked.append(str(request.url.query, "ascii"))
        if self.unknown & {*request.url.params}:
            return httpx.Response(400, json={"error": "there is no such query parameter here"})
        return httpx.Response(200, json=self.pages.pop(0) if len(self.pages) > 1 else self.pages[0])

    def client(self):
        return Client("http://far", transport=httpx.MockTransport(self))


def test_a_page_leads_to_the_next_and_back():
    place = lists.Place()
    assert not place.turn(-1)
    assert not place.turn(1), "there is no next yet"
    place.next_cursor = "c"
    assert place.turn(1)
    assert (place.number, place.cursor) == (2, "c")
    assert place.turn(-1)
    assert place.cursor == ""
    place.next_cursor = "c"
    place.turn(1)
    place.narrow(search="x")
    assert (place.number, place.asked) == (1, ("x", "", ""))


def test_tasks_are_searched_by_the_manager_or_here():
    tasks = [
        {"id": "abc", "name": "f", "state": 0},
        {"id": "x", "name": "Abacus", "state": 0},
        {"id": "y", "name": "g", "state": 0},
    ]
    page = {"tasks": tasks, "total": 3, "next_cursor": "n"}
    parts = [
        {"tasks": tasks[:1], "next_cursor": "1"},
        {"tasks": [], "next_cursor": "2"},
        {"tasks": tasks[1:2]},
    ]
    manager = Manager(*parts)
    found = lists.tasks(manager.client(), lists.Place(search="ab"))
    assert "search=ab" in manager.asked[0]
    assert (len(found.items), found.total, found.next_cursor, found.remark) == (2, None, "", "")
    assert ["cursor=2" in query for query in manager.asked] == [False, False, True], "it has gone on"
    older = Manager(page, unknown=["search"])
    found = lists.tasks(older.client(), lists.Place(search="ab"))
    assert [task["id"] for task in found.items] == ["abc", "x"]
    assert "can't search" in found.remark


def test_a_manager_without_cursors_is_read_by_offsets():
    page = {
        "tasks": [{"id": f"t{n}", "name": "f", "state": 0} for n in range(100)],
        "total": 250,
        "offset": 0,
    }
    place = lists.Place()
    manager = Manager(page, unknown=["cursor"])
    for expected, more in (("offset=0", True), ("offset=100", True), ("offset=200", False)):
        place.next_cursor = lists.tasks(manager.client(), place).next_cursor
        assert expected in manager.asked[-1]
        assert place.turn(1) is more


def test_groups_are_found_by_a_whole_name_beyond_the_page():
    page = {"workflows": [{"workflow_id": "w", "name": "nightly", "state": 3}], "total": 900}
    manager = Manager(page, unknown=["search"])
    found = lists.groups(manager.client(), "workflow", lists.Place(search="nigh", state="completed"))
    assert [one["workflow_id"] for one in found.items] == ["w"]
    assert all("status=completed" in query for query in manager.asked)


# -- lines and events --------------------------------------------------------------------------------------


def a_piece(text, **fields):
    return {"stream": "stdout", "attempt": 1, "text": text, **fields}


@given(st.text(alphabet="ab\n", max_size=50), st.data())
def test_any_cut_of_what_is_written_gives_the_same_lines(text, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)))))
    lines = Lines()
    found = [
        line.text
        for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)
        for line in lines.take(a_piece(text[a:b]))
    ]
    found += [line.text for line in lines.finish()]
    assert "\n".join(found) == text.removesuffix("\n") or (found, text) == ([""], "\n")


def test_streams_do_not_mix_and_a_line_without_end_is_shown_in_parts():
    lines = Lines()
    assert lines.take(a_piece("out")) == []
    assert [line.text for line in lines.take(a_piece("err\n", stream="stderr"))] == ["err"]
    assert [line.text for line in lines.take(a_piece("put\n"))] == ["output"]
    assert sum(len(line.text) for line in lines.take(a_piece("x" * 100_000))) > 90_000
    assert lines.take(a_piece("", cut=True))[-1].text.startswith("… cut")


def test_events_are_kept_to_a_bound_and_found():
    happenings = Happenings()
    happenings.take({"task_id": f"t{n}", "name": "main", "state": n % 5, "time": ""} for n in range(KEPT + 5))
    assert [event["task_id"] for _, event in happenings.latest(2)] == [f"t{KEPT + 4}", f"t{KEPT + 3}"]
    assert len(happenings.latest(KEPT + 5)) == KEPT
    assert happenings.latest(9, search="t2000", state=FAILED) == []
    assert len(happenings.latest(9, search="FAILED")) == 9
    assert cause({"cause": {"kind": "proplet_lost", "proplet_id": "p"}}) == "proplet lost p"


# -- the connection ----------------------------------------------------------------------------------------


def test_the_connection_is_said_while_it_does_not_stand():
    connection = Connection()
    assert connection.said(0) == "asking the manager …"
    connection.broke("no answer", 10)
    assert "start one with: propeller up" in connection.said(10)
    connection.answered()
    assert (connection.said(11), connection.is_standing) == ("", True)
    connection.broke("refused", 20)
    connection.broke("it took too long", 25)
    assert connection.said(80).startswith(
        "not connected for 1 min 0 s: it took too long; what is shown is older"
    )


# -- drawing -----------------------------------------------------------------------------------------------


def test_what_somebody_wrote_stays_text():
    for shown in (drawing.text(NASTY, 40), drawing.long_text(NASTY), drawing.pairs([(NASTY, NASTY)])):
        assert "[bold red]x[/]" in shown.plain
        assert not {"\x1b", "\x07", "\u202e"} & {*shown.plain}
        assert len(shown.plain) < 3000
    assert "in all" in drawing.long_text(NASTY).plain


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=7), st.integers(7, 60))
def test_a_bar_is_full_and_shows_each_state_that_has_any(parts, width):
    shares = drawing.cells(parts, width)
    assert sum(shares) == (width if any(parts) else 0)
    assert all((share > 0) == (part > 0) for share, part in zip(shares, parts, strict=True))


def test_slots_are_cells_of_one_or_of_several():
    assert drawing.slots(1, 3).plain == "■□□ 1 of 3"
    assert drawing.slots(5, 3).plain == "■■■ 5 of 3"
    assert len(drawing.slots(500, 1000).plain) < 60
    assert drawing.slots(2, None).plain == "2 run"
