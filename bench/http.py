"""The plainest client that keeps its connection, so that figures are the system's and not the client's."""

import json
from http.client import HTTPConnection
from typing import Any

_SECONDS_MAX = 60


class Http:
    """One connection; whoever asks in several threads takes one for each."""

    def __init__(self, host: str, port: int) -> None:
        self.address = (host, port)
        self._connection = HTTPConnection(host, port, timeout=_SECONDS_MAX)

    def get(self, path: str) -> Any:
        return self._ask("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        return self._ask("POST", path, body)

    def delete(self, path: str) -> None:
        self._ask("DELETE", path)

    def follow(self) -> "Stream":
        return Stream(HTTPConnection(*self.address, timeout=_SECONDS_MAX))

    def close(self) -> None:
        self._connection.close()

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        headers = {} if body is None else {"Content-Type": "application/json"}
        self._connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self._connection.getresponse()
        data = answer.read()
        assert answer.status < 300, data
        return json.loads(data) if data else None


class Stream:
    """The stream of events; it is followed from the moment in which this is made."""

    def __init__(self, http: HTTPConnection) -> None:
        self._http = http
        http.request("GET", "/events")
        self._answer = http.getresponse()
        assert self._answer.readline().startswith(b":"), "the stream begins with a comment"

    def result_of(self, task_id: str) -> str:
        """Wait for the end of a task."""
        return self.end_of(task_id)["results"]

    def end_of(self, task_id: str) -> dict[str, Any]:
        """Wait for the event in which a task ends."""
        while line := self._answer.readline():
            if line.startswith(b"data:"):
                event = json.loads(line[5:])
                if event["task_id"] == task_id and event["state"] >= 3:
                    return event
        raise EOFError("the stream of events ended")

    def close(self) -> None:
        self._answer.close()
        self._http.close()
