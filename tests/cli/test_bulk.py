"""What is done to several records at once."""

import json

import httpx
import pytest
from typer.testing import CliRunner

from propeller.cli.main import app
from propeller.cli.session import Session
from propeller.client.api import Client
from propeller.client.errors import Unreachable
from propeller.core.states import COMPLETED, INTERRUPTED, RUNNING
from tests.cli.test_commands import failed


class Shelf:
    """Answers as a manager with tasks or jobs does; one that is not native knows no filters."""

    def __init__(self, *ids, kind="tasks", is_native=True):
        self.kind = kind
        self._key = "id" if kind == "tasks" else "job_id"
        self._is_native = is_native
        self.records = {}
        for id_ in ids:
            self.put(id_)
        #: Called before a record is stopped or deleted, with its id; may give an answer in place of that.
        self.before = lambda _id: None

    def put(self, id_, state=RUNNING, name="main"):
        self.records[id_] = {self._key: id_, "state": state, "name": name}

    def __call__(self, request):
        _, kind, *rest = request.url.path.split("/")
        assert kind == self.kind
        if not rest:
            return self._list(request.url.params)
        if rest[0] not in self.records:
            return httpx.Response(404, json={"error": f"there is no {rest[0]}"})
        if request.method == "GET":
            return httpx.Response(200, json=self.records[rest[0]])
        if answer := self.before(rest[0]):
            return answer
        if request.method == "DELETE":
            self.records.pop(rest[0], None)
            return httpx.Response(204)
        self.records[rest[0]]["state"] = INTERRUPTED
        return httpx.Response(200, json={"stopped": True})

    def _list(self, query):
        found = [*self.records.values()]
        if self._is_native:
            found = [one for one in found if one["name"] == query.get("name", one["name"])]
        at, limit = int(query["offset"]), int(query["limit"])
        return httpx.Response(200, json={"total": len(found), self.kind: found[at : at + limit]})

    def run(self, *words):
        """Run a command; give its exit code, and what it printed as JSON, or else its error."""
        session = Session()
        session.client = Client("http://far", transport=httpx.MockTransport(self))
        done = CliRunner().invoke(app, [self.kind, *words, "--json"], obj=session)
        self.remarks = done.stderr
        is_json = done.stdout.startswith("{")
        return done.exit_code, json.loads(done.stdout) if is_json else str(done.exception or done.output)


def test_several_are_stopped_and_deleted_at_once(shell):
    tasks = [{"id": f"bulk-{n}", "name": "f", "workflow_id": "bulk"} for n in range(3)]
    tasks[2]["depends_on"] = ["bulk-0"]
    shell.system.call("POST", "/workflows", {"tasks": tasks})
    done = shell("tasks", "stop", "bulk-0", "bulk-1", "bulk-7")
    assert (done.returncode, done.stdout) == (1, "2 tasks stopped\n")
    assert "error: task bulk-7: there is no task bulk-7" in done.stderr
    assert failed(
        shell("tasks", "delete", "--workflow", "bulk"), 1, "3 tasks would be deleted; say so with --yes"
    )
    done = shell("tasks", "delete", "--workflow", "bulk", "--yes", "--json")
    answer = json.loads(done.stdout)
    assert (sorted(answer["deleted_ids"]), answer["failed"]) == (["bulk-0", "bulk-1", "bulk-2"], {})
    assert failed(shell("tasks", "delete"), 2, "name one or more tasks, or choose them with flags")
    assert failed(shell("tasks", "delete", "a", "--all"), 2, "or choose them with flags, not both")
    assert failed(
        shell("workflows", "-l", "3", "delete", "--all", "--yes"), 2, "--offset and --limit are for"
    )
    for kind in ("tasks", "workflows", "jobs"):
        assert failed(shell(kind, "delete", "--name", "", "--yes"), 2, "--name: it is empty; give it a value")


