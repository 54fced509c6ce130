"""Workflows and jobs as things: run again, cloned, found by their labels, deleted when they have ended."""

import json

import pytest
import typer
from typer.testing import CliRunner

from propeller.cli import options, pages
from propeller.cli.main import app
from propeller.cli.runfile import read_run_file
from propeller.cli.session import Session
from tests.cli.test_commands import failed


def made(shell, kind, name, *flags):
    """Make one of two tasks, of which the second fails; give its id."""
    file = shell.work / f"{name}.yaml"
    file.write_text(
        "module: division.wat\nlabels: {team: ops}\nmax_parallel: 2\nfail_fast: true\n"
        "tasks: [{id: good, inputs: [6, 2]}, {id: bad, inputs: [1, 0], depends_on: [good]}]\n"
    )
    answer = json.loads(shell(kind, "run", file.name, *flags, "--json").stdout)
    return answer[f"{kind[:-1]}_id"]


@pytest.mark.parametrize("kind", ["workflows", "jobs"])
def test_one_is_run_again_and_keeps_its_good_results(shell, kind):
    id_ = made(shell, kind, f"{kind}-again")
    assert shell(kind, "rerun", id_).stdout == "ok\n"
    shell(kind, "watch", id_)
    attempts = [one.get("attempt", 1) for one in shell.system.call("GET", f"/{kind}/{id_}")["tasks"]]
    assert attempts == [1, 2]
    assert shell(kind, "rerun", id_, "--what", "all").stdout == "ok\n"
    shell(kind, "watch", id_)
    bad = shell.system.call("GET", f"/{kind}/{id_}")["tasks"][1]["id"]
    assert shell(kind, "rerun", id_, "--from", bad).stdout == "ok\n"
    shell(kind, "watch", id_)
    attempts = [one.get("attempt", 1) for one in shell.system.call("GET", f"/{kind}/{id_}")["tasks"]]
    assert attempts == [2, 4]
    assert failed(shell(kind, "rerun", id_, "--what", "al"), 1, 'what: "al" is unknown; use failed or all')
    assert failed(shell(kind, "rerun", id_, "--what", "all", "--from", bad), 2, "use either --what or --from")
    assert failed(shell(kind, "rerun", id_, "--from", "x"), 1, f"from: x: {kind[:-1]} {id_} has no such task")


@pytest.mark.parametrize("kind", ["workflows", "jobs"])
def test_one_is_cloned_shown_found_and_deleted(shell, kind):
    id_ = made(shell, kind, f"{kind}-cloned", "--label", "env=prod", "--max-parallel", "1")
    assert shell.system.call("GET", f"/{kind}/{id_}?tasks=false")["labels"] == {"team": "ops", "env": "prod"}
    clone = json.loads(shell(kind, "clone", id_, "--name", "twin", "--json").stdout)
    clone_id = clone["tasks"][0][f"{kind[:-1]}_id"]
    shown = shell(kind, "view", clone_id).stdout.splitlines()[0]
    assert (
        "(twin): {}2 pending; team=ops, env=prod; at most 1 at once".format(
            "Pending; " if kind == "workflows" else ""
        )
        in shown
    )
    listed = shell(kind, "list", "--label", "env=prod", "--label", "team").stdout
    assert [line.split()[0] for line in listed.splitlines()] == ["ID", clone_id, id_]
    assert "team=ops, env=prod" in listed
    assert shell(kind, "stop", clone_id).stdout == "ok\n"
    found = json.loads(shell(kind, "list", "--state", "interrupted", "--label", "env", "--json").stdout)
    assert [one[f"{kind[:-1]}_id"] for one in found[kind]] == [clone_id]
    waiting = json.loads(shell(kind, "clone", id_, "--json").stdout)["tasks"][0][f"{kind[:-1]}_id"]
    flags = ("--ended", "--label", "env=prod")
    assert json.loads(shell(kind, "list", *flags, "--until", "10m", "--json").stdout)["total"] == 0
    answer = json.loads(shell(kind, "delete", *flags, "--yes", "--json").stdout)
    assert sorted(answer["deleted_ids"]) == sorted([id_, clone_id])
    assert shell(kind, "delete", waiting).stdout == "ok\n"


