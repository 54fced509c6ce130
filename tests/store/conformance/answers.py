"""All that a store can be asked, with the answers in a form in which those of two stores can be compared."""

import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from propeller.core.model import GroupKind
from propeller.core.states import FAILED, PENDING, RUNNING
from propeller.store.port import (
    EventFilter,
    Graph,
    GroupFilter,
    Label,
    LogFilter,
    Record,
    Records,
    SampleOf,
    Sought,
    TaskFilter,
)
from tests.builders import TEXT, module_of, stored
from tests.store.conformance.courses import GROUPS, KEYS, MODULES, NAMES, PROPLETS, SECRETS, TASKS

Ask = Callable[[Any], Awaitable[Any]]

RECORDS = [Record("task", name) for name in TASKS] + [
    Record(str(kind), name) for name, kind in GROUPS.items()
]
TASK_FILTERS = [
    TaskFilter(),
    *(TaskFilter(state=state) for state in (PENDING, RUNNING, FAILED)),
    TaskFilter(workflow_id="w1"),
    TaskFilter(job_id="j1"),
    *(TaskFilter(name=name) for name in NAMES if name),
    TaskFilter(metadata={"team": TEXT}),
    TaskFilter(metadata={"on": "true"}),
    TaskFilter(id_prefix="t1", since=1_000_000),
]
GROUP_FILTERS = [
    GroupFilter(),
    GroupFilter(RUNNING),
    GroupFilter(has_ended=True),
    GroupFilter(name=TEXT),
    GroupFilter(text="RÖ"),
    GroupFilter(labels=(Label("team"),)),
    GroupFilter(labels=(Label("", ""), Label("team", "ops"))),
    GroupFilter(since=1_000_000, until=9_000_000),
]


async def all_of(store: Any, operations: Iterable[str]) -> dict[str, Any]:
    """Ask a store all of it that it can be asked, and give the answers by question."""
    found = {}
    for name in sorted(set(operations) & set(QUESTIONS)):
        for number, ask in enumerate(QUESTIONS[name]):
            found[f"{name} {number}"] = await ask(store)
    return found


def tasks(found: Iterable[Any]) -> list[Any]:
    return [(stored(task), [stored(one) for one in task.executions.values()]) for task in found]


def _by_seq(found: Iterable[Any]) -> list[Any]:
    return sorted(found, key=lambda record: record.seq)


def _records(found: Records) -> Any:
    return [stored(group) for group in found.groups], tasks(found.tasks)


async def _load(store: Any) -> Any:
    found = await store.load()
    live = Records(_by_seq(found.live.groups), _by_seq(found.live.tasks))
    return _records(live), [stored(one) for one in found.proplets], found[2:]


async def _find(store: Any) -> Any:
    answers = []
    for task_ids, group_ids in ((TASKS[:5], ["w1"]), (TASKS[5:], list(GROUPS)), ([], [])):
        found = await store.find(task_ids, group_ids, KEYS)
        of_these = Records(_by_seq(found.groups), _by_seq(found.tasks))
        answers.append((_records(of_these), dict(found.past_attempts), dict(found.remembered)))
    return answers


def _pages(only: TaskFilter, *, newest_first: bool) -> Ask:
    async def ask(store: Any) -> Any:
        pages = [await store.tasks(at, 5, only, newest_first=newest_first) for at in (0, 5)]
        assert await store.count_tasks(only) in (None, pages[0].total)  # not every store has each count
        return [(page.total, tasks(page.items)) for page in pages]

    return ask


def _search(sought: Sought, *, newest_first: bool) -> Ask:
    async def ask(store: Any) -> Any:
        found, after = [], None
        while True:
            page = await store.search_tasks(sought, 3, newest_first=newest_first, after=after)
            found += page.tasks
            if (after := page.next) is None:
                return tasks(found)

    return ask


def _groups(kind: GroupKind, only: GroupFilter) -> Ask:
    async def ask(store: Any) -> Any:
        answers, after = [], None
        while True:
            page = await store.groups(kind, 0, 1, only, tasks_max=4, after=after, earlier=2)
            earlier = {name: json.loads(text) for name, text in page.earlier.items()}
            answers.append((page.total, _records(page.records), earlier))
            if (after := page.next) is None:
                return answers

    return ask


def _group(name: str, kind: GroupKind) -> Ask:
    async def ask(store: Any) -> Any:
        found = await store.group(kind, name, tasks_max=100)
        if found is None:
            return None
        (group,) = found.groups
        portion = await store.tasks_of_group(group, 0, 2)
        graph = await store.graph(kind, name)
        return _records(found), tasks(portion), _graph(graph)

    return ask


def _graph(graph: Graph) -> Any:
    """Read a graph; the order of its proplets says nothing."""
    proplets = [*json.loads(graph.proplets), ""]
    columns = {name: json.loads(text) for name, text in graph.tasks.items()}
    columns["proplets"] = [proplets[place] for place in columns["proplets"]]
    edges = json.loads(graph.edges)
    attempts = [
        sorted([*row[:3], proplets[row[3]], *row[4:]] for row in json.loads(text))
        for text in (graph.past_attempts, graph.executions)
    ]
    return graph.event_id, graph.mode, columns, sorted(zip(edges[::2], edges[1::2], strict=True)), attempts


