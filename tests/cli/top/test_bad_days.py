"""``propeller top`` before a manager that is played: what a real one can't be brought to say at will."""

import asyncio
import time

import httpx

from propeller.cli.top.app import Top
from propeller.client.api import Client

from .conftest import User

NAME = "[bold red]x[/] \x1b[2J\x07\u202e" + "y" * 10_000
RESULT = "".join(chr(n % 160) for n in range(1_000_000))
ZERO = "0001-01-01T00:00:00Z"
TIMES = dict.fromkeys(("start_time", "finish_time", "created_at", "updated_at", "next_run"), ZERO)


def before(answer, part):
    """Play with a user before a manager whose answers a function gives, by the path that was asked for."""

    def answered(request):
        status, content = answer(request.url.path)
        return httpx.Response(status, json=content)

    async def scene():
        with Client("http://far", transport=httpx.MockTransport(answered)) as client:
            app = Top(client)
            async with app.run_test(size=(150, 40), notifications=True) as pilot:
                await part(User(app, pilot))

    asyncio.run(scene())


def test_a_name_of_10_kb_and_a_result_of_1_mb_are_text_and_quick():
    task = {"id": "t", "name": NAME, "state": 3, "results": RESULT, "error": NAME, "cli_args": None, **TIMES}

    def answer(path):
        if path == "/tasks":
            return 200, {"offset": 0, "limit": 100, "total": 1, "tasks": [task]}
        return (200, task) if path == "/tasks/t" else (404, {"error": f"there is no {path}"})

    async def part(user):
        began = time.perf_counter()
        await user.press("3")
        shown = await user.sees("[bold red]x[/] \\x1b[2J")
        assert not {"\x1b", "\x07", "\u202e"} & {*shown}
        await user.press("enter")
        shown = await user.sees("✔ Completed", "error", "in all)", "result", "\\x01\\x02")
        assert not {"\x1b", "\x07", "\u202e"} & {*shown}
        assert time.perf_counter() - began < 10

    before(answer, part)


def test_a_sign_in_that_has_run_out_is_said_and_what_comes_after_it_is_shown():
    is_signed_in = False
    page = {"offset": 0, "limit": 100, "total": 1, "tasks": [{"id": "t", "name": "f", "state": 0, **TIMES}]}

    def answer(path):
        if not is_signed_in:
            return 401, {"message": "who are you"}
        return (200, page) if path == "/tasks" else (404, {"error": "no"})

    async def part(user):
        nonlocal is_signed_in
        await user.press("3")
        shown = await user.sees("GET /tasks answered 401")
        assert "not connected" not in shown, "somebody has answered"
        is_signed_in = True
        await user.sees("1 task")
        await user.sees_no("401")

    before(answer, part)


def test_a_manager_that_was_never_there_is_waited_for():
    is_there = False

    def answer(path):
        if not is_there:
            raise httpx.ConnectError("[Errno 111] Connection refused")
        if path == "/tasks":
            return 200, {"offset": 0, "limit": 100, "total": 0, "tasks": []}
        return 404, {"error": "no"}

    async def part(user):
        nonlocal is_there
        await user.sees("not connected", "Connection refused", "start one with: propeller up")
        is_there = True
        await user.press("3")
        await user.sees("none yet: run one with propeller run FILE")
        await user.sees_no("not connected")

    before(answer, part)
