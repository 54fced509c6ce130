"""A manager of its own for the screens, and what plays its user."""

import asyncio
import base64
import contextlib
import socket

import pytest
from wasmtime import wat2wasm

from propeller.cli.top.app import Top
from propeller.client.api import Client
from tests.e2e.local.harness import System

DEADLINE_S = 60
#: Prints "[red]hi" with an escape sequence in it.
LOUD = r"""(module (import "wasi_snapshot_preview1" "fd_write" (func $w (param i32 i32 i32 i32) (result i32)))
(memory (export "memory") 1)
(data (i32.const 0) "\10\00\00\00\0e\00\00\00") (data (i32.const 16) "[red]hi\1b[31m!\0a")
(func (export "_start") (drop (call $w (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"""


def module(text):
    """Give a module in text form as a task has it."""
    return base64.b64encode(wat2wasm(text)).decode()


class User:
    """Presses keys at ``propeller top``, and reads what is on the screen."""

    def __init__(self, app, pilot):
        self.app = app
        self._pilot = pilot

    async def press(self, *keys):
        await self._pilot.press(*keys)

    async def type(self, text):
        await self.press(*("space" if letter == " " else letter for letter in text))

    def screen(self):
        return "\n".join(strip.text.rstrip() for strip in self.app.screen._compositor.render_strips())

    async def sees(self, *words):
        """Wait for all of this to be on the screen at once, and return the screen."""
        return await self._until(lambda shown: all(word in shown for word in words), words)

    async def sees_no(self, *words):
        """Wait for none of this to be on the screen."""
        return await self._until(lambda shown: not any(word in shown for word in words), words)

    async def hears(self, words):
        """Wait for a note that says this; a long one stands on several lines of the screen."""
        await self._until(lambda _: any(words in note.message for note in self.app._notifications), words)

    async def _until(self, is_so, words):
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not is_so(shown := self.screen()):
                    await self._pilot.pause(0.02)
        except TimeoutError:
            raise AssertionError(f"{words} in vain:\n{self.screen()}") from None
        return shown


class Stage:
    """A system, and the screen before it."""

    def __init__(self, system):
        self.system = system

    def call(self, *request, **options):
        return self.system.call(*request, **options)

    def play(self, part, *, size=(150, 40)):
        """Run a coroutine that gets a user whose screen has just begun."""

        async def scene():
            with Client(str(self.system.http.base_url)) as client:
                app = Top(client)
                async with app.run_test(size=size, notifications=True) as pilot:
                    await part(User(app, pilot))

        asyncio.run(scene())


@pytest.fixture
def stage(tmp_path):
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    system = System(tmp_path / "data", "--port", str(port))
    system.up()
    yield Stage(system)
    system.clean_up()
