"""``/files``: files with a workflow or a job, checked before anything is created."""

import asyncio

from starlette.responses import Response
from starlette.types import ASGIApp

from propeller.access.roles import Action
from propeller.api.bodies import read_json
from propeller.api.context import HttpRequest, context_of
from propeller.api.endpoints import post
from propeller.errors import Invalid, TooLarge
from propeller.runtime.apart import Work, done_apart
from propeller.wire.http.files import FileCheck, NewFile
from propeller.wire.http.schema import encode

_MIB = 1024 * 1024
#: YAML of this size takes some seconds.
TEXT_BYTES_MAX = _MIB

CHECK = Work(
    module="propeller.api.file_check_process",
    name="its check",
    way_out="make the file smaller, or run it with propeller workflows run FILE",
    memory_bytes=1024 * _MIB,
    time_s=60,
    most_bytes=16 * _MIB,
)


@post(
    "/files/check",
    action=Action.SUBMIT,
    gives=FileCheck,
    takes=NewFile,
    refuses=[504],
    takes_key=False,
    anywhere=True,
)
async def check_file(request: HttpRequest) -> ASGIApp:
    """Say what a file with a workflow or a job makes, and what is wrong with it; nothing is created."""
    context = context_of(request)
    new = await read_json(request, NewFile, lambda new, _: new)
    if new.kind not in (None, "", "workflow", "job"):
        raise Invalid(f'kind: "{new.kind}" is unknown; use workflow or job, or leave it out')
    text_bytes = len(new.text.encode())
    if text_bytes > TEXT_BYTES_MAX:
        raise TooLarge(
            f"text: it has {text_bytes:,} bytes, and {TEXT_BYTES_MAX:,} are checked; run it with "
            "propeller workflows run FILE"
        )
    data = await asyncio.to_thread(encode, new)
    async with context.checks.one():
        found = await done_apart(CHECK, data)
    return Response(found + b"\n", media_type="application/json")


ENDPOINTS = [check_file]
