"""The tasks of a group as the screen has them: an answer in columns, and the changes after it."""

import time

from propeller.cli.top.graph import Graph, of_tasks
from propeller.core.states import COMPLETED, FAILED, INTERRUPTED, PENDING, RUNNING, SCHEDULED, SKIPPED


def an_answer(*states, ids=None):
    many = len(states)
    columns = {name: [0] * many for name in ("started", "finished", "up", "created", "placed")}
    columns |= {"ids": ids or [f"t{place}" for place in range(many)], "names": ["main"] * many}
    columns |= {"states": [*states], "attempts": [1] * many, "proplets": [-1] * many}
    return {"event_id": 7, "tasks": columns, "proplets": ["p"], "edges": []}


def test_what_people_have_to_see_comes_first():
    graph = Graph(an_answer(COMPLETED, PENDING, SKIPPED, RUNNING, SCHEDULED, INTERRUPTED, FAILED))
    assert [row.id for row in graph.rows(10)] == ["t6", "t5", "t3", "t4", "t1", "t2", "t0"]
    assert [row.id for row in graph.rows(2)] == ["t6", "t5"]


def test_changes_move_tasks_and_counts():
    graph = Graph(an_answer(PENDING, PENDING, PENDING))
    graph.take([["t1", RUNNING, 1, "p-new", 5_000, 0], ["of another", FAILED, 1, "", 5_000, 0]])
    (first, *_) = graph.rows(3)
    assert (first.id, first.proplet_id, first.started, first.finished) == ("t1", "p-new", 5_000, 0)
    assert graph.counts == {"pending": 2, "running": 1}
    graph.take([["t1", COMPLETED, 1, "", 7_500, 0]])
    row = graph.rows(3)[-1]
    assert (row.id, row.proplet_id, row.started, row.finished) == ("t1", "p-new", 5_000, 7_500)
    graph.take([["t1", SCHEDULED, 2, "", 8_000, 0]])
    assert (graph.rows(1)[0].started, graph.rows(1)[0].attempt) == (0, 2)


def test_a_resident_that_comes_up_stays_running_and_keeps_its_start():
    graph = Graph(an_answer(PENDING))
    graph.take([["t0", RUNNING, 1, "p", 5_000, 0], ["t0", RUNNING, 1, "p", 6_000, 1]])
    (row,) = graph.rows(1)
    assert (row.started, row.is_up) == (5_000, True)


def test_a_search_looks_into_ids_and_names():
    graph = Graph(an_answer(PENDING, PENDING, ids=["Alpha", "beta"]))
    assert [row.id for row in graph.rows(9, "alp")] == ["Alpha"]
    assert len(graph.rows(9, "MAIN")) == 2
    assert graph.rows(9, "none") == []


def test_whole_tasks_do_where_there_is_no_graph():
    tasks = [
        {"id": "a", "name": "f", "state": RUNNING, "proplet_id": "p", "start_time": "1970-01-01T00:00:02Z"},
        {"id": "b", "name": "f", "state": PENDING, "start_time": "0001-01-01T00:00:00Z"},
    ]
    graph = Graph(of_tasks(tasks))
    assert graph.event_id is None
    assert [(row.id, row.proplet_id, row.started) for row in graph.rows(2)] == [
        ("a", "p", 2000),
        ("b", "", 0),
    ]


def test_a_change_among_50_000_tasks_costs_work_for_one():
    many = 50_000
    graph = Graph(an_answer(*[PENDING] * many))
    began = time.perf_counter()
    for place in range(10_000):
        graph.take([[f"t{place}", RUNNING, 1, "p", 1, 0]])
        if place % 100 == 0:
            assert len(graph.rows(200)) == 200
    assert time.perf_counter() - began < 2, "10,000 changes and 100 looks"
    assert graph.counts == {"pending": many - 10_000, "running": 10_000}
