"""Commands in a namespace: of what they create, and of what they list and look for by name."""

import json

import httpx
import pytest

from propeller.client.api import Client

WORKFLOW = "name: spaced\n{namespace}module: addition.wat\ntasks:\n- {{id: a, name: main, inputs: [1, 2]}}\n"


@pytest.fixture
def listed(shell):
    def listed(kind, *flags):
        return json.loads(shell(kind, "list", *flags, "--all", "--json").stdout)[kind]

    return listed


def test_what_is_created_and_listed_is_of_the_namespace_that_is_said(shell, listed, monkeypatch):
    created = json.loads(shell("tasks", "create", "spaced", "--namespace", "cli-one", "--json").stdout)
    assert created["namespace"] == "cli-one"
    assert "namespace  cli-one" in shell("tasks", "view", created["id"]).stdout
    assert [task["id"] for task in listed("tasks", "--namespace", "cli-one")] == [created["id"]]
    assert listed("tasks", "--namespace", "cli-two") == []
    assert listed("tasks", "--namespace", "cli-one", "--created-by", "nobody") == []

    monkeypatch.setitem(shell.env, "PROPELLER_NAMESPACE", "cli-one")
    assert [task["id"] for task in listed("tasks")] == [created["id"]]
    # The flag overrides the variable.
    assert listed("tasks", "--namespace", "cli-two") == []


def test_a_file_says_where_its_workflow_belongs(shell, listed):
    path = shell.work / "spaced.yaml"
    path.write_text(WORKFLOW.format(namespace="namespace: cli-file\n"))
    assert shell("workflows", "run", "spaced.yaml").returncode == 0
    (workflow,) = listed("workflows", "--namespace", "cli-file")
    assert (workflow["name"], workflow["namespace"]) == ("spaced", "cli-file")
    assert "namespace cli-file" in shell("workflows", "view", workflow["workflow_id"]).stdout

    # A name is looked for there, too.
    assert shell("workflows", "view", "spaced", "--namespace", "cli-file").returncode == 0
    refused = shell("workflows", "view", "spaced", "--namespace", "cli-two")
    assert (refused.returncode, "there is no workflow spaced" in refused.stderr) == (1, True)

    clash = shell("workflows", "run", "spaced.yaml", "--namespace", "cli-one")
    assert "namespace: the body says cli-file, and the query cli-one" in clash.stderr
    path.write_text(WORKFLOW.format(namespace="namespace: Not-One\n"))
    wrong = shell("workflows", "run", "spaced.yaml")
    assert "namespace: 'Not-One' is no name of a namespace" in wrong.stderr


def test_a_request_about_one_thing_is_sent_as_it_is():
    asked = []

    def answer(request):
        asked.append(f"{request.method} {request.url.raw_path.decode()}")
        return httpx.Response(200, json={})

    with Client("http://m/base", namespace="team", transport=httpx.MockTransport(answer)) as client:
        client.create_task({"name": "f"})
        client.tasks(only={"job_id": "j"})
        client.workflows()
        client.task("t")
        client.health()
    assert asked == [
        "POST /base/tasks?file=false&namespace=team",
        "GET /base/tasks?file=false&offset=0&limit=100&job_id=j",
        "GET /base/workflows?offset=0&limit=100&namespace=team",
        "GET /base/tasks/t?file=false",
        "GET /base/health",
    ]
