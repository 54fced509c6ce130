"""What may stand for an id, what is said where nothing fits, and what lists show."""

import json
import re

import httpx
import pytest

from propeller.cli.naming import PROPLET, TASK, id_of
from propeller.cli.session import Session
from propeller.client.api import Client
from propeller.errors import Invalid, NotFound
from tests.cli.test_commands import failed

OLD, WEEKLY, NEW = (f"{n}0f{n}e8a1-0000-4000-8000-00000000000{n}" for n in range(3))


@pytest.fixture(scope="module")
def flows(shell):
    """Three workflows that were never started, two of them of one name; the oldest first."""
    for number, (id_, name) in enumerate([(OLD, "nightly"), (WEEKLY, "weekly"), (NEW, "nightly")]):
        task = {"id": f"naming-{number}abcdef0", "name": "main", "workflow_id": id_}
        shell.system.call("POST", "/workflows", {"name": name, "tasks": [task]})
    return [OLD, WEEKLY, NEW]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (WEEKLY, WEEKLY),
        (WEEKLY[:4], WEEKLY),
        ("weekly", WEEKLY),
        ("@latest", NEW),
        ("nightly@latest", NEW),
        (f"{OLD[:5]}@latest", OLD),
    ],
)
def test_what_stands_for_a_workflow(shell, flows, given, meant):
    shown = json.loads(shell("workflows", "view", given, "--json").stdout)
    assert shown["workflow_id"] == meant


def test_tasks_and_proplets(shell, flows):
    assert json.loads(shell("tasks", "view", "@latest", "--json").stdout)["id"] == "naming-2abcdef0"
    assert json.loads(shell("tasks", "view", "naming@latest", "--json").stdout)["id"] == "naming-2abcdef0"
    (proplet,) = shell.system.call("GET", "/proplets")["proplets"]
    for given in (proplet["id"], proplet["name"]):
        assert proplet["id"] in shell("proplets", "view", given).stdout
        assert pinned(shell, given) == proplet["id"]
    assert pinned(shell, "will-come") == "will-come"


def pinned(shell, given):
    """Say where a task is pinned that is created so."""
    task = json.loads(shell("tasks", "create", "main", "--proplet-id", given, "--json").stdout)
    assert shell("tasks", "delete", task["id"]).returncode == 0  # others look at the newest
    return task["pinned_to"]


class Listed:
    """Answers for a manager with these tasks and proplets; one that is not native knows no filters."""

    def __init__(self, tasks=(), proplets=(), *, is_native=True):
        self._records = {"tasks": list(tasks), "proplets": list(proplets), "workflows": [], "jobs": []}
        self._is_native = is_native

    def __call__(self, request):
        _, kind, *rest = request.url.path.split("/")
        records = self._records[kind]
        if rest:
            found = [one for one in records if one["id"] == rest[0]]
            return httpx.Response(200, json=found[0]) if found else httpx.Response(404, json={"error": "no"})
        if kind == "workflows" and not self._is_native:
            return httpx.Response(404, text="404 page not found")
        query = request.url.params
        if self._is_native:
            records = [one for one in records if one["id"].startswith(query.get("id_prefix", ""))]
            records = [one for one in records if one.get("name") == query.get("name", one.get("name"))]
            records = records[::-1] if query.get("order") == "newest" else records
        at, limit = int(query["offset"]), int(query["limit"])
        return httpx.Response(200, json={"total": len(records), kind: records[at : at + limit]})

    def id_of(self, kind, given):
        session = Session()
        session.client = Client("http://far", transport=httpx.MockTransport(self))
        return id_of(session, kind, given)


UUID = "3f2a90c1-5d3c-4a55-9d39-0d6e5a0c1b11"


def test_only_a_uuid_may_be_shortened():
    """A task that is gone must not be taken for another."""
    for given, others in (("a", ["abc"]), ("3f2", [UUID]), ("3f2a", ["3f2a-mine"])):
        with pytest.raises(NotFound, match=f"there is no task {given}; there are {others[0]}"):
            Listed([{"id": one} for one in others]).id_of(TASK, given)
    taken = [{"id": id_} for id_ in ("3f2a", UUID, *(f"3f2a-{n}" for n in range(150)))]
    assert Listed(taken).id_of(TASK, "3f2a") == "3f2a", "an id that is there always wins"
    assert Listed(taken[1:]).id_of(TASK, "3f2a") == UUID, "however many others begin so"
    twins = [{"id": UUID}, {"id": UUID.replace("1b11", "1b12")}]
    with pytest.raises(Invalid, match="3f2a may be each of these tasks: "):
        Listed(twins).id_of(TASK, "3f2a")


