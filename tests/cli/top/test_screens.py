"""``propeller top`` by its keys, against a real manager: what its user does, and what is then on the screen."""

from propeller.core.states import COMPLETED, FAILED, INTERRUPTED, RUNNING
from tests.cli.conftest import ADDITION, DIVISION, ENDLESS
from tests.waiting import until

from .conftest import LOUD, module

BAD = "[bold red]x[/] \x1b[31m\x07"


def made(stage, kind, tasks):
    """Create a workflow or a job, which does not start it; returns its id."""
    body = {"tasks": tasks} | ({"name": "n"} if kind == "jobs" else {})
    (first, *_) = stage.call("POST", f"/{kind}?file=false", body)["tasks"]
    return first[f"{kind.removesuffix('s')}_id"]


def states(stage):
    return {task["id"]: task["state"] for task in stage.call("GET", "/tasks?file=false")["tasks"]}


def a_workflow(stage):
    """One that adds, waits for that, and divides by zero."""
    tasks = [
        {"id": "sum", "name": "main", "file": module(ADDITION), "inputs": [10, 20]},
        {
            "id": "quotient",
            "name": "main",
            "file": module(DIVISION),
            "inputs": [1, 0],
            "depends_on": ["sum"],
        },
    ]
    return made(stage, "workflows", tasks)


def test_a_workflow_is_started_seen_to_fail_read_and_run_again(stage):
    workflow_id = a_workflow(stage)

    async def part(user):
        await user.sees("Tasks", "0 run", "2 pending")
        await user.press("2")
        await user.sees("1 workflow", "Pending", "0/2")
        await user.press("enter")
        await user.sees(workflow_id, "2 tasks", "○ Pending")
        await user.press("s")
        await user.sees("Start workflow", "wait for no other start now")
        assert set(states(stage).values()) == {0}, "nothing is done before it is confirmed"
        await user.press("y")
        shown = await user.sees("✘ Failed", "✔ Completed", "30", "integer division by zero")
        assert shown.index("quotient") < shown.index("sum "), "what failed comes first"
        assert states(stage) == {"sum": COMPLETED, "quotient": FAILED}
        await user.press("home", "enter")  # the cursor has stayed on its task
        await user.sees("✘ Failed", "error", "integer division by zero", "inputs")
        await user.press("escape")
        await user.press("r")
        await user.sees("1 task that failed", "The others keep their results")
        await user.press("y")
        await user.hears("runs again")
        await user.press("enter")
        await user.sees("2 attempts")

    stage.play(part)


def test_no_changes_nothing_and_a_refusal_is_said(stage):
    workflow_id = a_workflow(stage)

    async def part(user):
        await user.press("g", "w")
        await user.sees(workflow_id)
        for key in ("s", "x", "d"):
            await user.press(key)
            await user.sees("Yes (y)")
            await user.press("n")
            await user.sees_no("Yes (y)")
        await user.press("r")
        await user.hears("has not ended: wait, or stop it first")
        assert set(states(stage).values()) == {0}

    stage.play(part)


def test_a_task_runs_is_stopped_and_deleted(stage):
    job_id = made(stage, "jobs", [{"id": "endless", "name": "main", "file": module(ENDLESS)}])

    async def part(user):
        await user.press("g", "j")
        await user.sees(job_id, "1 job")
        await user.press("s", "y")
        await user.sees("▶ Running")
        await user.hears(f"job {job_id} was started")
        assert states(stage) == {"endless": RUNNING}
        await user.press("g", "p")
        await user.sees("1 of", "endless", "alive")
        await user.press("3")
        await user.sees("▶ Running")
        await user.press("x")
        await user.sees("Its run is ended at once")
        await user.press("y")
        await user.sees("■ Interrupted")
        assert states(stage) == {"endless": INTERRUPTED}
        await user.press("d", "y")
        await user.sees("none yet: run one with")

    stage.play(part)


def test_logs_follow_and_neither_markup_nor_control_characters_are_obeyed(stage):
    stage.call("POST", "/tasks", {"id": "loud", "name": BAD, "file": module(LOUD)})

    async def part(user):
        await user.press("3")
        await user.sees("[bold red]x[/] \\x1b", "loud")
        await user.press("enter")
        await user.sees("name", "[bold red]x[/] \\x1b[31m\\x07")
        stage.call("PUT", "/tasks/loud", {"name": "_start"})
        await user.press("s", "y")
        shown = await user.sees("[red]hi\\x1b[31m!")
        assert "\x1b" not in shown
        await user.press("5")
        await user.sees("loud", "✔ Completed")

    stage.play(part)


