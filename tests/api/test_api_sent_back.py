"""A task's own answer that is sent back: it changes nothing, and makes a task like the first one."""

import msgspec
import pytest

from propeller.core.events import PropletSeen
from propeller.core.sandbox import Offer
from propeller.core.states import COMPLETED
from tests.api.helpers import ADDITION_TEXT, METADATA, play

GO = {"user-agent": "Go-http-client/1.1"}
PLAIN = {"name": "main", "inputs": [1, 2], "file": ADDITION_TEXT}
RICH = {
    **PLAIN,
    "inputs": [1.5, "two", None, 30],
    "env": {"KEY": "value"},
    "cli_args": ["--flag"],
    "priority": 70,
    "metadata": {"team": "ops", "deep": {"n": [1, 2.5, None]}},
    "timeout": "90s",
    "limits": {"memory": "64MiB"},
    "grants": {"random": 7, "clock": False},
    "monitoring_profile": {"interval": 5, "collect_cpu": False},
    "stdin": "aGk=",
    "stdin_encoding": "base64",
    "required_tags": ["edge"],
    "hal_storage_path": "",
}


def bring(site, *proplet_ids):
    for proplet_id in proplet_ids:
        metadata = {**METADATA, "offers": msgspec.to_builtins(Offer())}
        site.manager.tell(PropletSeen(proplet_id=proplet_id, boot=1, slots=2, metadata=metadata))


async def ran(site, given):
    """Run a task, and give its answer."""
    made = await site.post("/tasks", given)
    await site.post(f"/tasks/{made['id']}/start", status=200)
    await site.reached(COMPLETED, made["id"])
    return await site.get(f"/tasks/{made['id']}")


async def asked_for(site, task_id):
    return (await site.manager.store.task(task_id)).spec


@pytest.mark.parametrize(
    "given",
    [PLAIN, RICH, {**PLAIN, "broadcast": True}, {**PLAIN, "proplet_id": "p-1"}, {**PLAIN, "latent": True}],
    ids=["plain", "rich", "broadcast", "pinned", "latent"],
)
@pytest.mark.parametrize("client", [{}, GO], ids=["", "Go"])
def test_it_changes_nothing(tmp_path, given, client):
    async def part(site):
        site.http.headers.update(client)
        bring(site, "p-1")
        answer = await ran(site, given)
        assert answer["proplet_id"] == "p-1"
        before = await asked_for(site, answer["id"])
        again = await site.put(f"/tasks/{answer['id']}", answer)
        assert await asked_for(site, answer["id"]) == before
        assert again == {**answer, "updated_at": again["updated_at"]}

        copy = await site.post("/tasks", {key: value for key, value in answer.items() if key != "id"})
        spec = await asked_for(site, copy["id"])
        if not client:
            assert msgspec.structs.replace(spec, id=before.id) == before
        assert spec.pin == given.get("proplet_id", "")
        assert copy.get("pinned_to") == given.get("proplet_id")

    play(part, tmp_path)


def test_a_pin_is_a_change_also_in_an_answer(tmp_path):
    async def part(site):
        bring(site, "p-1")
        answer = await ran(site, PLAIN)
        pinned = await site.put(f"/tasks/{answer['id']}", {**answer, "proplet_id": "p-7"})
        assert (pinned["proplet_id"], pinned["pinned_to"]) == ("p-1", "p-7")
        await site.put(f"/tasks/{answer['id']}", pinned)
        assert (await asked_for(site, answer["id"])).pin == "p-7"
        copy = await site.post("/tasks", {key: value for key, value in pinned.items() if key != "id"})
        assert (await asked_for(site, copy["id"])).pin == "p-7"

    play(part, tmp_path)


def test_a_pin_to_where_it_runs_is_sent_alone_or_with_zeros(tmp_path):
    """The existing clients send a zero as the time of creation."""

    async def part(site):
        bring(site, "p-1")
        for zeros in ({}, {"state": 0, "created_at": "0001-01-01T00:00:00Z"}):
            answer = await ran(site, PLAIN)
            await site.put(f"/tasks/{answer['id']}", {"proplet_id": "p-1", **zeros})
            assert (await asked_for(site, answer["id"])).pin == "p-1"

    play(part, tmp_path)


def test_an_old_answer_from_another_place_is_refused(tmp_path):
    async def part(site):
        bring(site, "p-1")
        old = await ran(site, PLAIN)
        await site.post("/proplets/p-1/cordon", status=200)
        bring(site, "p-2")
        path = f"/tasks/{old['id']}"
        await site.post(f"{path}/start", status=200)
        moved = {}
        while moved.get("proplet_id") != "p-2" or moved["state"] != int(COMPLETED):
            moved = await site.get(path)
        said = await site.refused("PUT", path, 409, json=old)
        assert said.startswith(f"proplet_id: task {old['id']} has changed since it was read, and p-1 may be ")
        assert (await asked_for(site, old["id"])).pin == ""
        await site.put(path, moved)

    play(part, tmp_path)
