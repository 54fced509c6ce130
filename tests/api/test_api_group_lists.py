"""What workflows and jobs are found by, and how their lists are paged."""

from propeller.core.states import COMPLETED
from tests.api.helpers import ADDITION_TEXT, ids, play

TASK = {"name": "f", "file": ADDITION_TEXT, "inputs": [1]}
KINDS = (("workflows", "workflow_id"), ("jobs", "job_id"))


async def _make(site, kind, key, group_id, **fields):
    await site.post(f"/{kind}", {"tasks": [{**TASK, key: group_id}], **fields})


def test_what_a_user_says_of_the_whole_is_read_back(tmp_path):
    async def part(site):
        given = {"labels": {"team": "ops", "a key": ""}, "max_parallel": 3}
        for kind, key in KINDS:
            await _make(site, kind, key, f"{kind}-1", fail_fast=True, **given)
            await _make(site, kind, key, f"{kind}-2")
            shown = [await site.get(f"/{kind}/{kind}-1"), await site.get(f"/{kind}/{kind}-1?tasks=false")]
            shown.append((await site.get(f"/{kind}?label=team"))[kind][0])
            for one in shown:
                assert {name: one[name] for name in given} == given
            assert (shown[1]["fail_fast"], shown[2]["fail_fast"]) == (True, True)
            plain = await site.get(f"/{kind}/{kind}-2?tasks=false")
            assert not {"labels", "max_parallel"} & plain.keys()
            assert plain.get("fail_fast") is (None if kind == "workflows" else True)

    play(part, tmp_path)


def test_a_workflow_that_runs_one_task_at_once_says_what_the_others_wait_for(tmp_path):
    async def part(site):
        site.bring_proplet()
        site.is_slow = True
        await site.post(
            "/workflows",
            {"tasks": [{**TASK, "id": name, "workflow_id": "w"} for name in "ab"], "max_parallel": 1},
        )
        await site.post("/workflows/w/start", status=200)
        start = await site.started_one("a")
        assert (await site.get("/tasks/b"))["reason"] == "waits for its workflow, which runs one task at once"
        site.end(start)
        await site.started_one("b")

    play(part, tmp_path)


def test_wrong_definitions_are_refused(tmp_path):
    async def part(site):
        for fields, said in (
            ({"labels": {"": "x"}}, "labels: '' is no key; one has 1 to 63 characters, no = and no control"),
            ({"labels": {"a=b": "x"}}, "labels: 'a=b' is no key"),
            ({"labels": {"k" * 64: "x"}}, "is no key"),
            ({"labels": {"k": "x" * 256}}, "labels.k: it is longer than 255 characters"),
            (
                {"labels": {str(number): "" for number in range(65)}},
                "labels: 65 are too many; give at most 64",
            ),
            ({"labels": {"k": 1}}, "expected string"),
            ({"max_parallel": 0}, "max_parallel: 0 is out of range; give 1 to 1000000, or leave it out"),
            ({"max_parallel": "two"}, "max_parallel: expected integer"),
            ({"max_paralel": 2}, "max_paralel: there is no such field; did you mean max_parallel?"),
        ):
            for kind, _ in KINDS:
                body = {"tasks": [TASK], **fields}
                assert said in await site.refused("POST", f"/{kind}", 400, json=body), fields
        body = {"tasks": [TASK], "execution_mode": "sequential", "max_parallel": 2}
        refused = await site.refused("POST", "/jobs", 400, json=body)
        assert "max_parallel: a sequential job runs one task at a time" in refused

    play(part, tmp_path)


def test_groups_are_found_by_what_they_are(tmp_path):
    async def part(site):
        site.bring_proplet()
        for kind, key in KINDS:
            await _make(site, kind, key, f"{kind}-1", name="one", labels={"team": "ops", "env": "prod"})
            await _make(site, kind, key, f"{kind}-2", name="two", labels={"team": "dev"})
            await site.post(f"/{kind}/{kind}-1/start", status=200)
            await site.reached(COMPLETED, (await site.get(f"/tasks?{key}={kind}-1"))["tasks"][0]["id"])
            since = (await site.get(f"/{kind}/{kind}-2?tasks=false"))["created_at"]
            for query, wanted in (
                ("label=team", ["2", "1"]),
                ("label=team=ops", ["1"]),
                ("label=team&label=env=prod", ["1"]),
                ("label=team=ops=x", []),
                ("state=completed", ["1"]),
                ("status=pending&state=pending", ["2"]),
                ("ended=true", ["1"]),
                ("ended=false", ["2"]),
                (f"since={since}", ["2"]),
                (f"until={since}", ["1"]),
                ("search=TW", ["2"]),
                ("search=o", ["2", "1"]),
                (f"search={kind.upper()}-1&label=team", ["1"]),
                ("search=-1", []),
                ("search=", ["2", "1"]),
                ("name=two&label=team&until=2999-01-01T00:00:00Z", ["2"]),
            ):
                page = await site.get(f"/{kind}?{query}")
                found = [one.removeprefix(f"{kind}-") for one in ids(page[kind], key)]
                assert (found, page["total"]) == (wanted, len(wanted)), query

    play(part, tmp_path)