def test_a_search_finds_tasks_and_events_are_chosen(stage):
    for name in ("alpha", "beta", "gamma"):
        stage.call("POST", "/tasks", {"id": f"id-{name}", "name": name})

    async def part(user):
        await user.press("3")
        await user.sees("alpha", "beta", "gamma")
        await user.press("slash")
        await user.type("bet")
        shown = await user.sees("id-beta", "search: bet")
        await user.sees_no("id-alpha")
        await user.press("enter", "enter")
        await user.sees("Pending", "id-beta", "created")
        await user.press("escape")
        await user.sees("search: bet")
        await user.press("escape")
        shown = await user.sees("id-alpha", "id-gamma")
        assert "search:" not in shown
        await user.press("f")
        await user.sees("pending only")

    stage.play(part)


def test_keys_are_listed_and_letters_behind_g_go_places(stage):
    async def part(user):
        await user.sees("Overview")
        await user.press("question_mark")
        shown = await user.sees("go to the workflows", "Keys", "quit")
        assert "search" not in shown, "there is nothing to search here"
        await user.press("escape")
        await user.press("g")
        await user.sees("go to:")
        await user.press("x")
        await user.sees_no("go to:")
        for key, words in (("w", "propeller workflows run FILE"), ("j", "propeller jobs run FILE")):
            await user.press("g", key)
            await user.sees(words)
        await user.press("g", "p")
        await user.sees("takes tasks", "● alive")
        await user.press("g", "e")
        await user.sees("nothing has happened yet")

    stage.play(part)


def test_a_proplet_is_cordoned_and_taken_back(stage):
    def is_cordoned():
        (proplet,) = stage.call("GET", "/proplets")["proplets"]
        return proplet.get("cordoned", False)

    async def part(user):
        await user.press("4")
        await user.sees("takes tasks")
        for key, said, expected in (("c", "cordoned", True), ("u", "takes tasks", False)):
            await user.press(key)
            await user.sees("Yes (y)")
            await user.press("y")
            await user.sees_no("Yes (y)")
            await user.sees(said)
            assert until(lambda expected=expected: is_cordoned() == expected)
        await user.press("D")
        await user.sees("none is moved")
        await user.press("n", "d")
        await user.hears("is alive; only one that is gone can be deleted")

    stage.play(part)


def test_a_manager_that_goes_away_is_said_and_comes_back_by_itself(stage):
    workflow_id = a_workflow(stage)

    async def part(user):
        await user.press("2", "enter")
        await user.sees(workflow_id, "2 tasks")
        stage.system.kill()
        await user.sees("not connected", "what is shown is older", workflow_id)
        await user.press("s", "y")
        await user.hears("whether it was done shows when the manager answers again")
        stage.system.up()
        await user.sees_no("not connected")
        assert set(states(stage).values()) == {0}, "it was not reached, so nothing has begun"
        await user.press("s", "y")
        await user.sees("✘ Failed", "✔ Completed")

    stage.play(part)


def test_a_workflow_that_is_deleted_under_the_reader_is_said_to_be_gone(stage):
    workflow_id = a_workflow(stage)

    async def part(user):
        await user.press("2", "enter")
        await user.sees(workflow_id, "2 tasks")
        stage.call("DELETE", f"/workflows/{workflow_id}")
        await user.sees("is gone: somebody has deleted it")
        await user.press("escape")
        await user.sees("none yet")

    stage.play(part)


def test_5000_tasks_stay_quick(stage):
    tasks = [{"id": f"t{n}", "name": "main", "inputs": [n, 1]} for n in range(5_000)]
    (answer, *_) = stage.call("POST", "/workflows?file=false", {"tasks": tasks})["tasks"]
    assert answer["workflow_id"]

    async def part(user):
        await user.press("2")
        await user.sees("0/5,000")
        await user.press("enter")
        await user.sees("200 of 5,000 tasks")
        await user.press("slash")
        await user.type("t4999")
        await user.sees("1 of 5,000 tasks have t4999")
        await user.press("escape", "g", "t")
        await user.sees("5,000 tasks", "page 1")
        await user.press("n")
        await user.sees("page 2")
        await user.press("b")
        await user.sees("page 1")

    stage.play(part)
