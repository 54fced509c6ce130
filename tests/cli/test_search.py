"""Searches: among all tasks, which go on by cursor and have no total, and among workflows and jobs."""

import json

from propeller.cli import pages


def test_tasks_are_found_by_what_they_are_called_and_where_they_ran(shell):
    for number in range(12):
        task = {"id": f"seek-{number}", "name": "sought-Name" if number % 2 else "other"}
        shell.system.call("POST", "/tasks", task)

    def listed(*flags):
        return json.loads(shell("tasks", "list", *flags, "--json").stdout)

    by_id = listed("--search", "SEEK-1")["tasks"]
    assert [task["id"] for task in by_id] == ["seek-11", "seek-10", "seek-1"]
    by_name = listed("--search", "GHT-n", "-l", "2")
    assert [task["id"] for task in by_name["tasks"]] == ["seek-11", "seek-9"]
    assert "total" not in by_name
    everything = listed("--search", "sought", "--all")
    assert [task["id"] for task in everything["tasks"]] == [
        f"seek-{number}" for number in (11, 9, 7, 5, 3, 1)
    ]

    shell("run", "addition.wat", "1", "2")
    proplet = json.loads(shell("proplets", "list", "--json").stdout)["proplets"][0]["id"]
    ran = listed("--proplet", proplet, "--all")["tasks"]
    assert ran
    assert {task["proplet_id"] for task in ran} == {proplet}

    shown = shell("tasks", "list", "--search", "sought", "-l", "2")
    assert "seek-11" in shown.stdout
    assert "there may be more tasks; see with: -l 4" in shown.stderr
    none = shell("tasks", "list", "--search", "nowhere")
    assert (none.returncode, "no tasks" in none.stderr) == (0, True)
    refused = shell("tasks", "list", "--search", "sought", "-o", "2")
    assert refused.returncode == 2
    assert "--offset: a search has none; leave it out, and give --limit" in refused.stderr


def test_workflows_and_jobs_are_found_by_what_they_are_called(shell):
    for kind, plural in (("workflow", "workflows"), ("job", "jobs")):
        for name in ("hunted-Name", "else", "hunted-too"):
            shell.system.call("POST", f"/{plural}", {"name": name, "tasks": [{"name": "main"}]})

        def listed(text, plural=plural):
            return json.loads(shell(plural, "list", "--search", text, "--json").stdout)[plural]

        found = listed("HUNTED")
        assert [group["name"] for group in found] == ["hunted-too", "hunted-Name"]
        by_id = listed(found[0][f"{kind}_id"][:18].upper())
        assert [group["name"] for group in by_id] == ["hunted-too"]
        assert listed("nowhere") == []


def test_a_search_is_read_on_over_pages_that_are_empty():
    asked = []
    answers = {
        "": {"tasks": [], "next_cursor": "a"},
        "a": {"tasks": [{"id": "1"}], "next_cursor": "b"},
        "b": {"tasks": [], "next_cursor": "c"},
        "c": {"tasks": [{"id": "2"}]},
    }

    def fetch(offset, limit, cursor):
        asked.append((offset, limit, cursor))
        return {"offset": 0, "limit": limit, **answers[cursor]}

    page = pages.read(fetch, "tasks", "id", wanted=5)
    assert page == {"offset": 0, "limit": 5, "tasks": [{"id": "1"}, {"id": "2"}]}
    assert asked == [(0, 5, ""), (0, 5, "a"), (0, 4, "b"), (0, 4, "c")]
    assert pages.read(fetch, "tasks", "id", wanted=1)["next_cursor"] == "b"
