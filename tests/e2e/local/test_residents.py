"""Daemons, servers and latent tasks of a real system, over crashes and restarts."""

import base64
import concurrent.futures
import contextlib
import threading

import httpx
import pytest
import wasmtime

from tests.builders import SLEEP
from tests.e2e.local.harness import System
from tests.guests.helpers import guest
from tests.parts.ports import free_port
from tests.waiting import until


def text(module):
    return base64.b64encode(bytes(wasmtime.wat2wasm(module)) if isinstance(module, str) else module).decode()


LOOP = text('(module (func (export "main") (loop br 0)))')
TRAP = text('(module (func (export "main") unreachable))')
MISSING = text('(module (import "env" "magic" (func)) (func (export "main")))')
ADD = text("""(module (func (export "main") (param i32 i32) (result i32)
  (i32.add (local.get 0) (local.get 1))) (func (export "spin") (loop br 0)))""")


@pytest.fixture
def system(tmp_path):
    made = System(tmp_path / "data", "--http-enabled", "--concurrency", "2")
    made.up()
    yield made
    made.clean_up()


def start(system, **fields):
    task = system.call("POST", "/tasks?file=false", fields)
    system.call("POST", f"/tasks/{task['id']}/start")
    return f"/tasks/{task['id']}"


def look(system, task):
    return system.call("GET", f"{task}?file=false")


def is_up(system, task):
    return (found := look(system, task)).get("up") and found


def test_a_daemon_goes_on_over_a_restart_of_the_manager(system):
    task = start(system, name="main", daemon=True, file=LOOP)
    before = until(lambda: is_up(system, task))
    assert before["state"] == 2
    system.kill()
    system.up()
    again = until(lambda: (found := is_up(system, task)) and found.get("attempt", 1) == 2 and found)
    assert again["state"] == 2
    system.call("POST", f"{task}/stop")
    assert look(system, task)["state"] == 6


def test_a_daemon_that_crashes_is_counted_and_goes_on(system):
    task = start(system, name="main", daemon=True, file=TRAP)
    found = until(lambda: (found := look(system, task)).get("restarts", 0) >= 2 and found)
    assert found["state"] == 2
    assert "unreachable code was reached" in found["reason"]


def test_a_daemon_that_can_not_begin_fails(system):
    task = start(system, name="main", daemon=True, file=MISSING)
    failed = until(lambda: (found := look(system, task))["state"] == 4 and found)
    assert "imports env.magic, which this proplet does not offer" in failed["error"]


def test_a_workflow_is_over_while_its_daemon_serves(system):
    made = system.call(
        "POST",
        "/workflows",
        {
            "tasks": [
                {"id": "d", "name": "main", "daemon": True, "file": LOOP},
                {"id": "a", "name": "main", "file": ADD, "inputs": [10, 20], "depends_on": ["d"]},
                {
                    "id": "b",
                    "name": "main",
                    "file": ADD,
                    "inputs": [{"from": "a"}, "${a}"],
                    "depends_on": ["a"],
                },
            ]
        },
    )
    workflow = f"/workflows/{made['tasks'][0]['workflow_id']}"
    system.call("POST", f"{workflow}/start")
    until(lambda: system.call("GET", workflow)["state"] == 3)
    assert look(system, "/tasks/b")["results"] == "60\n"
    assert look(system, "/tasks/d")["up"]


def test_an_http_component_serves_until_it_is_stopped(system):
    port = free_port()
    task = start(
        system,
        name="serve",
        file=text(guest("http_server")),
        cli_args=["--port", str(port)],
        monitoring_profile={"interval": 1},
    )
    found = until(lambda: is_up(system, task))
    assert found["results"] == f"started at port {port}"
    assert httpx.get(f"http://127.0.0.1:{port}/").text == "Hello from Wasm\n"
    assert httpx.get(f"http://127.0.0.1:{port}/trap").status_code == 500

    def counted():
        samples = system.call("GET", f"{task}/metrics")["metrics"]
        return samples and samples[0]["metrics"].get("requests") == 2

    until(counted)
    system.call("POST", f"{task}/stop")
    assert look(system, task)["state"] == 6

    def is_gone():
        try:
            httpx.get(f"http://127.0.0.1:{port}/", timeout=5)
        except httpx.TransportError:
            return True
        return False

    until(is_gone)