def test_a_workflow_is_created_with_labels_and_stops_at_its_first_failure(shell):
    tasks = json.dumps([{"name": "main"}])
    flags = ("--label", "a=b=c", "--label", "d=", "--max-parallel", "3", "--fail-fast")
    answer = json.loads(shell("workflows", "create", "--tasks", tasks, *flags, "--json").stdout)
    id_ = answer["tasks"][0]["workflow_id"]
    shown = json.loads(shell("workflows", "view", id_, "--json").stdout)
    assert (shown["labels"], shown["max_parallel"]) == ({"a": "b=c", "d": ""}, 3)
    assert shown["fail_fast"] is True
    assert shell("workflows", "create", "--tasks", tasks, "--no-fail-fast").returncode == 0
    assert failed(shell("workflows", "create", "--tasks", tasks, "--label", "x"), 2, "--label: 'x' has to be")


def test_a_file_with_a_wrong_label_is_refused(tmp_path):
    file = tmp_path / "wrong.yaml"
    file.write_text("labels: {version: 3}\ntasks: [{image_url: a}]\n")
    runner = CliRunner().invoke(app, ["jobs", "run", str(file)], obj=Session())
    assert "labels: it has to be text, not number: put it in quotes" in str(runner.exception)
    file.write_text("max_paralel: 3\ntasks: [{image_url: a}]\n")
    runner = CliRunner().invoke(app, ["jobs", "run", str(file)], obj=Session())
    assert "max_paralel: there is no such field; did you mean max_parallel?" in str(runner.exception)


def test_flags_go_before_a_file_label_by_label(tmp_path):
    file = tmp_path / "labels.yaml"
    file.write_text("labels: {team: ops, env: dev}\nmax_parallel: 2\ntasks: [{name: f, image_url: a}]\n")
    plan = read_run_file(file)
    plan.take({"labels": {"env": "prod"}, "fail_fast": True})
    assert plan.fields == {"labels": {"team": "ops", "env": "prod"}, "max_parallel": 2, "fail_fast": True}


class Growing:
    """A list, the newest first, to which something is added before each page but the first."""

    def __init__(self, count, *, has_cursors):
        self._records = list(range(count))
        self._has_cursors = has_cursors
        self._is_first = True

    def fetch(self, offset, limit, cursor):
        if not self._is_first:
            self._records.insert(0, self._records[0] - 1)
        self._is_first = False
        at = self._records.index(int(cursor)) + 1 if cursor else offset
        found = self._records[at : at + limit]
        page = {"total": len(self._records), "rows": [{"id": one} for one in found]}
        if self._has_cursors and at + limit < len(self._records):
            page["next_cursor"] = str(found[-1])
        return page


@pytest.mark.parametrize("has_cursors", [True, False])
def test_a_list_that_grows_is_read_to_its_end(has_cursors):
    found = pages.read(Growing(350, has_cursors=has_cursors).fetch, "rows", "id")
    assert [row["id"] for row in found["rows"]] == list(range(350))
    part = pages.read(Growing(350, has_cursors=has_cursors).fetch, "rows", "id", start=20, wanted=150)
    seen = [row["id"] for row in part["rows"]]
    assert seen == list(range(20, 170 if has_cursors else 169))


def test_a_cursor_asks_for_nothing_twice():
    asked = []
    growing = Growing(350, has_cursors=True)

    def fetch(*given):
        page = growing.fetch(*given)
        asked.extend(row["id"] for row in page["rows"])
        return page

    pages.read(fetch, "rows", "id")
    assert asked == list(range(350))


def test_kinds_of_a_retry_may_be_given_in_several_ways():
    wanted = {"max_attempts": 3, "on": ["trap", "timeout"]}
    for flags in (
        ["max_attempts=3,on=trap,timeout"],
        ["max_attempts=3,on=trap,on=timeout"],
        ["max_attempts=3", "on=trap", "on=timeout"],
    ):
        assert options.retry_of(flags, "--retry") == wanted
    with pytest.raises(typer.BadParameter, match="'timeout' has to be KEY=VALUE"):
        options.retry_of(["max_attempts=3,timeout"], "--retry")
