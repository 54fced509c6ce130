"""What ``docs/workflows.md`` says of requests that come twice, against a manager."""

import itertools
import json
import re
import shlex
from pathlib import Path

from tests.api.helpers import play

from propeller.core.states import COMPLETED

PAGE = (Path(__file__).parents[2] / "docs" / "workflows.md").read_text().split("\n## Submitting twice\n")[1]
COMMANDS = re.findall(r"```sh\ncurl (.*?)```", PAGE.split("\n## ")[0], re.DOTALL)


def sent_by(command, **ids):
    """Read a command as curl does: the path, the headers and the body."""
    words = shlex.split(command.replace("\\\n", " "))
    headers = dict(after.split(": ") for word, after in itertools.pairwise(words) if word == "-H")
    (body,) = [after for word, after in itertools.pairwise(words) if word == "-d"] or [""]
    (url,) = (word for word in words if word.startswith("localhost:7070"))
    return {
        "url": url.removeprefix("localhost:7070").replace("ID", ids.get("id", "")),
        "headers": headers,
        "content": body,
    }


def test_the_examples_can_be_sent_twice(tmp_path):
    create, start = COMMANDS

    async def part(site):
        first, again = [await site.http.post(**sent_by(create)) for _ in range(2)]
        assert first.status_code == 201
        assert again.content == first.content
        assert again.headers["Idempotent-Replayed"] == "true"
        changed = sent_by(create)
        changed["content"] = json.dumps({**json.loads(changed["content"]), "name": "other"})
        assert (await site.http.post(**changed)).status_code == 422
        assert (await site.get("/workflows"))["total"] == 1
        (task,) = first.json()["tasks"]
        workflow_id, first_task = task["workflow_id"], task["id"]
        site.bring_proplet()
        first, again = [await site.http.post(**sent_by(start, id=workflow_id)) for _ in range(2)]
        assert first.json() == again.json() == {"workflow_id": workflow_id, "message": "workflow started"}
        assert again.headers["Idempotent-Replayed"] == "true"
        await site.reached(COMPLETED, first_task)
        assert len(site.started) == 1

    play(part, tmp_path)