@pytest.mark.parametrize("is_native", [True, False])
def test_all_proplets_and_tasks_are_looked_through(is_native):
    many = [{"id": f"p-{n}", "name": f"name-{n}"} for n in range(1500)]
    assert Listed(proplets=many, is_native=is_native).id_of(PROPLET, "name-1400") == "p-1400"
    tasks = [
        {"id": f"{part}-{n:08x}", "created_at": f"2026-01-01T00:{n // 60:02}:{n % 60:02}Z"}
        for n in range(150)
        for part in ("first", "first-b")
    ]
    manager = Listed(tasks, is_native=is_native)
    assert manager.id_of(TASK, "first@latest") == "first-00000095"
    assert manager.id_of(TASK, "@latest") == "first-b-00000095"


def test_what_is_said_where_nothing_or_too_much_fits(shell, flows):
    several = f"nightly may be each of these workflows: {NEW}, {OLD}; write more of the id, or nightly@latest"
    assert failed(shell("workflows", "delete", "nightly"), 1, several)
    assert failed(
        shell("tasks", "view", WEEKLY), 1, f"there is no task {WEEKLY}, but a workflow: propeller work"
    )
    said = f"there is no workflow zzz; there are {NEW}, {WEEKLY}, {OLD}; see: propeller workflows list"
    assert failed(shell("workflows", "view", "zzz"), 1, said)
    assert failed(shell("proplets", "view", "zzz"), 1, "there is no proplet zzz; there are ")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["tasks", "view", "zzz"], 1, "there is no task zzz"),
        (["tasks", "view"], 2, "Missing argument"),
        (["-m", "http://127.0.0.1:9", "health"], 1, "no answer from"),
    ],
)
def test_errors_are_json_where_json_was_asked_for(shell, arguments, code, said):
    done = shell(*arguments, "--json")
    assert (done.returncode, done.stdout) == (code, "")
    assert said in json.loads(done.stderr)["error"]


def test_lists_are_filtered_and_the_newest_comes_first(shell, flows):
    def listed(*flags):
        return json.loads(shell("tasks", "list", *flags, "--json").stdout)

    assert [task["id"] for task in listed("--limit", "3")["tasks"]] == [
        f"naming-{n}abcdef0" for n in (2, 1, 0)
    ]
    assert [task["id"] for task in listed("--workflow", "weekly", "--state", "pending")["tasks"]] == [
        "naming-1abcdef0"
    ]
    assert listed("--workflow", "weekly", "--state", "failed")["total"] == 0
    assert listed("--since", "0s")["total"] == 0
    assert listed("--name", "main", "--since", "10m")["total"] >= 3
    names = json.loads(shell("workflows", "list", "--name", "nightly", "--json").stdout)
    assert [flow["workflow_id"] for flow in names["workflows"]] == [NEW, OLD]
    assert failed(shell("tasks", "list", "--name", ""), 2, "--name: it is empty; give it a value")
    assert failed(shell("tasks", "list", "--all", "-l", "3"), 2, "leave out --offset and --limit")
    assert failed(shell("tasks", "-l", "3", "view", "a"), 2, "--offset and --limit are for lists")
    assert failed(shell("tasks", "list", "--since", "soon"), 2, "--since: 'soon' is no time")
    assert failed(shell("tasks", "list", "--state", "faild"), 1, 'state: "faild" is none; use pending,')


def test_a_list_takes_as_many_pages_as_it_needs(shell):
    tasks = [{"id": f"many-{number}", "name": "f", "job_id": "many"} for number in range(230)]
    shell.system.call("POST", "/jobs", {"name": "many", "tasks": tasks})
    everything = json.loads(shell("tasks", "list", "--job", "many", "--all", "--json").stdout)
    assert [task["id"] for task in everything["tasks"]] == [
        f"many-{number}" for number in reversed(range(230))
    ]
    part = json.loads(shell("tasks", "list", "--job", "many", "-l", "150", "-o", "90", "--json").stdout)
    assert [task["id"] for task in part["tasks"]] == [f"many-{number}" for number in reversed(range(140))]
    assert shell("jobs", "delete", "many").stdout == "ok\n"


def test_watching_does_not_stop_it(shell):
    (shell.work / "watched.yaml").write_text(
        "module: division.wat\n"
        "tasks: [{id: top, inputs: [1, 2]}, {id: low, inputs: [1, 0], depends_on: [top]}]\n"
    )
    started = json.loads(shell("workflows", "run", "watched.yaml", "--detach", "--json").stdout)
    done = shell("workflows", "watch", started["workflow_id"])
    assert done.returncode == 1, "a task of it failed"
    assert "1 completed, 1 failed" in done.stdout
    assert re.search("low-[0-9a-f]{8} failed: main failed: integer division by zero", done.stdout)
