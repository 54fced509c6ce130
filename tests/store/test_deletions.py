"""Notices of what was deleted: each fits into a notice of the database, and nothing is lost."""

from propeller.core.effects import Changes
from propeller.core.model import GroupKind
from propeller.store.deletions import notices, read_notice
from propeller.store.port import Gone, Record
from tests.builders import a_group, a_task


def told(changes):
    texts = list(notices(changes))
    assert all(len(text.encode()) < 8000 for text in texts)
    return [gone for text in texts for gone in read_notice(text)]


def test_what_can_not_be_seen_in_the_store_is_named():
    changes = Changes(
        deleted=[
            a_task(1),
            a_task(2, workflow_id="stays"),
            a_task(3, job_id="stays"),
            a_task(4, workflow_id="goes"),
        ],
        deleted_groups=[a_group("goes"), a_group("gone", GroupKind.JOB)],
    )
    assert set(told(changes)) == {
        Gone(Record("workflow", "goes")),
        Gone(Record("job", "gone")),
        Gone(Record("task", "t1")),
        Gone(Record("task", "t2"), Record("workflow", "stays")),
        Gone(Record("task", "t3"), Record("job", "stays")),
    }


def test_long_ids_and_many_tasks_fit():
    long = "\U0001f680" * 255
    tasks = [a_task(n, task_id=f"{n}{long[:-5]}", workflow_id=long) for n in range(20)]
    found = told(Changes(deleted=tasks))
    assert found == [Gone(Record("task", task.id), Record("workflow", long)) for task in tasks]


def test_a_commit_that_deletes_nothing_tells_nothing():
    assert told(Changes(created=[a_task(1)])) == []
