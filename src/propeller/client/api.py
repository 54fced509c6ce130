"""``Client``: the manager's API as methods, one per request.

A method returns what the manager answered, as the JSON object it is; answers with tasks come without the
bytes of their modules (``file=false``), which ``task_file`` fetches.

A request that is named by an idempotency key may be sent again when no answer came: the manager carries it
out once. One that only knows the contract takes no notice of the key.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from types import TracebackType
from typing import Any, Self, cast

import httpx

from propeller.client import contract, events, findings, shapes
from propeller.client.access import Access
from propeller.client.address import DEFAULT_URL, headers_with, manager_url
from propeller.client.asking import chosen_logs as _chosen_logs
from propeller.client.asking import page_query as _page
from propeller.client.asking import rerun_body as _rerun
from propeller.client.asking import under as _under
from propeller.client.errors import ApiError, NoSuchRoute, Unreachable, not_reached, refusal
from propeller.client.looking import AWAY_S as _AWAY_S
from propeller.client.looking import Looking
from propeller.client.looking import path_to as _path
from propeller.client.namespaces import in_namespace
from propeller.client.patience import OnWait, Patience
from propeller.client.secrets import Secrets
from propeller.client.trust import Trust, tls_context
from propeller.errors import Invalid

#: Query parameters; one that is repeated has several values.
Filters = Mapping[str, str | Sequence[str]]

_CONNECT_S = 5.0
#: Longer than any request of the API takes, an invocation's 30 s included.
_ANSWER_S = 60.0
_NO_FILE = {"file": "false"}
_NO_TASKS = _NO_FILE | {"tasks": "false"}


class Client(Looking, Access, Secrets):
    """Talks to one manager; use it as a context manager, or close it."""

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        token: str = "",
        tls_verification: bool = True,
        ca_cert: Path | None = None,
        client_cert: Path | None = None,
        client_key: Path | None = None,
        answer_s: float | None = None,
        on_wait: OnWait | None = None,
        namespace: str = "",
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Make a client; nothing is sent yet.

        Args:
            base_url: The manager's; ``http://`` may be left out.
            token: What to be known by; it is sent in the clear only to this machine, and without
                ``tls_verification``.
            tls_verification: Whether the certificate of an ``https`` manager is checked.
            ca_cert: Who signed it, in PEM form; None for those whom the system trusts.
            client_cert: The certificate by which the client shows who it is; None for none.
            client_key: The key of that certificate; None if it is in the same file.
            answer_s: How long an answer may take; None for longer than any request does.
            on_wait: Told of each wait for a manager that has too much to do.
            namespace: That of what is created and listed; ``""`` leaves it to the manager.
            transport: In place of the network.

        Raises:
            Invalid: The URL is none, the file can't be used, or others could read the token.

        """
        self.base_url = manager_url(base_url)
        url = httpx.URL(self.base_url)
        trust = Trust(verification=tls_verification, ca_cert=ca_cert, cert=client_cert, key=client_key)
        self._patience = Patience(on_wait, wait_s_max=answer_s)
        self._http = httpx.Client(
            base_url=self.base_url,
            headers=headers_with(token, url, may_be_read=not tls_verification),
            verify=tls_context(trust if url.scheme == "https" else None),
            follow_redirects=True,  # to a leader, to whom no other manager can show our certificate
            timeout=httpx.Timeout(answer_s or _ANSWER_S, connect=min(answer_s or _CONNECT_S, _CONNECT_S)),
            # A proxy of the environment is for far hosts.
            trust_env=url.host not in ("localhost", "127.0.0.1", "::1"),
            transport=transport,
            event_hooks={"request": [in_namespace(url, namespace)] if namespace else []},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def request(self, method: str, path: str, *, query: Filters | None = None, **body: Any) -> Any:
        """Send a request and return the JSON of the answer, None where it has no body.

        Raises:
            Invalid: The body can't be written as JSON.
            ApiError: The manager refuses; the message is its own.
            Unreachable: No answer came.
            Untrusted: The manager's certificate is not believed.

        """
        content = self._send(method, path, query, body).content
        if not content.strip():
            return None
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise ApiError(200, f"{self.base_url} answered no JSON: is it a Propeller manager?") from error

    def _send(self, method: str, path: str, query: Filters | None, body: Mapping[str, Any]) -> httpx.Response:
        try:
            request = self._http.build_request(method, path, params=query, **body)
        except (TypeError, ValueError) as error:
            raise Invalid(f"{method} {path}: this can't be sent: {error}") from error
        try:
            response = self._patience.send(self._http, request)
        except httpx.TimeoutException as error:
            raise Unreachable(self.base_url, "it took too long") from error
        except httpx.TransportError as error:
            raise not_reached(self.base_url, error) from error
        if not response.is_success:
            raise refusal(response)
        return response

    # -- tasks ---------------------------------------------------------------------------------------------

    def create_task(self, fields: Mapping[str, Any], *, key: str | None = None) -> shapes.Task:
        """Create a task, once for each idempotency key."""
        answer = self.request("POST", "/tasks", query=_NO_FILE, json=fields, **_under(key))
        return cast("shapes.Task", answer)

    def task(self, task_id: str) -> shapes.Task:
        return cast("shapes.Task", self.request("GET", _path("tasks", task_id), query=_NO_FILE))

    def tasks(
        self,
        *,
        offset: int = 0,
        limit: int = 100,
        metadata: Mapping[str, str] | None = None,
        only: Filters | None = None,
    ) -> shapes.TaskPage:
        """Return a page of tasks; ``only`` has more query parameters, as in ``{"state": "failed"}``."""
        chosen = {"metadata": json.dumps(metadata)} if metadata else {}
        query = _NO_FILE | _page(offset, limit) | chosen | dict(only or {})
        return cast("shapes.TaskPage", self.request("GET", "/tasks", query=query))

    def update_task(self, task_id: str, fields: Mapping[str, Any]) -> shapes.Task:
        """Change the given fields and no others."""
        answer = self.request("PUT", _path("tasks", task_id), query=_NO_FILE, json=fields)
        return cast("shapes.Task", answer)

    def upload_task_file(self, task_id: str, file_name: str, module: bytes, signed: str = "") -> shapes.Task:
        """Give a task its module, with the text of its signature; ``file_name`` ends in ``.wasm``."""
        parts: dict[str, Any] = {"file": (PurePath(file_name).name, module, "application/wasm")}
        parts |= {"signature": (None, signed)} if signed else {}
        path = _path("tasks", task_id, "upload")
        return cast("shapes.Task", self.request("PUT", path, query=_NO_FILE, files=parts))

    def task_file(self, task_id: str) -> bytes:
        return self._send("GET", _path("tasks", task_id, "file"), None, {}).content

    def task_module(self, task_id: str) -> findings.Module:
        """Return what the module of a task is, what it needs and how to call it."""
        return cast("findings.Module", self.request("GET", _path("tasks", task_id, "module")))

    def inspect_module(self, module: bytes) -> findings.Module:
        """Return the same of a module that no task has yet, which may be text."""
        return cast("findings.Module", self.request("POST", "/modules/inspect", content=module))

    def check_file(self, text: str, *, name: str = "", kind: str = "") -> findings.FileCheck:
        """Return what a file with a workflow or a job makes, and what is wrong with it.

        Args:
            text: The file, in YAML or JSON.
            name: Its name; one that ends in ``.json`` is JSON.
            kind: ``workflow`` or ``job``; ``""`` for what it says itself.

        """
        body = {"text": text, "name": name, "kind": kind}
        return cast("findings.FileCheck", self.request("POST", "/files/check", json=body))

    def delete_task(self, task_id: str) -> None:
        self.request("DELETE", _path("tasks", task_id))

    def start_task(self, task_id: str, *, key: str | None = None) -> Any:
        return self.request("POST", _path("tasks", task_id, "start"), **_under(key))

    def stop_task(self, task_id: str) -> Any:
        return self.request("POST", _path("tasks", task_id, "stop"))

    def invoke_task(
        self,
        task_id: str,
        inputs: Sequence[int | float | str] = (),
        env: Mapping[str, str] | None = None,
        *,
        timeout: str = "",
    ) -> Any:
        """Run a latent task once and return ``{"invoked":true,"results":…}``."""
        given: dict[str, Any] = {"inputs": list(inputs)} if inputs else {}
        if timeout:
            given["timeout"] = timeout
        if env:
            given["env"] = env
        body = {"json": given} if given else {}
        return self.request("POST", _path("tasks", task_id, "invoke"), **body)

    def task_results(self, task_id: str) -> Any:
        return self.request("GET", _path("tasks", task_id, "results"))

    def task_metrics(self, task_id: str, *, offset: int = 0, limit: int = 100) -> Any:
        return self.request("GET", _path("tasks", task_id, "metrics"), query=_page(offset, limit))

    def task_logs(
        self,
        task_id: str,
        *,
        stream: str = "",
        attempt: str = "",
        tail: int | None = None,
        after: int = 0,
        limit: int = 1000,
    ) -> shapes.LogPage:
        """Return pieces of what a task wrote, in order of arrival.

        Args:
            task_id: The task's.
            stream: ``stdout`` or ``stderr``, ``""`` for both.
            attempt: Its number, ``all``, or ``""`` for the last that wrote something.
            tail: Only this many lines from the end.
            after: Only pieces behind the one with this id.
            limit: How many pieces.

        """
        query = _chosen_logs(stream, attempt, tail) | {"after": str(after), "limit": str(limit)}
        return cast("shapes.LogPage", self.request("GET", _path("tasks", task_id, "logs"), query=query))

    def follow_task_logs(
        self,
        task_id: str,
        *,
        stream: str = "",
        attempt: str = "",
        tail: int | None = None,
        give_up_s: float = _AWAY_S,
        on_break: events.OnBreak | None = None,
    ) -> Iterator[shapes.Log | shapes.LogEnd]:
        """Yield each piece once, those that are there and those that come; the last item is the task's end.

        A connection that breaks is made anew, until the manager was away for ``give_up_s``.
        """
        query = _chosen_logs(stream, attempt, tail) | {"follow": "true"}
        path = _path("tasks", task_id, "logs")
        for item in events.stream(self._http, path, query, give_up_s=give_up_s, on_break=on_break):
            if item is not None:
                yield item
                if "text" not in item:
                    return

    def task_attempts(self, task_id: str) -> shapes.Attempts:
        return cast("shapes.Attempts", self.request("GET", _path("tasks", task_id, "attempts")))

    def task_executions(self, task_id: str) -> shapes.Executions:
        """Return what became of each attempt of a task."""
        return cast("shapes.Executions", self.request("GET", _path("tasks", task_id, "executions")))

    def task_invocations(self, task_id: str, *, offset: int = 0, limit: int = 100) -> Any:
        """Return what came of the invocations of a task, the newest first."""
        return self.request("GET", _path("tasks", task_id, "invocations"), query=_page(offset, limit))

    # -- schedules -----------------------------------------------------------------------------------------

    def schedule(self, of: str, owner_id: str) -> shapes.Schedule:
        """Return the schedule of one of the ``tasks``, ``workflows`` or ``jobs``, with its next times."""
        return cast("shapes.Schedule", self.request("GET", _path(of, owner_id, "schedule")))

    def pause_schedule(self, of: str, owner_id: str) -> shapes.Schedule:
        return cast("shapes.Schedule", self.request("POST", _path(of, owner_id, "schedule", "pause")))

    def resume_schedule(self, of: str, owner_id: str) -> shapes.Schedule:
        return cast("shapes.Schedule", self.request("POST", _path(of, owner_id, "schedule", "resume")))

    # -- workflows -----------------------------------------------------------------------------------------

    def create_workflow(
        self,
        tasks: Sequence[Mapping[str, Any]],
        *,
        name: str = "",
        more: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> shapes.Tasks:
        """Create a workflow, once for each idempotency key; ``more`` has other fields, as the API does."""
        body = ({"name": name} if name else {}) | dict(more or {}) | {"tasks": tasks}
        answer = self.request("POST", "/workflows", query=_NO_FILE, json=body, **_under(key))
        return cast("shapes.Tasks", answer)

    def lists_workflows(self) -> bool:
        """Say whether the manager knows workflows as such; one that only knows the contract does not."""
        try:
            self.workflows(limit=1)
        except NoSuchRoute:
            return False
        return True

    def workflow(self, workflow_id: str, *, with_tasks: bool = True) -> shapes.Workflow:
        query = _NO_FILE if with_tasks else _NO_TASKS
        try:
            answer = self.request("GET", _path("workflows", workflow_id), query=query)
        except NoSuchRoute:
            answer = contract.workflow(self, workflow_id)
        return cast("shapes.Workflow", answer)

    def workflows(
        self, *, offset: int = 0, limit: int = 100, only: Filters | None = None
    ) -> shapes.WorkflowPage:
        """Return a page of workflows; ``only`` has more query parameters, as in ``{"status": "failed"}``.

        To read on from a page that has a ``next_cursor``, give that as ``cursor``: then nothing comes twice.
        """
        query = _page(offset, limit) | dict(only or {})
        return cast("shapes.WorkflowPage", self.request("GET", "/workflows", query=query))

    def rerun_workflow(
        self, workflow_id: str, *, what: str = "", from_task: str = "", key: str | None = None
    ) -> Any:
        """Run tasks of a workflow again that has ended: what did not complete, ``all``, or from a task on."""
        body = _rerun(what, from_task)
        return self.request("POST", _path("workflows", workflow_id, "rerun"), **body, **_under(key))

    def clone_workflow(self, workflow_id: str, *, name: str = "", key: str | None = None) -> shapes.Tasks:
        body = {"json": {"name": name}} if name else {}
        path = _path("workflows", workflow_id, "clone")
        return cast("shapes.Tasks", self.request("POST", path, query=_NO_FILE, **body, **_under(key)))

    def start_workflow(self, workflow_id: str, *, key: str | None = None) -> Any:
        try:
            return self.request("POST", _path("workflows", workflow_id, "start"), **_under(key))
        except NoSuchRoute:
            return contract.start_workflow(self, workflow_id)

    def stop_workflow(self, workflow_id: str) -> Any:
        try:
            return self.request("POST", _path("workflows", workflow_id, "stop"))
        except NoSuchRoute:
            return contract.stop_workflow(self, workflow_id)

    def delete_workflow(self, workflow_id: str) -> None:
        self.request("DELETE", _path("workflows", workflow_id))

    # -- jobs ----------------------------------------------------------------------------------------------

    def create_job(
        self,
        tasks: Sequence[Mapping[str, Any]],
        *,
        name: str = "",
        execution_mode: str = "",
        fail_fast: bool | None = None,
        more: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> shapes.Job:
        """Create a job, once for each idempotency key; ``more`` has other fields, as the API does."""
        body: dict[str, Any] = ({"name": name} if name else {}) | dict(more or {})
        if execution_mode:
            body["execution_mode"] = execution_mode
        if fail_fast is not None:
            body["fail_fast"] = fail_fast
        answer = self.request("POST", "/jobs", query=_NO_FILE, json=body | {"tasks": tasks}, **_under(key))
        return cast("shapes.Job", answer)

    def job(self, job_id: str) -> shapes.Job:
        answer = self.request("GET", _path("jobs", job_id), query=_NO_FILE)
        return cast("shapes.Job", contract.job(answer))

    def job_summary(self, job_id: str) -> shapes.JobSummary:
        """Return how far a job is as a whole, without its tasks."""
        answer = self.request("GET", _path("jobs", job_id), query=_NO_TASKS)
        return cast("shapes.JobSummary", contract.job(answer))

    def jobs(
        self,
        *,
        offset: int = 0,
        limit: int = 100,
        only: Filters | None = None,
        with_tasks: bool = True,
    ) -> shapes.JobPage:
        """Return a page of jobs; ``only`` is as for ``workflows``."""
        query = _NO_FILE | _page(offset, limit) | dict(only or {})
        query |= {} if with_tasks else _NO_TASKS
        return cast("shapes.JobPage", self.request("GET", "/jobs", query=query))

    def rerun_job(self, job_id: str, *, what: str = "", from_task: str = "", key: str | None = None) -> Any:
        """Run tasks of a job again that has ended: what did not complete, ``all``, or from a task on."""
        body = _rerun(what, from_task)
        return self.request("POST", _path("jobs", job_id, "rerun"), **body, **_under(key))

    def clone_job(self, job_id: str, *, name: str = "", key: str | None = None) -> shapes.Job:
        body = {"json": {"name": name}} if name else {}
        path = _path("jobs", job_id, "clone")
        return cast("shapes.Job", self.request("POST", path, query=_NO_FILE, **body, **_under(key)))

    def start_job(self, job_id: str, *, key: str | None = None) -> Any:
        return self.request("POST", _path("jobs", job_id, "start"), **_under(key))

    def stop_job(self, job_id: str) -> Any:
        return self.request("POST", _path("jobs", job_id, "stop"))

    def delete_job(self, job_id: str) -> None:
        self.request("DELETE", _path("jobs", job_id))

    # -- proplets and the manager itself -------------------------------------------------------------------

    def proplets(
        self, *, offset: int = 0, limit: int = 100, only: Filters | None = None
    ) -> shapes.PropletPage:
        """Return a page of proplets; ``only`` has more query parameters, as in ``{"status": "active"}``."""
        query = _page(offset, limit) | dict(only or {})
        return cast("shapes.PropletPage", self.request("GET", "/proplets", query=query))

    def proplet(self, proplet_id: str) -> shapes.Proplet:
        return cast("shapes.Proplet", self.request("GET", _path("proplets", proplet_id)))

    def delete_proplet(self, proplet_id: str) -> None:
        self.request("DELETE", _path("proplets", proplet_id))

    def cordon_proplet(self, proplet_id: str) -> Any:
        """Give a proplet no more tasks; those that it has go on."""
        return self.request("POST", _path("proplets", proplet_id, "cordon"))

    def uncordon_proplet(self, proplet_id: str) -> Any:
        return self.request("POST", _path("proplets", proplet_id, "uncordon"))

    def drain_proplet(self, proplet_id: str, *, timeout: str = "") -> Any:
        """Cordon a proplet, and run what it has not ended after ``timeout``, a duration, elsewhere."""
        query = {"timeout": timeout} if timeout else None
        return self.request("POST", _path("proplets", proplet_id, "drain"), query=query)

    def proplet_sdf(self, proplet_id: str) -> Any:
        return self.request("GET", _path("proplets", proplet_id, "sdf"))

    def proplet_metrics(self, proplet_id: str, *, offset: int = 0, limit: int = 100) -> Any:
        return self.request("GET", _path("proplets", proplet_id, "metrics"), query=_page(offset, limit))

    def proplet_alive_history(self, proplet_id: str, *, offset: int = 0, limit: int = 100) -> Any:
        query = _page(offset, limit)
        return self.request("GET", _path("proplets", proplet_id, "alive-history"), query=query)

    def events_of(self, kinds: str, record_id: str, *, after: int = 0, limit: int = 100) -> shapes.EventPage:
        """Return a page of the events of one of ``tasks``, ``workflows`` or ``jobs``, the oldest first."""
        query = {"after": str(after), "limit": str(limit)}
        return cast("shapes.EventPage", self.request("GET", _path(kinds, record_id, "events"), query=query))

    def health(self) -> shapes.Health:
        return cast("shapes.Health", self.request("GET", "/health"))

    def follow(
        self,
        *,
        task_id: str = "",
        workflow_id: str = "",
        job_id: str = "",
        after: int | None = None,
        give_up_s: float = _AWAY_S,
        pace: events.Pace | None = None,
        on_break: events.OnBreak | None = None,
    ) -> Iterator[shapes.Event | None]:
        """Yield events from now on; see ``propeller.client.events`` for what None among them means.

        With ``after``, begin behind the event with this id.
        With a ``pace``, a follower who is told to look is told so less and less often until it quickens that.
        ``on_break`` is told of each break of a stream that is to come back.
        """
        only = {"task_id": task_id, "workflow_id": workflow_id, "job_id": job_id}
        chosen = {name: value for name, value in only.items() if value}
        if after is not None:
            chosen["after"] = str(after)
        return events.follow(self._http, chosen, give_up_s=give_up_s, pace=pace, on_break=on_break)
