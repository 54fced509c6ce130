"""Verbs on proplets and attempts: what is asked of the manager, and how its answers look."""

import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.waiting import until

ZERO = "0001-01-01T00:00:00Z"


def a_proplet(task_count, **more):
    return {"id": "p1", "name": "calm-otter", "task_count": task_count, "alive": True, "metadata": {}, **more}


class Site(ThreadingHTTPServer):
    """Answers as a manager does, from a list, and keeps what it was asked."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []
        self.answers = {}

    def answer(self, route):
        """Take the next answer to a route; the last one is given for ever."""
        answers = self.answers.get(route, [None])
        return answers.pop(0) if len(answers) > 1 else answers[0]


class Handler(BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, self.path, json.loads(body) if body else None))
        answer = self.server.answer(f"{self.command} {self.path.partition('?')[0]}")
        data = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(200 if data else 204)
        self.send_header("Content-Type", "application/json")
        if data:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = answer  # noqa: N815  the names that the base class looks for

    def log_message(self, *_):
        pass


@pytest.fixture
def site():
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def begin(site, tmp_path):
    def run(*arguments):
        url = f"http://127.0.0.1:{site.server_address[1]}"
        return subprocess.Popen(
            [sys.executable, "-m", "propeller", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PROPELLER_MANAGER_URL": url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return run


@pytest.fixture
def propeller(begin):
    def run(*arguments):
        process = begin(*arguments)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    return run


@pytest.mark.parametrize("verb", ["cordon", "uncordon", "drain"])
def test_a_proplet_is_taken_out_of_service_and_back(site, propeller, verb):
    assert propeller("proplets", verb, "p1") == (0, "ok\n", "")
    assert site.asked == [("POST", f"/proplets/p1/{verb}", None)]


def test_a_drain_has_a_timeout(site, propeller):
    assert propeller("proplets", "drain", "p1", "--timeout", "1m30s")[0] == 0
    assert site.asked == [("POST", "/proplets/p1/drain?timeout=1m30s", None)]
    code, _, err = propeller("proplets", "drain", "p1", "--timeout", "soon")
    assert code == 2
    assert "'soon' is no duration; write one as 30s" in err


def test_a_drain_can_be_waited_for(site, propeller):
    site.answers["POST /proplets/p1/drain"] = [a_proplet(3)]
    site.answers["GET /proplets/p1"] = [a_proplet(3), a_proplet(3), a_proplet(1), a_proplet(0, cordoned=True)]
    code, out, err = propeller("proplets", "drain", "p1", "--wait")
    assert (code, out) == (0, "ok\n")
    assert err.splitlines() == ["3 of its tasks have not ended", "1 of its tasks have not ended"]
    assert json.loads(propeller("proplets", "drain", "p1", "--wait", "--json")[1])["cordoned"] is True


def test_who_waits_no_longer_leaves_the_drain_alone(site, begin):
    site.answers["POST /proplets/p1/drain"] = [a_proplet(2)]
    site.answers["GET /proplets/p1"] = [a_proplet(2)]
    process = begin("proplets", "drain", "p1", "--wait")
    first = process.stderr.readline()
    until(lambda: len(site.asked) >= 4)  # it has said all it has to say, and looks again and again
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, first) == (130, "", "2 of its tasks have not ended\n")
    assert err == "it goes on; look with: propeller proplets view p1\n"
    assert {method for method, path, _ in site.asked if path != "/proplets/p1/drain"} == {"GET"}


def test_a_cordoned_proplet_is_shown_as_such(site, propeller):
    site.answers["GET /proplets/p1"] = [a_proplet(0, cordoned=True, slots=6)]
    shown = propeller("proplets", "view", "p1")[1]
    assert "yes, cordoned" in shown
    assert "slots" in shown
    assert "6" in shown
    two = [a_proplet(0, cordoned=True), a_proplet(1) | {"id": "p2"}]
    page = {"offset": 0, "limit": 10, "total": 2, "proplets": two}
    site.answers["GET /proplets"] = [page]
    assert propeller("proplets", "list")[1].count("cordoned") == 1


def test_the_attempts_of_a_task(site, propeller):
    lost = {
        "proplet_id": "p1",
        "attempt": 1,
        "state": 4,
        "error": "lost",
        "start_time": ZERO,
        "finish_time": ZERO,
    }
    done = {
        "proplet_id": "p2",
        "attempt": 2,
        "state": 3,
        "results": "30\n",
        "start_time": "2026-01-01T00:00:00Z",
        "finish_time": "2026-01-01T00:00:02Z",
    }
    site.answers["GET /tasks/t1/executions"] = [{"executions": [lost, done], "total": 2}]
    code, out, _ = propeller("tasks", "executions", "t1")
    assert code == 0
    first, second = out.splitlines()[1:]
    assert first.split() == ["1", "p1", "Failed", "lost"]
    assert second.split()[:6] == ["2", "p2", "Completed", "30", "2", "s"]
    assert json.loads(propeller("tasks", "executions", "t1", "--json")[1])["total"] == 2


def test_a_task_may_require_tags(site, propeller):
    times = dict.fromkeys(("start_time", "finish_time", "created_at", "updated_at"), ZERO)
    task = {"id": "t", "name": "main", "state": 0, "cli_args": None, **times}
    site.answers["POST /tasks"] = [{**task, "required_tags": ["gpu", "arm"]}]
    assert propeller("tasks", "create", "main", "--required-tags", "gpu,arm")[0] == 0
    assert site.asked[0][2] == {"name": "main", "required_tags": ["gpu", "arm"]}


def test_a_token_to_join_with_lasts_as_long_as_one_says(site, propeller):
    site.answers["POST /join-tokens"] = [{"token": "prj_abc", "expires_at": "2026-03-01T15:22:08Z"}]
    code, out, err = propeller("proplets", "token", "--expires", "30m")
    assert (code, out) == (0, "prj_abc\n")
    assert "good for one proplet until" in err
    assert json.loads(propeller("proplets", "token", "--json")[1])["token"] == "prj_abc"
    assert site.asked[0] == ("POST", "/join-tokens", {"expires_in": "30m"})
