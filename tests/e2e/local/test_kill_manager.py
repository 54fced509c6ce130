"""kill -9 of the manager at any moment loses nothing and repeats no result."""

import random
from collections import Counter

import pytest

from tests.e2e.local.harness import ADDITION, ENDED
from tests.waiting import until

TASKS = 500
KILLS = 50


def dag(rng):
    for number in range(TASKS):
        near = range(max(0, number - 20), number)
        parents = rng.sample(near, min(len(near), rng.choice([1, 1, 2, 3]))) if number >= 5 else []
        yield {
            "id": f"t{number}",
            "name": "main",
            "inputs": [number, 1],
            "file": ADDITION,
            "depends_on": [f"t{parent}" for parent in sorted(parents)],
        }


@pytest.mark.timeout(900)  # fifty starts, on however slow a machine
def test_killed_at_fifty_points(system):
    rng = random.Random(500)
    system.up()
    job = system.call("POST", "/jobs", {"name": "bystander", "tasks": [{"name": "main", "file": ADDITION}]})
    created = system.call("POST", "/workflows?file=false", {"tasks": list(dag(rng))})["tasks"]
    workflow = f"/workflows/{created[0]['workflow_id']}"
    system.call("POST", f"{workflow}/start")
    ended = {}

    def look():
        """Read everything, and hold what has ended to what was read before."""
        answer = system.call("GET", f"{workflow}?file=false")
        for task in answer["tasks"]:
            now = {key: task.get(key) for key in ("state", "results", "finish_time", "attempt")}
            assert ended.get(task["id"], now) == now, "an ended task changed"
            if task["state"] >= ENDED:
                ended[task["id"]] = now
        return answer

    for kill in range(KILLS):
        # Spread over the whole: a little further each time, or at once after the start.
        goal = TASKS * kill // KILLS + rng.randrange(8)
        if kill % 5:
            until(lambda goal=goal: look()["counts"]["completed"] >= min(goal, TASKS))
        system.kill()
        system.up()
        answer = look()
        assert len(answer["tasks"]) == TASKS, "an accepted task is gone"
    answer = until(lambda: (found := look())["state"] == ENDED and found)
    assert [task["results"] for task in answer["tasks"]] == [f"{number + 1}\n" for number in range(TASKS)]
    assert system.call("GET", f"/jobs/{job['job_id']}")["tasks"][0]["state"] == 0
    assert completions(system) == Counter({f"t{number}": 1 for number in range(TASKS)})
    for task in answer["tasks"]:
        for parent in task.get("depends_on", []):
            assert ended[parent]["finish_time"] <= task["start_time"] or same_to_the_trimmed_zero(
                ended[parent]["finish_time"], task["start_time"]
            )
    assert system.stop() == 0


def same_to_the_trimmed_zero(earlier, later):
    """Trailing zeros are trimmed on the wire, so as text ``…2Z`` sorts after ``…201Z``."""
    return earlier.removesuffix("Z").ljust(30, "0") <= later.removesuffix("Z").ljust(30, "0")


def completions(system):
    """Count, in the log of events, how often each task was recorded as completed."""
    found = Counter()
    with system.http.stream("GET", "/events?after=0") as stream:
        for line in stream.iter_lines():
            if line.startswith("data:") and '"state":3' in line:
                found[line.split('"task_id":"')[1].split('"')[0]] += 1
            if len(found) == TASKS:
                break
    return found
