"""PostgreSQL keeps of samples, invocations, logs and what ended what SQLite keeps of them."""

from unittest import mock

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from propeller.core.effects import Changes
from propeller.core.model import Execution, GroupKind, Module, Proplet, SubWorkflow
from propeller.core.states import COMPLETED, RUNNING
from propeller.store import limits
from propeller.store.port import Invocation, LogFilter, LogPiece, PaceStep, Sample, SampleOf
from tests.builders import TEXT, a_group, a_spec, a_task
from tests.store.same.both import compare, together

#: Small, so that short histories reach them. How many samples of all are kept goes by their ids, which SQLite
#: uses again where the last ones were deleted.
SMALL = {
    "SAMPLES_OF_ONE": 3,
    "SAMPLES_EXPIRED_MAX": 4,
    "SAMPLES_KEPT_NS": 100,
    "INVOCATIONS_OF_ONE": 2,
    "LOG_STREAM_BYTES_KEPT": 200,
    "LOG_ATTEMPTS_KEPT": 2,
    "LOG_BYTES_KEPT": 2500,
    "FORGET_LOG_PIECES": 2,
    "FORGET_PIECE_S": 60.0,
}
#: Of no group, of a job that has ended, of one that has not, and a broadcast.
TASKS = {"t1": "", "t2": "ended", "t3": "ended", "t4": "live", "t5": ""}
LAST_ATTEMPT = 5
PROPLETS = ("p-1", "ü")
STREAMS = ("stdout", "stderr")
DIGESTS = ("in-t1", "inside-t2", "of-nobody")

texts = st.sampled_from(
    ["", "x", "a\nb\n", "\n", "no end", "€" * 20, TEXT, "half: \ud800", "y" * 190]
) | st.text(max_size=9)
owners = st.sampled_from([*TASKS, *PROPLETS, "ghost"])
samples = st.builds(Sample, st.sampled_from(SampleOf), owners, st.sampled_from(["{}", TEXT, "1"]))
pieces = st.builds(
    LogPiece,
    task_id=owners,
    proplet_id=st.sampled_from(PROPLETS),
    attempt=st.integers(0, LAST_ATTEMPT + 1),
    stream=st.sampled_from(STREAMS),
    offset=st.integers(0, 5),
    text=texts,
    is_cut=st.booleans(),
    at=st.integers(0, 9),
)
steps = st.builds(PaceStep, *[st.integers(0, 2**62)] * len(PaceStep._fields))


@st.composite
def invocations(draw):
    """Make a batch of invocations that begin, end, or both."""
    numbers = draw(st.lists(st.integers(0, 9), max_size=6))
    return [
        Invocation(
            f"t{number % 6}",
            f"i{number}",
            f'{{"n": {place}, "f": 1.50, "t": "\\u0000é"}}',
            draw(st.booleans()),
        )
        for place, number in enumerate(numbers)
    ]


operations = st.one_of(
    st.tuples(st.just("samples"), st.lists(samples, max_size=6), st.integers(0, 250)),
    st.tuples(st.just("invocations"), invocations()),
    st.tuples(st.just("close"), st.sampled_from(["it ended", TEXT])),
    st.tuples(st.just("logs"), st.lists(pieces, max_size=8)),
    st.tuples(st.just("pace"), st.lists(steps, max_size=3), st.integers(1, 4)),
    st.tuples(st.just("delete"), st.sampled_from(list(TASKS))),
    st.tuples(st.just("again"), st.sampled_from(list(TASKS))),
    st.tuples(st.just("forget"), st.just(0)),
    st.tuples(st.just("modules"), st.just(0)),
)


def made(task_id, seq, attempt=LAST_ATTEMPT):
    group_id = TASKS[task_id]
    state = RUNNING if group_id == "live" else COMPLETED
    task = a_task(seq, task_id=task_id, job_id=group_id, state=state, attempt=attempt, updated_at=10)
    inside = SubWorkflow(specs=(a_spec("x", module=Module("inside-t2", 4)),))
    kinds = {"t1": {"module": Module("in-t1", 4)}, "t2": {"workflow": inside}, "t5": {"broadcast": True}}
    task.spec = msgspec.structs.replace(task.spec, **kinds.get(task_id, {}))
    return task