def test_a_list_is_paged_by_cursor(tmp_path):
    async def part(site):
        for kind, key in KINDS:
            for number in range(5):
                await _make(site, kind, key, f"{kind}-{number}", labels={"k": "v"})
            path = f"/{kind}?limit=2&label=k"
            page = await site.get(path)
            seen = ids(page[kind], key)
            while "next_cursor" in page:
                await _make(site, kind, key, f"{kind}-new-{len(seen)}", labels={"k": "v"})
                page = await site.get(f"{path}&cursor={page['next_cursor']}")
                seen += ids(page[kind], key)
            assert seen == [f"{kind}-{number}" for number in (4, 3, 2, 1, 0)]
            assert "next_cursor" not in await site.get(f"/{kind}?limit=0")

    play(part, tmp_path)


def test_wrong_questions_are_refused(tmp_path):
    async def part(site):
        for query, said in (
            ("cursor=x", "cursor: it is none; give the next_cursor of the page before"),
            ("cursor=WzEwMDAwMDAwMDAwMDAwMDAwMDAwMDAwLCJhIl0", "cursor: it is none"),
            ("cursor=WzEsImEiXQ&offset=1", "cursor, offset: both say where the page begins"),
            ("label==x", "label: '=x' has no key; write key=value, or key for any value"),
            ("status=failed&state=pending", "status, state: they say the same, and differ"),
            ("state=bad", 'status: invalid workflow status "bad"'),
            ("ended=perhaps", 'ended: "perhaps" is neither true nor false'),
            ("until=noon", "until: 'noon' is no time"),
            ("&".join(["label=a"] * 65), "label: 65 are too many"),
        ):
            assert said in await site.refused("GET", f"/workflows?{query}", 400), query

    play(part, tmp_path)


def test_a_list_shows_the_earlier_runs_of_each_name(tmp_path):
    async def part(site):
        site.bring_proplet()
        name = '<b>"nightly"\x00</b>'
        for kind, key in KINDS:
            for number in range(4):
                group_id = f"{kind}-{number}"
                await _make(site, kind, key, group_id, name=name)
                if number < 2:
                    await site.post(f"/{kind}/{group_id}/start", status=200)
                    task = (await site.get(f"/{kind}/{group_id}"))["tasks"][0]
                    await site.reached(COMPLETED, task["id"])
            await _make(site, kind, key, f"{kind}-unnamed")
            unnamed, *shown = (await site.get(f"/{kind}?earlier=2"))[kind]
            assert unnamed["earlier"] == []
            assert [ids(one["earlier"]) for one in shown] == [
                [f"{kind}-2", f"{kind}-1"],
                [f"{kind}-1", f"{kind}-0"],
                [f"{kind}-0"],
                [],
            ]
            waits, ended = shown[0]["earlier"]
            assert waits == {"id": f"{kind}-2", "state": 0}
            assert (ended["state"], list(ended)) == (COMPLETED, ["id", "state", "duration"])
            assert 0 <= ended["duration"] < 60
            for query in ("", "?earlier=0"):
                assert not any("earlier" in one for one in (await site.get(f"/{kind}{query}"))[kind])
            cursor = (await site.get(f"/{kind}?limit=2"))["next_cursor"]
            (one,) = (await site.get(f"/{kind}?limit=1&cursor={cursor}&earlier=50"))[kind]
            assert ids(one["earlier"]) == [f"{kind}-1", f"{kind}-0"]
            assert await site.refused("GET", f"/{kind}?earlier=51", 400) == (
                "earlier: 51 are too many; give 0 to 50"
            )
            assert "invalid earlier" in await site.refused("GET", f"/{kind}?earlier=x", 400)

    play(part, tmp_path)
