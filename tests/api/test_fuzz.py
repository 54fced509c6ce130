"""The API is driven from its own document: it never fails, answers as documented, and keeps nothing half."""

import asyncio
import itertools
import json
import re
import sys

from propeller.api.app import create_app
from propeller.api.authentication import Authentication
from propeller.manager.keyring import Keyring
from propeller.vault.master_keys import KeySource
from tests.api.helpers import Errors, Site, a_manager, bound_server, ids

#: Not everything that the API refuses can be said in a schema: an unknown dependency, a file name.
BEYOND_SCHEMAS = "positive_data_acceptance"
OPTIONS = [
    *("--exclude-path", "/events"),  # it never ends
    *("--exclude-path", "/ready"),  # its 503 is an answer, and no error
    *("--exclude-checks", BEYOND_SCHEMAS),
    *("--seed", "1"),
    *("--generation-database", "none"),
    *("--request-timeout", "30"),
    *("--warnings", "off"),
    "--no-color",
    "--no-shrink",
]


#: Of the first run, each endpoint by itself; of the second, one after another with what came of the first.
ALONE = ("--phases", "examples,coverage,fuzzing", "--max-examples", "15")
IN_TURN = ("--phases", "stateful", "--max-examples", "150")


#: What is created there belongs to no task.
TO_KNOW = ("tokens", "join-tokens")


class Recorder:
    """Passes requests on to an application and keeps the bodies of all answers with 201.

    Who follows logs goes away at once: most tasks here never end. Most idempotency keys get an end of their own,
    as keys of clients have: the generator tries the simplest again and again, and a used one creates nothing.
    """

    def __init__(self, app):
        self.app = app
        self.created = []
        self._turns = itertools.count()

    async def __call__(self, scope, receive, send):
        status = 0

        async def recording(message):
            nonlocal status
            status = message.get("status", status)
            if (
                status == 201
                and message["type"] == "http.response.body"
                and scope["path"].strip("/") not in TO_KNOW
            ):
                self.created.append(json.loads(message["body"]))
            await send(message)

        async def gone():
            return {"type": "http.disconnect"}

        is_following = scope["path"].endswith("/logs") and b"follow" in scope["query_string"]
        headers = [
            (name, self._fresh(value) if name == b"idempotency-key" else value)
            for name, value in scope["headers"]
        ]
        await self.app({**scope, "headers": headers}, gone if is_following else receive, recording)

    def _fresh(self, key):
        turn = next(self._turns)
        return key + b"-%d" % turn if turn % 4 and 0 < len(key) < 200 else key


async def fuzzed(base_url, directory, *phases):
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{base_url}/openapi.json", *OPTIONS, *phases]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=directory
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()[-10_000:]
    return output.decode()


def test_the_api_is_as_documented(tmp_path):
    recorders = []

    def recorded(app):
        recorders.append(Recorder(app))
        return recorders[0]

    async def scene():
        keyring = Keyring()
        async with (
            a_manager(tmp_path / "data") as manager,
            bound_server(
                Authentication(recorded(create_app(manager, instance_id="i")), keyring=keyring)
            ) as http,
        ):
            await keyring.open(manager.store)
            manager.secrets._key = KeySource(own=tmp_path / "secrets.key")
            site = Site(manager, http)
            site.bring_proplet()
            base_url = str(http.base_url).rstrip("/")
            # Only along the links of the document: those that could be guessed are many, and lead nowhere.
            (tmp_path / "schemathesis.toml").write_text("[phases.stateful.inference]\nalgorithms = []\n")
            await fuzzed(base_url, tmp_path, *ALONE)
            said = await fuzzed(base_url, tmp_path, *IN_TURN)
            assert int(re.search(r"API Links: +(\d+) covered", said)[1]) >= 15, said
            await nothing_is_half(site, recorders[0].created)
            await keyring.close()

    errors = Errors()
    with errors:
        asyncio.run(scene())
    assert errors.records == []


async def nothing_is_half(site, answers):
    """Every task that is there belongs to an answer with 201, and to a group that is there."""
    created = {task["id"] for answer in answers for task in answer.get("tasks", [answer])}
    assert len(created) > 100, "the run created something"
    listed = []
    while page := (await site.get(f"/tasks?file=false&offset={len(listed)}"))["tasks"]:
        listed += page
    assert listed
    assert set(ids(listed)) <= created
    for kind in ("job", "workflow"):
        known = {group[f"{kind}_id"] for group in (await site.get(f"/{kind}s?limit=1000"))[f"{kind}s"]}
        assert known
        assert {task[f"{kind}_id"] for task in listed if f"{kind}_id" in task} <= known