@pytest.mark.parametrize("kind", ["tasks", "jobs"])
def test_all_that_were_there_are_done_and_none_that_came_meanwhile(kind):
    """Who said yes was told of those that were there, and a busy manager always has new ones."""
    shelf = Shelf(*(f"t{n}" for n in range(250)), kind=kind)

    def before(id_):
        if id_ == "t7":
            shelf.put("late")

    shelf.before = before
    code, answer = shelf.run("delete", "--all", "--yes")
    assert (code, [*shelf.records], len(answer["deleted_ids"])) == (0, ["late"], 250)
    assert shelf.remarks == "left alone: 1 that came meanwhile\n"
    shelf.put("over", COMPLETED)
    assert shelf.run("stop", "--all", "--yes") == (0, {"stopped_ids": ["late"], "failed": {}})
    assert shelf.remarks == ""


def test_what_the_list_gave_is_what_is_acted_on():
    """An id that is gone stands for nothing else, whatever begins so or has this name."""
    uuid = "3f2a90c1-5d3c-4a55-9d39-0d6e5a0c1b11"
    shelf = Shelf("3f2a", uuid)
    shelf.records[uuid]["name"] = "other"

    def before(id_):
        del shelf.records[id_]
        return httpx.Response(404, json={"error": "there is no such task"})

    shelf.before = before
    assert shelf.run("delete", "--name", "main", "--yes") == (0, {"deleted_ids": [], "failed": {}})
    assert [*shelf.records] == [uuid]


def test_all_names_are_looked_up_before_one_is_gone():
    first, second = ("3f2a90c1-5d3c-4a55-9d39-0d6e5a0c1b11", "3f2a90c1-5d3c-4a55-9d39-0d6e5a0c1b12")
    shelf = Shelf(first, second)
    code, answer = shelf.run("delete", first, "3f2a90c1")
    assert (code, answer["deleted_ids"], [*answer["failed"]]) == (1, [first], ["3f2a90c1"])
    assert [*shelf.records] == [second]


@pytest.mark.parametrize(("fault", "code"), [(KeyboardInterrupt(), 130), (httpx.ConnectError("refused"), 1)])
def test_what_was_done_is_said_where_it_breaks_off(fault, code):
    shelf = Shelf("a", "b", "c", "d")

    def before(id_):
        if id_ == "c":
            raise fault

    shelf.before = before
    expected = {"deleted_ids": ["a", "b"], "failed": {}, "left_ids": ["c", "d"]}
    assert shelf.run("delete", "--all", "--yes") == (code, expected)


def test_what_is_refused_is_tried_after_the_others():
    shelf = Shelf("parent", "child", "stuck")

    def before(id_):
        if id_ == "stuck" or (id_ == "parent" and "child" in shelf.records):
            return httpx.Response(409, json={"error": "it is in use"})
        return None

    shelf.before = before
    expected = {"deleted_ids": ["child", "parent"], "failed": {"stuck": "it is in use"}}
    assert shelf.run("delete", "--all", "--yes") == (1, expected)


def test_a_filter_that_the_manager_does_not_know_is_applied_here():
    shelf = Shelf(*(f"t{n}" for n in range(120)), is_native=False)
    shelf.put("wanted", name="nightly")
    assert shelf.run("list", "--name", "nightly", "--all")[1]["total"] == 1
    code, said = shelf.run("list", "--name", "nightly")
    assert (code, "can't choose tasks by name, which it does not know; with --all" in said) == (1, True)
    assert shelf.run("delete", "--name", "nightly", "--yes") == (
        0,
        {"deleted_ids": ["wanted"], "failed": {}},
    )
    assert len(shelf.records) == 120


def test_an_unreachable_manager_is_an_error_of_its_own():
    session = Session()
    session.client = Client("http://127.0.0.1:9")
    done = CliRunner().invoke(app, ["tasks", "delete", "--all", "--yes"], obj=session)
    assert (done.stdout, type(done.exception)) == ("", Unreachable)
