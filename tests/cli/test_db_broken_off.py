"""`propeller db` that is broken off: nothing half-done stays."""

import asyncio
import resource
import signal
import subprocess
import sys

import pytest

from propeller.core.effects import Changes
from propeller.store.sqlite.store import SqliteStore
from tests.builders import a_task
from tests.waiting import until

#: So many that a copy takes about a second.
TASKS = 20_000


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    directory = tmp_path_factory.mktemp("data")

    async def fill():
        store = SqliteStore(directory, durability="normal")
        await store.commit(Changes(created=[a_task(n, metadata={"pad": "x" * 50}) for n in range(1, TASKS)]))
        await store.close()

    asyncio.run(fill())
    return directory


def heed_interrupts():
    """Undo what a shell does to commands in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def begin(*words, file_bytes_max=resource.RLIM_INFINITY):
    """Run a command; a limit on the size of files stands for a full disk."""

    def prepare():
        heed_interrupts()
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes_max, resource.RLIM_INFINITY))

    return subprocess.Popen(
        [sys.executable, "-m", "propeller", "db", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=prepare,  # noqa: PLW1509  this test has no threads
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("verb", ["copy", "backup", "restore"])
def test_what_is_broken_off_leaves_nothing(data, tmp_path, verb, number):
    target = tmp_path / "new"
    if verb == "copy":
        words, draft = (data, target), ".restore-*/propeller.db"
    elif verb == "backup":
        target.mkdir()
        words, draft = (target / "copy.db", "--data-dir", data), ".copy.db.draft"
    else:
        words, draft = (data / "propeller.db", "--data-dir", target), ".restore-*/propeller.db"
    with begin(verb, *words) as program:
        until(lambda: [*target.glob(draft)] or program.poll() is not None)
        program.send_signal(number)
        said = program.communicate(timeout=60)[0]
    assert program.returncode == 128 + number, said
    assert "Traceback" not in said
    assert [path.name for path in target.iterdir() if path.name != "lock"] == []


@pytest.mark.parametrize("verb", ["backup", "restore"])
def test_a_backup_goes_through_no_stream(data, verb):
    with begin(verb, "-", "--data-dir", data) as program:
        said = program.communicate(timeout=60)[0]
    assert program.returncode == 1
    assert "-: a backup is written and read as a file; name one" in said


def test_a_link_that_leads_nowhere_is_not_replaced(data, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    with begin("backup", link, "--data-dir", data) as program:
        said = program.communicate(timeout=60)[0]
    assert program.returncode == 1
    assert f"{link} is there already; name a new file" in said
    assert link.is_symlink()


@pytest.mark.parametrize("verb", ["copy", "backup", "restore"])
def test_a_full_disk_is_said_and_nothing_half_done_is_left(data, tmp_path, verb):
    target = tmp_path / "new"
    target.mkdir()
    words = {
        "copy": (data, target),
        "backup": (target / "copy.db", "--data-dir", data),
        "restore": (data / "propeller.db", "--data-dir", target),
    }
    with begin(verb, *words[verb], file_bytes_max=300_000) as program:
        said = program.communicate(timeout=60)[0]
    assert program.returncode == 1
    assert f"error: {target}" in said
    assert "free space" in said or "File too large" in said
    assert [path.name for path in target.iterdir() if path.name != "lock"] == []


def test_a_full_directory_for_drafts_is_named(data):
    place = "postgresql://u@127.0.0.1:1/d"
    with begin("restore", data / "propeller.db", "--database", place, file_bytes_max=300_000) as program:
        said = program.communicate(timeout=60)[0]
    assert program.returncode == 1
    assert "Traceback" not in said
    assert "propeller-restore-" in said
    assert "can't be used: File too large" in said