def first_commit():
    tasks = {task_id: made(task_id, seq) for seq, task_id in enumerate(TASKS, start=1)}
    groups = [
        a_group("ended", GroupKind.JOB, 1, of=[COMPLETED] * 2, finished_at=10),
        a_group("live", GroupKind.JOB, 2, of=[RUNNING]),
    ]
    return Changes(
        created=list(tasks.values()),
        groups=groups,
        proplets=[Proplet(id=name, name="Ada") for name in PROPLETS],
        executions=[
            (tasks["t5"], Execution(proplet_id=name, attempt=attempt))
            for name, attempt in zip(PROPLETS, (1, 5), strict=True)
        ],
        modules={Module(digest, 4): b"wasm" for digest in DIGESTS},
    )


class History:
    """Does operations with a store, and remembers which tasks there are."""

    def __init__(self, store):
        self._store = store
        self._seqs = {task_id: seq for seq, task_id in enumerate(TASKS, start=1)}
        self._last = len(TASKS)

    async def do(self, name, *values):
        store = self._store
        match name:
            case "samples":
                await store.write_samples(*values)
            case "invocations":
                await store.write_invocations(*values)
            case "close":
                await store.close_invocations(*values)
            case "logs":
                await store.write_logs(*values)
            case "pace":
                await store.write_pace(*values)
            case "delete":
                await self._delete(*values)
            case "again":
                await self._create(*values)
            case "forget":
                assert not await store.forget(await store.find_ended(1000), 1000)
            case "modules":
                await store.forget_unused_modules()

    async def _delete(self, task_id):
        if await self._store.task(task_id) is not None:
            task = made(task_id, self._seqs[task_id])
            await self._store.commit(Changes(deleted=[task], past_attempts={task_id: task.attempt}))

    async def _create(self, task_id):
        if not TASKS[task_id] and await self._store.task(task_id) is None:
            self._last += 1
            self._seqs[task_id] = self._last
            await self._store.commit(Changes(created=[made(task_id, self._last, LAST_ATTEMPT + 2)]))


async def logs_behind(store, only, place, limit):
    """Read logs without their ids, behind so many pieces."""
    ids = [0, *(number for number, _ in (await store.logs(only, 0, 1000)).items)]
    found = await store.logs(only, ids[min(place, len(ids) - 1)], limit)
    return found.total, [piece for _, piece in found.items]


async def last_lines(store, only, lines):
    tail = await store.tail_of_logs(only, lines)
    return "".join(piece.text for _, piece in (await store.logs(only, tail.after, 1000)).items)[tail.chars :]


async def all_that_is_kept(store):
    for owner in (*TASKS, *PROPLETS, "ghost"):
        for offset, limit in ((0, 9), (1, 1), (2**63 - 1, 1), (0, 0)):
            for of in SampleOf:
                yield (of, owner, offset, limit), await store.samples(of, owner, offset, limit)
            yield ("invocations", owner, offset, limit), await store.invocations(owner, offset, limit)
        for stream in ("", *STREAMS):
            yield ("last", owner, stream), await store.last_log_attempt(owner, stream)
            for first, last in ((0, 2**63 - 1), (2, 4)):
                only = LogFilter(owner, stream, first, last)
                for place, limit in ((0, 100), (2, 2)):
                    yield (only, place, limit), await logs_behind(store, only, place, limit)
                for lines in (0, 1, 2, 5):
                    yield (only, lines), await last_lines(store, only, lines)
    yield "pace", await store.pace()
    yield "ended", await store.find_ended(2**62)
    yield "tasks", [await store.task(task_id) for task_id in TASKS]
    yield "modules", await store.modules(DIGESTS)
    for digest in (*DIGESTS, "none"):
        for start, size in ((0, 99), (1, 2), (4, 1), (9, 9), (2**40, 9)):
            yield (digest, start, size), await store.module_part(digest, start, size)


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(history=st.lists(operations, max_size=12))
def test_what_is_kept_after_any_history(stores, history):
    async def work(store):
        await store.commit(first_commit())
        does = History(store)
        for operation in history:
            await does.do(*operation)
        return await together(all_that_is_kept(store))

    with mock.patch.multiple(limits, **SMALL):
        compare(stores.answers(work))
