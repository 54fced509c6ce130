"""An HTTP server as a component, in Python; script/guests builds it."""

from pathlib import Path

from componentize_py_types import Ok
from wit_world import exports
from wit_world.imports.types import (
    Fields,
    IncomingRequest,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
)


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        path = request.path_with_query()
        if path == "/nothing":
            return
        if path == "/trap":
            raise RuntimeError("on purpose")
        answer = f"Hello from Python, you asked for {path}\n"
        if path.startswith("/log"):
            log = Path("/data/log")
            with log.open("a") as end:
                end.write(f"{path}\n")
            answer = log.read_text()
        elif path.startswith("/file/"):
            try:
                answer = Path(path.removeprefix("/file")).read_text()
            except OSError as error:
                answer = f"{error.strerror}\n"
        response = OutgoingResponse(Fields.from_list([("content-type", b"text/plain")]))
        body = response.body()
        ResponseOutparam.set(response_out, Ok(response))
        with body.write() as stream:
            stream.blocking_write_and_flush(answer.encode())
            if path == "/half":
                return
        OutgoingBody.finish(body, None)
