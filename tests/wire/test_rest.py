import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from propeller.core.causes import by_timer
from propeller.core.effects import Transition
from propeller.core.failures import ErrorKind, Failure
from propeller.core.model import Group, GroupKind, JobMode, Module, Spec, Task
from propeller.core.reasons import Stopped
from propeller.core.states import COMPLETED, TaskState
from propeller.core.timers import TimerOf
from propeller.wire.http.events import event_view
from propeller.wire.http.groups import edges_of, job_summary, workflow_view
from propeller.wire.http.schema import encode
from propeller.wire.http.tasks import NewTask, OwnedFields, TaskChanges, TaskView, task_view
from propeller.wire.rfc3339 import format_time

DIGEST = "ab" * 32


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0, "0001-01-01T00:00:00Z"),
        (1, "1970-01-01T00:00:00.000000001Z"),
        (1_772_377_328_180_655_563, "2026-03-01T15:02:08.180655563Z"),
        (1_772_377_337_485_553_790, "2026-03-01T15:02:17.48555379Z"),
        (1_772_377_337_000_000_000, "2026-03-01T15:02:17Z"),
        (1_772_377_340_000_000_000, "2026-03-01T15:02:20Z"),
        (1_772_377_340_100_000_000, "2026-03-01T15:02:20.1Z"),
    ],
)
def test_times(at, text):
    assert format_time(at) == text


@given(st.integers(1, 253_402_300_799 * 10**9))
def test_times_name_the_moment_they_were_made_from(at):
    text = format_time(at)
    whole, _, fraction = text.removesuffix("Z").partition(".")
    moment = datetime.fromisoformat(whole).replace(tzinfo=UTC)
    seconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    assert seconds * 10**9 + int(fraction.ljust(9, "0")) == at
    assert not fraction.endswith("0")


FULL = Task(
    spec=Spec(
        id="t",
        name="f",
        kind="standard",
        image_url="u",
        module=Module(DIGEST, 10),
        cli_args=("a",),
        inputs=(1, 2.5, "x"),
        env={"A": "b"},
        daemon=True,
        latent=True,
        encrypted=True,
        kbs_resource_path="k",
        pin="pinned",
        depends_on=("s",),
        run_if="failure",
        workflow_id="w",
        job_id="j",
        monitoring_profile={},
        mode="infer",
        schedule="* * * * *",
        is_recurring=True,
        timezone="UTC",
        broadcast=True,
        priority=50,
        metadata={"a": 1},
        hal_storage_path="",
    ),
    seq=1,
    created_at=10**18,
    state=COMPLETED,
    attempt=2,
    proplet_id="p",
    results="",
    failure=Failure("e", ErrorKind.TRAP),
    reason=Stopped(),
    started_at=10**18 + 1,
    finished_at=10**18 + 2,
    updated_at=10**18 + 3,
)
PLAIN = Task(spec=Spec(id="t", name="f"), seq=1, created_at=10**18)
#: ``http-api``, section 1.3, with ``depends_on`` where the tutorial has it, and what is ours at the end.
ORDER = (
    "id name kind state image_url file cli_args inputs env daemon latent encrypted kbs_resource_path depends_on "
    "proplet_id run_if workflow_id job_id results error monitoring_profile start_time finish_time created_at "
    "updated_at mode schedule next_run is_recurring timezone broadcast priority metadata hal_storage_path error_kind "
    "reason attempt pinned_to"
).split()
ALWAYS = (
    "id name state cli_args daemon encrypted start_time finish_time created_at updated_at next_run"
).split()


def shown(task, files=None):
    return json.loads(encode(task_view(task, files)))


def test_a_task_with_everything():
    view = shown(FULL, {DIGEST: "AGFzbQ=="})
    assert list(view) == ORDER
    spec = msgspec.to_builtins(FULL.spec)
    for key in spec.keys() - {"module", "pin"}:
        assert view[key] == (list(spec[key]) if isinstance(spec[key], tuple) else spec[key])
    assert (view["file"], view["proplet_id"], view["results"], view["attempt"]) == ("AGFzbQ==", "p", "", 2)
    assert view["start_time"] == "2001-09-09T01:46:40.000000001Z"


def test_a_task_with_nothing():
    view = shown(PLAIN, {})
    assert list(view) == ALWAYS
    assert view["cli_args"] is None
    assert (
        view["start_time"]
        == view["finish_time"]
        == view["updated_at"]
        == view["next_run"]
        == "0001-01-01T00:00:00Z"
    )


def test_the_pin_is_shown_until_the_task_is_placed():
    task = msgspec.structs.replace(FULL, proplet_id="")
    assert shown(task)["proplet_id"] == "pinned"


def test_large_modules_are_named():
    view = shown(FULL, {})
    at = list(view).index("file_digest")
    assert list(view)[at - 1 : at + 3] == ["image_url", "file_digest", "file_size", "cli_args"]
    assert (view["file_digest"], view["file_size"]) == (f"sha256:{DIGEST}", 10)
    assert not [key for key in shown(FULL, None) if key.startswith("file")]


def test_views_are_what_the_schema_says():
    for task in (FULL, PLAIN):
        assert msgspec.json.decode(encode(task_view(task, {})), type=TaskView).id == "t"


def test_groups():
    group = Group(id="g", kind=GroupKind.JOB, seq=1, created_at=10**18, counts=[0, 0, 0, 1, 0, 1, 0, 0])
    summary = json.loads(encode(job_summary(group, [])))
    shown = ["job_id", "state", "tasks", "start_time", "finish_time", "created_at", "fail_fast", "counts"]
    assert list(summary) == shown
    group.mode = JobMode.PARALLEL
    assert json.loads(encode(job_summary(group, [])))["execution_mode"] == "parallel"
    view = json.loads(encode(workflow_view(group, [], edges_of([FULL]))))
    assert view["counts"] == {s.name.lower(): n for s, n in zip(TaskState, group.counts[:7], strict=True)}
    assert view["edges"] == [{"from": "s", "to": "t"}]


def test_events():
    event = Transition(
        task_id="t",
        name="f",
        state=COMPLETED,
        at=10**18,
        results={"a": [1]},
        workflow_id="w",
        cause=by_timer(TimerOf.DEADLINE),
    )
    text = encode(event_view(event)).decode()
    assert text == (
        '{"task_id":"t","name":"f","state":3,"time":"2001-09-09T01:46:40Z",'
        '"cause":{"kind":"timer","timer":"deadline"},"workflow_id":"w","results":{"a":[1]}}'
    )


def test_every_field_of_a_task_can_be_said_when_it_is_created():
    said = set(NewTask.__struct_fields__) - set(OwnedFields.__struct_fields__) - {"file", "proplet_id"}
    walls = {"timeout", "limits", "grants"}
    fields = {name.removesuffix("_ns") for name in Spec.__struct_fields__}
    ours = {"module", "pin", "sandbox", "copy_of", "copied_before", "run_of", "created_by", "revision"}
    assert said == fields - ours | walls
    assert set(TaskChanges.__struct_fields__) == set(NewTask.__struct_fields__)
