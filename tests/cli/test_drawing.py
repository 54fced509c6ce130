"""What people see of tasks that are followed: the board that is kept, and the tree that is drawn of it."""

import io

import pytest
from rich.console import Console

from propeller.cli import formatting
from propeller.cli.board import Board
from propeller.cli.live import drawing
from propeller.cli.session import Session
from propeller.cli.tree import tree
from propeller.cli.views import tasks_table
from propeller.core.states import COMPLETED, FAILED, PENDING, RUNNING, SCHEDULED, SKIPPED

ZERO = "0001-01-01T00:00:00Z"


def a_task(task_id, state=PENDING, *after, **fields):
    times = dict.fromkeys(("start_time", "finish_time", "created_at", "updated_at"), ZERO)
    return {"id": task_id, "name": "main", "state": state, "depends_on": list(after), **times, **fields}


def an_event(task_id, state, time, **fields):
    return {"task_id": task_id, "name": "main", "state": state, "time": f"2026-01-01T00:00:{time}Z", **fields}


def drawn(tasks, *, width=200, encoding="utf-8", **options):
    session = Session()
    text = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    session.out = Console(file=text, width=width)
    session.out.print(tree(session, tasks, title="workflow w", **options))
    text.flush()
    return [line.rstrip() for line in text.buffer.getvalue().decode(encoding).splitlines()]


def test_tasks_stand_below_their_parents():
    tasks = [
        a_task("e", SKIPPED, "b", "c", reason="its parent b failed"),
        a_task("a", COMPLETED, results="3\n"),
        a_task("b", FAILED, "a", error="no such function"),
        a_task("c", COMPLETED, "a", results="two\nlines"),
        a_task("lonely", RUNNING),
    ]
    assert drawn(tasks) == [
        "workflow w",
        "├── ✔ a  Completed  3",
        "│   ├── ✘ b  Failed  no such function",
        "│   └── ✔ c  Completed  two ⏎ lines",
        "│       └── ↷ e  Skipped  its parent b failed  (after b, c)",
        "└── ▶ lonely  Running",
    ]


def test_the_workflow_of_a_task_stands_below_it():
    tasks = [
        a_task("t", RUNNING, runs_workflow="t.1"),
        a_task("u", FAILED, "t", runs_workflow="u.2", error="it broke"),
        a_task("v", SCHEDULED, "t", runs_workflow="v.1"),
        a_task("w", PENDING, workflow={"tasks": []}),
    ]
    assert drawn(tasks) == [
        "workflow w",
        "├── ▶ t  Running",
        "│   ├── workflow t.1  Running",
        "│   ├── ✘ u  Failed  it broke",
        "│   │   └── workflow u.2  Failed",
        "│   └── ◌ v  Scheduled",
        "│       └── workflow v.1",
        "└── ○ w  Pending",
    ]


def test_elsewhere_than_in_unicode():
    lines = drawn([a_task("a", COMPLETED, results="3")], encoding="ascii")
    assert lines == ["workflow w", "`-- + a  Completed  3"]


def test_a_chain_too_deep_for_the_screen_becomes_a_list():
    tasks = [a_task("t0"), *(a_task(f"t{number}", 0, f"t{number - 1}") for number in range(1, 3000))]
    lines = drawn(tasks, width=80)
    assert lines[1] == "├── ○ t0  Pending"
    assert lines[3000] == "└── ○ t2999  Pending  (after t2998)"


def test_a_long_list_shows_what_goes_on_and_counts_the_rest():
    tasks = [a_task(f"t{number}", COMPLETED) for number in range(1000)]
    tasks[500]["state"] = FAILED
    tasks[700]["state"] = RUNNING
    lines = drawn(Board(tasks).busiest(3), left_out=997)
    assert len(lines) == 5
    assert [line.split()[2] for line in lines[2:4]] == ["t500", "t700"]
    assert lines[4] == "└── … and 997 more"


def test_the_counts_stay_in_sight_whatever_fails():
    board = Board([a_task(f"t{number}") for number in range(3000)])
    session = Session()
    text = io.StringIO()
    session.out = Console(file=text, width=60, height=20, force_terminal=True, color_system=None)
    for number in range(100):
        board.take_event(an_event(f"t{number}", FAILED, "01", error="it broke\n" * 50))
    session.out.print(drawing(session, "workflow w", board))
    lines = text.getvalue().splitlines()
    assert lines[0].startswith("2900 pending, 100 failed")
    assert len(lines) < 20, "a line each, and all on the screen"
    assert max(map(len, lines)) <= 60


def test_ids_are_never_folded_and_never_cut():
    session = Session()
    text = io.StringIO()
    session.out = Console(file=text, width=40, force_terminal=True, color_system=None)
    long = "x" * 200
    page = {"tasks": [a_task("y" * 36, FAILED, error="it broke in many words"), a_task(long)], "total": 2}
    session.show_page(page, "tasks", lambda tasks: tasks_table(session, tasks))
    assert "y" * 36 in text.getvalue()
    assert long in text.getvalue()


