"""``propeller top`` before a manager that only knows the contract: it shows what that has, and says what it has not."""

from propeller.cli.top.app import Top
from propeller.client.api import Client
from tests.cli.test_contract_manager import play

from .conftest import User


def before(tmp_path, part):
    """Play with a user before such a manager."""

    async def scene(site):
        with Client(str(site.http.base_url)) as client:
            app = Top(client)
            async with app.run_test(size=(150, 40), notifications=True) as pilot:
                await part(site, User(app, pilot))

    play(scene, tmp_path)


def test_tasks_and_jobs_are_shown_started_and_followed_by_looks(tmp_path):
    async def part(site, user):
        tasks = [{"name": "main", "inputs": [1, 2]}, {"name": "main", "inputs": [3, 4]}]
        job = await site.post("/jobs", {"name": "two", "tasks": tasks})
        await user.sees("0 run", "2 pending", "2 in all")
        await user.press("g", "j")
        await user.sees(job["job_id"], "two", "0/2")
        await user.press("enter")
        await user.sees("2 tasks", "○ Pending")
        for task in job["tasks"]:
            await site.upload(task["id"])
        await user.press("s", "y")
        await user.sees("✔ 2 completed", "3", "7")
        await user.press("enter")
        await user.sees("✔ Completed", "inputs", "this manager keeps no logs")

    before(tmp_path, part)


def test_what_it_has_not_is_said(tmp_path):
    async def part(site, user):
        await site.post("/tasks", {"name": "main"})
        await user.press("g", "w")
        await user.sees("this manager does not list workflows: look at its tasks (3)")
        await user.press("4")
        await user.sees("this manager does not list proplets")
        await user.press("5")
        await user.sees("this manager has no events")
        await user.press("3")
        await user.sees("1 task", "main")

    before(tmp_path, part)