def _of_each(names: Iterable[str], ask_one: Callable[[Any, str], Awaitable[Any]]) -> Ask:
    async def ask(store: Any) -> Any:
        return {name: await ask_one(store, name) for name in names}

    return ask


async def _task(store: Any, name: str) -> Any:
    found = await store.task(name)
    return None if found is None else stored(found)  # its executions are asked for by themselves


async def _executions(store: Any, name: str) -> Any:
    return [stored(one) for one in await store.executions(name)]


async def _attempts(store: Any, name: str) -> Any:
    return [stored(one) for one in await store.attempts(name)]


async def _logs(store: Any, name: str) -> Any:
    pages = [await store.logs(LogFilter(name, stream), 0, 100) for stream in ("", "stdout")]
    tail = await store.tail_of_logs(LogFilter(name), 2)
    behind = await store.logs(LogFilter(name), tail.after, 100)
    last = [await store.last_log_attempt(name, stream) for stream in ("", "stderr")]
    # Their ids are each store's own.
    return [[(page.total, [piece for _, piece in page.items]) for page in (*pages, behind)], tail.chars, last]


async def _events_of(store: Any, only: EventFilter) -> Any:
    found, after = [], 0
    while True:
        page = await store.events_of(only, after, 4)
        found += page.events
        if not page.has_more:
            return found, page.first_id, page.is_complete
        after = page.next_after


async def _totals(store: Any) -> Any:
    found = await store.totals()
    return found.tasks, {
        (kind, state): n for kind, of in found.groups.items() for state, n in of.items() if n
    }


async def _failures(store: Any) -> Any:
    found = await store.failures(1_000_000, 9)
    return found.total, tasks(found.items)


async def _ended(store: Any) -> Any:
    found = await store.find_ended(20_000_000)
    return sorted(found.groups), sorted(found.tasks)


async def _modules(store: Any) -> Any:
    digests = [module_of(data).digest for data in MODULES]
    return await store.modules([*digests, "none"]), [await store.module_part(one, 2, 3) for one in digests]


async def _belonging(store: Any) -> Any:
    return {record: await store.belonging(record) for record in RECORDS}


async def _tasks_of(store: Any) -> Any:
    return tasks(_by_seq(await store.tasks_of([*TASKS, "none"])))


#: By the operation that a store needs for it.
QUESTIONS: dict[str, list[Ask]] = {
    "load": [_load],
    "find": [_find],
    "key": [_of_each(KEYS, lambda store, name: store.key(name))],
    "tasks_of": [_tasks_of],
    "missing": [lambda store: store.missing(RECORDS)],
    "belonging": [_belonging],
    "task": [_of_each(TASKS, _task)],
    "tasks": [_pages(only, newest_first=is_) for only in TASK_FILTERS for is_ in (False, True)],
    "search_tasks": [
        _search(Sought(only, text, proplet_id), newest_first=is_)
        for only in TASK_FILTERS[:5]
        for text, proplet_id in (("", "ü"), ("MAIN", ""), ("t1", ""))
        for is_ in (False, True)
    ],
    "totals": [_totals],
    "failures": [_failures],
    "executions": [_of_each(TASKS, _executions)],
    "attempts": [_of_each(TASKS, _attempts)],
    "group": [_group(name, kind) for name, kind in GROUPS.items()],
    "groups": [_groups(kind, only) for kind in GroupKind for only in GROUP_FILTERS],
    "modules": [_modules],
    "last_event_id": [lambda store: store.last_event_id()],
    "events": [lambda store: store.events(0, 1000), lambda store: store.events(3, 2)],
    "events_of": [
        _of_each(TASKS, lambda store, name: _events_of(store, EventFilter(task_id=name))),
        _of_each(["w1", "w2"], lambda store, name: _events_of(store, EventFilter(workflow_id=name))),
        _of_each(["j1"], lambda store, name: _events_of(store, EventFilter(job_id=name))),
    ],
    "samples": [
        _of_each(TASKS, lambda store, name: store.samples(SampleOf.TASK, name, 0, 9)),
        _of_each(PROPLETS, lambda store, name: store.samples(SampleOf.PROPLET, name, 1, 9)),
    ],
    "pace": [lambda store: store.pace()],
    "invocations": [_of_each(TASKS, lambda store, name: store.invocations(name, 0, 9))],
    "logs": [_of_each(TASKS, _logs)],
    "find_ended": [_ended],
    "secrets": [lambda store: store.secrets()],
    "secret_versions": [_of_each(SECRETS, lambda store, name: store.secret_versions("default", name))],
    "secret_uses": [_of_each(SECRETS, lambda store, name: store.secret_uses("default", name, 0, 9))],
}