def test_the_cost_of_a_run_is_in_its_metrics(system):
    task = start(
        system,
        name="main",
        file=ADD,
        inputs=[1, 2],
        limits={"fuel": 1000},
        monitoring_profile={"enabled": True},
    )
    samples = until(lambda: system.call("GET", f"{task}/metrics")["metrics"])
    assert 0 < samples[0]["metrics"]["fuel"] < 1000


# -- latent tasks --------------------------------------------------------------------------------------------


def invoke(system, task, status=200, **body):
    return system.call("POST", f"{task}/invoke", body or None, status)


def test_a_latent_task_is_invoked_many_times_at_once(system):
    task = start(system, name="main", latent=True, file=ADD, inputs=[1, 2])
    until(lambda: is_up(system, task))
    assert invoke(system, task) == {"invoked": True, "results": "3\n"}
    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda n: invoke(system, task, inputs=[n, 1])["results"], range(100)))
    assert found == [f"{n + 1}\n" for n in range(100)]
    history = system.call("GET", f"{task}/invocations?limit=3")
    assert (history["total"], len(history["invocations"])) == (101, 3)
    assert all(one["duration_ms"] >= one["guest_ms"] for one in history["invocations"])


def test_what_goes_wrong_with_an_invocation_is_said(system):
    task = start(system, name="spin", latent=True, file=ADD)
    until(lambda: is_up(system, task))
    assert "takes 0 parameters" in invoke(system, task, 502, inputs=[1])["error"]
    late = invoke(system, task, 504, timeout="200ms")
    assert late["error"].endswith("timed out after 0.2s")
    assert "timeout" in invoke(system, task, 400, timeout="soon")["error"]
    system.call("POST", f"{task}/stop")
    assert "is not deployed: it is interrupted" in invoke(system, task, 409)["error"]
    plain = start(system, name="main", file=ADD, inputs=[1, 2])
    assert "is not a latent task and cannot be invoked" in invoke(system, plain, 409)["error"]
    assert system.call("POST", "/tasks/none/invoke", None, 404)
    errors = [one["error"] for one in system.call("GET", f"{task}/invocations")["invocations"]]
    assert errors[0] == "it ran longer than the limit of 0.2 s; timeout raises it", "the newest first"


def test_the_timeout_of_an_invocation_counts_from_where_its_guest_begins(system):
    """Two run at once, the others wait for a slot, longer in all than the timeout of each."""
    task = start(system, name="sleep", latent=True, file=text(SLEEP), inputs=[700_000_000])
    until(lambda: is_up(system, task))
    with concurrent.futures.ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda _: invoke(system, task, timeout="1s"), range(10)))
    assert [answer["results"] for answer in answers] == ["0\n"] * 10


def test_an_invocation_that_a_crash_of_the_manager_ended_has_left_a_trace(system):
    task = start(system, name="sleep", latent=True, file=text(SLEEP), inputs=[3600 * 10**9])
    until(lambda: is_up(system, task))

    def ask():
        with contextlib.suppress(httpx.TransportError):
            httpx.post(f"{system.http.base_url}{task}/invoke", json={"inputs": [10**12]}, timeout=60)

    asking = threading.Thread(target=ask)
    asking.start()
    until(lambda: [one for one in history(system, task) if "results" not in one and "error" not in one])
    system.kill()
    asking.join()
    system.up()
    (found,) = history(system, task)
    assert found["error"] == "the manager was ended while it waited for the result"
    assert found["inputs"] == [str(10**12)]


def history(system, task):
    return system.call("GET", f"{task}/invocations")["invocations"]


@pytest.mark.parametrize(
    ("name", "module", "error"),
    [
        ("main", lambda: MISSING, "imports env.magic, which this proplet does not offer"),
        ("handle", lambda: text(guest("http_server")), "values of own<incoming-request> have no text form"),
    ],
)
def test_what_nobody_could_invoke_is_not_deployed(system, name, module, error):
    task = start(system, name=name, latent=True, file=module())
    failed = until(lambda: (found := look(system, task))["state"] == 4 and found)
    assert error in failed["error"]


def test_a_latent_task_is_deployed_again_after_its_proplet_was_killed(system):
    task = start(system, name="main", latent=True, file=ADD)
    until(lambda: is_up(system, task))
    (proplet,) = system.proplet_processes()
    proplet.kill()
    until(lambda: (found := is_up(system, task)) and found.get("attempt", 1) == 2)

    def answers():
        answer = system.http.post(f"{task}/invoke", json={"inputs": [3, 4]})
        return answer.status_code == 200 and answer.json()["results"]

    assert until(answers) == "7\n"
