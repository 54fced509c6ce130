"""Programs that run guests: the real one, and some that misbehave."""

import asyncio
import contextlib

import psutil
import uvloop

from propeller.runtime.external.runtime import ExternalRuntime
from propeller.runtime.guest_run import GuestRun, Limits
from tests.runtime.helpers import Running, put, until

#: A component that serves HTTP, and answers nothing.
SERVER = """(component
  (import "wasi:http/types@0.2.0" (instance $types
    (export "incoming-request" (type (sub resource)))
    (export "response-outparam" (type (sub resource)))))
  (alias export $types "incoming-request" (type $request))
  (alias export $types "response-outparam" (type $answer))
  (core module $m (func (export "handle") (param i32 i32)))
  (core instance $i (instantiate $m))
  (func $handle (param "request" (own $request)) (param "response-out" (own $answer))
    (canon lift (core func $i "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))"""


def script(tmp_path, text):
    """A program that is a shell script."""
    path = tmp_path / "program.sh"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


class Outside(Running):
    """An external runtime and what it told."""

    def __init__(self, directory, program, size, limits, allowed_dirs):
        self.directory = directory
        self.ends = {}
        self.pieces = []
        #: What was said of those that are up, by key.
        self.up = {}
        self.pool = ExternalRuntime(
            program,
            directory,
            size=size,
            limits=limits,
            allowed_dirs=allowed_dirs,
            on_ended=self._on_ended,
            on_printed=self.pieces.extend,
            on_up=lambda ups: self.up.update((up.key, up.results) for up in ups),
        )

    def run(self, key, module, export, *inputs, cli_args=(), env=None, **more):
        digest = put(self.directory, module)
        self.pool.submit([GuestRun(key, digest, export, list(inputs), list(cli_args), env or {}, **more)])

    async def is_up(self, *keys):
        await until(lambda: all(key in self.up for key in keys), f"runs {keys} to be up")

    async def end(self, *args, **more):
        """Run one to its end."""
        key = len(self.ends) + 1000
        self.run(key, *args, **more)
        return (await self.ended(key))[0]

    async def executing(self, key):
        await until(lambda: key in self.pool.executing(), f"run {key} to begin")


def play(part, directory, program, *, size=2, limits=None, allowed_dirs=()):
    """Run one coroutine against an external runtime, on the event loop of real proplets."""

    async def scene():
        outside = Outside(directory, program, size, limits or Limits(), allowed_dirs)
        await outside.pool.start()
        try:
            await part(outside)
        finally:
            await outside.pool.stop()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scene())


async def text_of(path):
    """What a script has written into a file, once it has."""
    text = ""

    def is_there():
        nonlocal text
        with contextlib.suppress(FileNotFoundError):
            text = path.read_text()
        return text.endswith("\n")

    await until(is_there, f"{path.name} to be written")
    return text


def is_gone(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