def test_what_people_see_of_many_tasks_follows_the_events():
    board = Board([a_task(f"t{number}", PENDING, "t0") for number in range(1000)])
    for number, state in ((7, RUNNING), (5, RUNNING), (9, COMPLETED), (5, FAILED)):
        board.take_event(an_event(f"t{number}", state, "01"))
    assert [task["id"] for task in board.busiest(4)] == ["t0", "t1", "t5", "t7"]
    lines = drawn(board.busiest(1), left_out=999)
    assert [line.split()[2:4] for line in lines[1:2]] == [["t5", "Failed"]]
    assert lines[1].endswith("(after t0)"), "though that one is not shown"
    board.take_answer([a_task("t1"), a_task("t2", COMPLETED)])
    assert [task["id"] for task in board.busiest(9)] == ["t1", "t2"]


def test_an_event_costs_its_task_and_a_drawing_its_lines():
    """Ten times as many tasks, and no more work for either."""
    looked_at = []

    class Watched(dict):
        def __getitem__(self, key):
            looked_at.append(key)
            return super().__getitem__(key)

    counts = {}
    for size in (100, 1000):
        board = Board([a_task(f"t{number}") for number in range(size)])
        board.tasks = {task_id: Watched(task) for task_id, task in board.tasks.items()}
        looked_at.clear()
        for number in range(50):
            board.take_event(an_event(f"t{number}", RUNNING, "01"))
            assert not board.has_ended
            board.summary()
            drawn(board.busiest(10), left_out=size - 10)
        counts[size] = len(looked_at)
    assert counts[100] == counts[1000] > 0


def test_counts_tell_whether_something_was_left_out():
    board = Board([a_task("a"), a_task("b", RUNNING)])
    assert board.agrees_with({"pending": 1, "running": 1, "failed": 0})
    assert not board.agrees_with({"pending": 0, "running": 2, "failed": 0})
    board.take_event(an_event("a", RUNNING, "01"))
    assert board.agrees_with({"pending": 0, "running": 2, "failed": 0})


def test_a_parent_that_is_gone_holds_up_nothing():
    assert drawn([a_task("b", 0, "deleted")]) == ["workflow w", "└── ○ b  Pending"]


@pytest.mark.parametrize("hostile", ["\x1b[2J", "\x9b2J", "\u202e", "\x07"])
def test_texts_of_guests_do_not_reach_the_terminal_as_they_are(hostile):
    (line,) = drawn([a_task("a", FAILED, error=f"x{hostile}y [bold]z")])[1:]
    assert hostile not in line
    assert "[bold]z" in line


def test_events_change_the_board_once_and_in_order():
    board = Board([a_task("a"), a_task("b", PENDING, "a")])
    assert board.take_event(an_event("a", RUNNING, "01", attempt=1)) == ["a"]
    assert board.take_event(an_event("a", RUNNING, "01", attempt=1)) == [], "the same again"
    assert board.take_event(an_event("a", COMPLETED, "02.5", results="3\n")) == ["a"]
    assert board.line("a") == "a: Completed: 3"
    assert board.take_event(an_event("a", RUNNING, "02.123456789")) == [], "older than what is known"
    assert board.take_event(an_event("stranger", RUNNING, "09")) == []
    assert not board.has_ended
    board.take_event(an_event("b", SKIPPED, "03", reason="its parent failed"))
    assert board.has_ended
    assert board.has_succeeded
    assert board.summary() == "1 completed, 1 skipped in 1.5 s"


def test_a_task_that_is_run_again_forgets_its_last_end():
    board = Board([a_task("a")])
    board.take_event(an_event("a", FAILED, "01", error="it broke"))
    assert board.line("a") == "a: Failed: it broke"
    assert not board.has_succeeded
    board.take_event(an_event("a", SCHEDULED, "02", reason="run again"))
    assert board.line("a") == "a: Scheduled: run again"


def test_an_answer_tells_what_events_have_not():
    board = Board([a_task("a"), a_task("b")])
    news = [a_task("a", COMPLETED, updated_at="2026-01-01T00:00:05Z"), a_task("b")]
    assert board.take_answer(news) == ["a"]
    assert board.take_event(an_event("a", RUNNING, "04")) == [], "it was on its way meanwhile"
    assert board.tasks["a"]["state"] == COMPLETED


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 µs"),
        (0.00005, "50 µs"),
        (0.0123, "12.3 ms"),
        (0.9996, "1 s"),
        (9.87, "9.87 s"),
        (59.99, "60 s"),
        (61, "1 min 1 s"),
        (7325, "2 h 2 min"),
    ],
)
def test_durations(seconds, text):
    assert formatting.duration(seconds) == text


def test_sizes():
    assert [formatting.size(count) for count in (0, 1023, 1536, 3 << 20, 24 << 30, 5 << 40)] == [
        "0 B",
        "1023 B",
        "1.5 KiB",
        "3 MiB",
        "24 GiB",
        "5120 GiB",
    ]
