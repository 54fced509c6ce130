"""A store that lost something says so, and names the way out: it never begins with less than was answered."""

import asyncio
import contextlib
import os
import random
import shutil
import sqlite3
import zlib
from pathlib import Path

import msgspec
import pytest

from propeller.core.effects import Changes
from propeller.core.model import GroupKind
from propeller.core.states import COMPLETED, PENDING, RUNNING
from propeller.errors import StoreUnusable
from propeller.store import limits
from propeller.store.port import TaskFilter
from propeller.store.sqlite import soundness, store, upkeep
from propeller.store.sqlite.mark import MarkFile, boot, mark_path, read_mark
from propeller.store.sqlite.opening import FILE_NAME, refuse_damage
from propeller.store.sqlite.store import SqliteStore
from propeller.store.sqlite.wal import read_log
from tests.builders import a_group, a_move, a_task, module_of

PARTS = ("", "-wal", "-mark")
FLIPS = 120
PAGE_BYTES = 4096


async def fill(store):
    """Commit tasks, most of them in a group, that begin and end."""
    module = module_of(b"wasm")
    group = a_group("g", GroupKind.JOB, of=[PENDING] * 40)
    created = [a_task(n, job_id="g", module=module) for n in range(1, 41)]
    await store.commit(Changes(created=created, groups=[group], modules={module: b"wasm"}))
    event = 0
    for state in (RUNNING, COMPLETED):
        for task in created:
            group.counts[task.state] -= 1
            group.counts[state] += 1
            task.state, task.attempt, task.results = state, 1, "r" * 300
            event += 1
            await store.commit(
                Changes(updated=[task], groups=[group], transitions=[a_move(task.id)], first_event_id=event)
            )
    await store.commit(Changes(created=[a_task(n) for n in range(41, 61)]))


async def answered(store):
    """All that was ever said of it: less than that it must not hold."""
    tasks = (await store.tasks(0, 1000, TaskFilter())).items
    by_id = [await store.task(task.id) for task in tasks]
    events = await store.events(0, 1000)
    return (
        [(task.id, task.seq, task.state, task.attempt) for task in tasks],
        [task is not None for task in by_id],
        len(events),
    )


class Made:
    """What a store had answered, and its files then."""

    def __init__(self, directory: Path, expected: object) -> None:
        self.directory = directory
        self.expected = expected

    def copy(self, to: Path) -> Path:
        to.mkdir(exist_ok=True)
        for part in PARTS:
            if (found := self.directory / f"{FILE_NAME}{part}").exists():
                shutil.copy(found, to / found.name)
        return to / FILE_NAME


def make(directory, *, kill):
    async def work():
        store = SqliteStore(directory / "live")
        try:
            await fill(store)
            expected = await answered(store)
            if kill:  # what a killed program leaves is what lies on the disk between two commits
                kept = Made(directory / "live", expected)
                kept.copy(directory / "kept")
                one_more = [a_task(n, metadata={"pad": "y" * 3000}) for n in range(100, 120)]
                await store.commit(Changes(created=one_more))
                kept.copy(directory / "went-on")
        finally:
            await store.close()
        return expected

    expected = asyncio.run(work())
    return Made(directory / ("kept" if kill else "live"), expected)


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Everything is in the log."""
    return make(tmp_path_factory.mktemp("killed"), kill=True)


@pytest.fixture(scope="module")
def half(tmp_path_factory):
    """A part is in the database, a part in the log."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upkeep, "LOG_BYTES", 512 * 1024)
        return make(tmp_path_factory.mktemp("half"), kill=True)


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """The program has ended in order."""
    return make(tmp_path_factory.mktemp("ended"), kill=False)


def pages_in_log(database):
    """Give the numbers of the pages that the log has: each is a frame with its number in front."""
    log = Path(f"{database}-wal")
    frames = log.read_bytes()[32:] if log.exists() else b""
    return {int.from_bytes(frames[at : at + 4]) for at in range(0, len(frames), 24 + PAGE_BYTES)}


def outcome(directory):
    """Open a store: all that it holds, or why it was refused."""

    async def work():
        store = SqliteStore(directory)
        try:
            await store.load()
            return await answered(store)
        finally:
            await store.close()

    try:
        return asyncio.run(work())
    except StoreUnusable as refusal:
        return refusal


def check_refused(database, found, words=""):
    assert isinstance(found, StoreUnusable), found
    assert str(found).startswith(str(database))
    assert "propeller db restore FILE" in str(found)
    assert words in str(found)


def flip(path, rng):
    data = bytearray(path.read_bytes())
    bit = rng.randrange(len(data) * 8)
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)
    return bit


@pytest.mark.parametrize("state", ["killed", "half", "ended"])
def test_undamaged_it_holds_everything(request, state, tmp_path):
    made = request.getfixturevalue(state)
    made.copy(tmp_path)
    assert outcome(tmp_path) == made.expected


def test_a_look_at_everything_is_told_before_it_begins(killed, ended, tmp_path, caplog):
    for made, words in ((ended, ""), (killed, "was not closed in order")):
        caplog.clear()
        database = made.copy(tmp_path / made.directory.parent.name)
        size = sum(
            database.with_name(FILE_NAME + part).stat().st_size for part in PARTS[:2] if made is killed
        )
        outcome(database.parent)
        assert words in caplog.text
        assert bool(caplog.records) == bool(words)
        assert not words or f"{size / 2**20:.1f} MiB" in caplog.text


def test_after_an_orderly_end_it_is_summed_up_once(ended, tmp_path, monkeypatch):
    sums = []
    checksum_of = soundness.checksum_of
    monkeypatch.setattr(soundness, "checksum_of", lambda path: sums.append(path) or checksum_of(path))
    database = ended.copy(tmp_path)
    refuse_damage(database)
    assert sums == [database]


def test_what_the_mark_promises_at_a_start_is_in_the_database(killed, tmp_path, monkeypatch):
    """A log that nobody waited for may be gone after a power cut."""
    database = killed.copy(tmp_path / "data")
    at_the_mark = tmp_path / "cut"

    def mark_file(*words, **more):
        made = MarkFile(*words, **more)
        at_the_mark.mkdir()
        for part in ("", "-mark"):
            shutil.copy(database.with_name(FILE_NAME + part), at_the_mark)
        return made

    monkeypatch.setattr(store, "MarkFile", mark_file)
    assert outcome(database.parent) == killed.expected
    monkeypatch.undo()
    assert outcome(at_the_mark) == killed.expected


@pytest.mark.parametrize(
    ("state", "part"), [("killed", "-wal"), ("half", "-wal"), ("half", ""), ("ended", "")]
)
def test_a_flipped_bit_costs_nothing_unseen(request, state, part, tmp_path):
    made, rng, refused = request.getfixturevalue(state), random.Random(7), 0
    for number in range(FLIPS):
        database = made.copy(tmp_path / str(number))
        bit = flip(database.with_name(FILE_NAME + part), rng)
        found = outcome(database.parent)
        if isinstance(found, StoreUnusable):
            check_refused(database, found)
            refused += 1
        else:
            assert found == made.expected, f"bit {bit}"
        shutil.rmtree(database.parent)
    # In one that was not closed, frames of the log before count for nothing, and one text may become another.
    assert refused > (0 if state == "half" else FLIPS // 2)


def test_after_an_orderly_end_every_flipped_bit_is_seen(ended, tmp_path):
    for number, rng in enumerate([random.Random(11)] * 40):
        database = ended.copy(tmp_path / str(number))
        flip(database, rng)
        check_refused(database, outcome(database.parent))


@pytest.mark.parametrize("state", ["killed", "half", "ended"])
@pytest.mark.parametrize("how", ["gone", "empty"])
def test_a_database_that_is_gone_or_empty(request, state, how, tmp_path):
    database = request.getfixturevalue(state).copy(tmp_path)
    database.unlink()
    if how == "empty":
        database.touch()
    check_refused(database, outcome(tmp_path), {"gone": "is missing", "empty": "is empty"}[how])
    for part in ("-wal", "-mark"):
        assert (tmp_path / (FILE_NAME + part)).exists() or state == "ended", "it was left as it is"


@pytest.mark.parametrize("with_mark", [True, False])
def test_a_log_without_its_database(killed, with_mark, tmp_path):
    database = killed.copy(tmp_path)
    database.unlink()
    if not with_mark:
        mark_path(database).unlink()
    log = (tmp_path / f"{FILE_NAME}-wal").read_bytes()
    check_refused(database, outcome(tmp_path), "is missing")
    assert (tmp_path / f"{FILE_NAME}-wal").read_bytes() == log


@pytest.mark.parametrize("state", ["killed", "half"])
@pytest.mark.parametrize("how", ["gone", "empty"])
def test_a_log_that_is_gone_or_empty(request, state, how, tmp_path):
    database = request.getfixturevalue(state).copy(tmp_path)
    log = tmp_path / f"{FILE_NAME}-wal"
    log.unlink()
    if how == "empty":
        log.touch()
    check_refused(database, outcome(tmp_path), "")


@pytest.mark.parametrize("state", ["killed", "half"])
def test_a_log_that_was_cut(request, state, tmp_path):
    made = request.getfixturevalue(state)
    size = (made.directory / f"{FILE_NAME}-wal").stat().st_size
    for number, share in enumerate((0.1, 0.5, 0.9)):
        database = made.copy(tmp_path / str(number))
        os.truncate(f"{database}-wal", int(size * share))
        found = outcome(database.parent)
        if found != made.expected:  # the end of the file may be of the log before
            check_refused(database, found)


@pytest.mark.parametrize("state", ["half", "ended"])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.7, 0.99])
def test_a_database_that_was_cut(request, state, share, tmp_path):
    made = request.getfixturevalue(state)
    database = made.copy(tmp_path)
    size = database.stat().st_size
    kept = int(size * share)
    os.truncate(database, kept)
    found = outcome(tmp_path)
    if set(range(kept // PAGE_BYTES + 1, size // PAGE_BYTES + 1)) <= pages_in_log(
        made.copy(tmp_path / "again")
    ):
        assert found == made.expected
        return
    check_refused(database, found)
    assert "nothing that was answered is lost" not in str(found).lower()


def test_an_older_database_in_its_place(killed, tmp_path):
    database = killed.copy(tmp_path)
    asyncio.run(_an_older_store(tmp_path / "older"))
    shutil.copy(tmp_path / "older" / FILE_NAME, database)
    Path(f"{database}-wal").unlink()
    check_refused(database, outcome(tmp_path), "holds less than was committed")


async def _an_older_store(directory):
    store = SqliteStore(directory)
    await store.commit(Changes(created=[a_task(1)]))
    await store.close()


def test_what_another_program_has_moved_from_the_log_is_no_loss(killed, tmp_path):
    """As the command line of SQLite does when it is the last to close."""
    database = killed.copy(tmp_path)
    with sqlite3.connect(database) as other:
        other.execute("SELECT COUNT(*) FROM tasks").fetchone()
    other.close()
    assert not Path(f"{database}-wal").exists()
    assert outcome(tmp_path) == killed.expected


def test_what_another_program_has_changed_in_order_is_taken(ended, tmp_path):
    database = ended.copy(tmp_path)
    with sqlite3.connect(database) as other:
        other.execute("VACUUM")
    other.close()
    assert outcome(tmp_path) == ended.expected


# -- power cuts ----------------------------------------------------------------------------------------------


def frames_of(path):
    return (path.stat().st_size - 32) // (24 + 4096)


def test_a_torn_end_that_was_never_answered_is_no_damage(killed, tmp_path):
    """What a power cut leaves of a commit that was under way: good frames may lie behind a bad one."""
    rng = random.Random(3)
    for number in range(12):
        database = killed.copy(tmp_path / str(number))
        mark = read_mark(database)
        for part in ("", "-wal"):
            name = FILE_NAME + part
            shutil.copy(killed.directory.with_name("went-on") / name, database.with_name(name))
        log = Path(f"{database}-wal")
        data = bytearray(log.read_bytes())
        assert frames_of(log) > mark.frames + 10
        for _ in range(3):
            frame = rng.randrange(mark.frames, frames_of(log))
            at = 32 + frame * 4120 + 24
            data[at : at + 512] = bytes(512)
        log.write_bytes(data)
        found = outcome(database.parent)
        assert not isinstance(found, StoreUnusable), found
        assert found[0][:60] == killed.expected[0]


def test_the_first_commit_of_a_log_that_began_anew_may_be_torn(half, tmp_path):
    """Frames of the next log over those of one that is in the database in full, and the old header."""
    database = half.copy(tmp_path)
    with sqlite3.connect(database) as other:
        other.execute("SELECT 1 FROM tasks").fetchone()
        before = Path(f"{database}-wal").read_bytes()
        other.execute("PRAGMA wal_checkpoint(RESTART)")
        other.execute("CREATE TABLE more (x)")
        other.commit()
        after = Path(f"{database}-wal").read_bytes()
        shutil.copy(database, tmp_path / "torn")
    other.close()
    block = 4096
    Path(f"{database}-wal").write_bytes(before[:block] + after[block:])
    shutil.move(tmp_path / "torn", database)
    assert read_log(Path(f"{database}-wal")).is_outdated
    assert outcome(tmp_path) == half.expected


def test_without_the_wait_for_the_disk_a_power_cut_may_take_the_end(killed, tmp_path):
    database = killed.copy(tmp_path)
    text = mark_path(database).read_bytes()
    assert boot().encode() in text
    mark = msgspec.structs.replace(read_mark(database), durability="normal", boot="another")
    body = msgspec.json.encode(mark)
    mark_path(database).write_bytes(f"{zlib.crc32(body):08x} ".encode() + body)
    assert read_mark(database) == mark
    os.truncate(f"{database}-wal", Path(f"{database}-wal").stat().st_size * 2 // 3)
    assert not isinstance(outcome(tmp_path), StoreUnusable)


# -- stores that have no mark --------------------------------------------------------------------------------


def test_a_store_of_an_earlier_version_is_taken(killed, tmp_path):
    database = killed.copy(tmp_path)
    mark_path(database).unlink()
    assert outcome(tmp_path) == killed.expected
    assert read_mark(database) is not None


def test_good_frames_behind_a_bad_one_are_damage_without_a_mark_too(killed, tmp_path):
    database = killed.copy(tmp_path)
    mark_path(database).unlink()
    log = Path(f"{database}-wal")
    data = bytearray(log.read_bytes())
    data[32 + 60 * 4120 + 100] ^= 1
    log.write_bytes(data)
    check_refused(database, outcome(tmp_path), "write-ahead log is damaged after")


def test_a_torn_end_without_a_mark_is_no_damage(killed, tmp_path):
    database = killed.copy(tmp_path)
    mark_path(database).unlink()
    os.truncate(f"{database}-wal", Path(f"{database}-wal").stat().st_size - 1000)
    assert not isinstance(outcome(tmp_path), StoreUnusable)


def test_a_damaged_mark_is_no_reason_to_refuse(killed, tmp_path):
    database = killed.copy(tmp_path)
    mark_path(database).write_bytes(b"\0" * 512)
    assert outcome(tmp_path) == killed.expected


# -- large stores --------------------------------------------------------------------------------------------


def looked_at_beside(directory):
    """Open a store, wait until all of it was looked at, and answer."""

    async def work():
        store = SqliteStore(directory)
        try:
            if store.look is not None:
                await asyncio.to_thread(store.look.wait)
            return await answered(store)
        finally:
            await store.close()

    try:
        return asyncio.run(work())
    except StoreUnusable as refusal:
        return refusal


@pytest.fixture
def _is_large(monkeypatch):
    monkeypatch.setattr(limits, "LOOKED_AT_FIRST_BYTES", 0)


@pytest.mark.usefixtures("_is_large")
def test_a_large_store_is_looked_at_beside_the_work_until_it_is_known_to_be_sound(half, tmp_path, caplog):
    database = half.copy(tmp_path)

    async def end_too_soon():
        await SqliteStore(tmp_path).close()

    asyncio.run(end_too_soon())
    assert "is looked at beside the work" in caplog.text
    assert read_mark(database).checksum is None, "it is looked at again"
    assert looked_at_beside(tmp_path) == half.expected
    assert read_mark(database).checksum is not None
    caplog.clear()
    assert looked_at_beside(tmp_path) == half.expected
    assert not caplog.records


@pytest.mark.usefixtures("_is_large")
def test_damage_in_a_large_store_ends_all_work(half, tmp_path):
    database = half.copy(tmp_path)
    with contextlib.closing(sqlite3.connect(f"file:{half.directory / FILE_NAME}?mode=ro", uri=True)) as db:
        # Neither the start nor a commit reads it.
        sql = "SELECT rootpage FROM sqlite_master WHERE name = 'proplet_samples_of'"
        page = db.execute(sql).fetchone()[0]
    assert page not in pages_in_log(database)
    with database.open("r+b") as file:
        file.seek((page - 1) * PAGE_BYTES)
        file.write(b"\0" * 100)

    async def work():
        store = SqliteStore(tmp_path)
        try:
            await asyncio.to_thread(store.look.wait)
            for what in (store.commit(Changes(created=[a_task(999)])), store.task("t1")):
                with pytest.raises(StoreUnusable) as refusal:
                    await what
                check_refused(database, refusal.value, "is damaged")
        finally:
            await store.close()

    asyncio.run(work())
    assert read_mark(database).checksum is None


@pytest.mark.usefixtures("_is_large")
def test_what_a_crash_can_damage_in_a_large_store_is_seen_before_the_start(killed, tmp_path):
    database = killed.copy(tmp_path)
    os.truncate(f"{database}-wal", Path(f"{database}-wal").stat().st_size // 2)
    with pytest.raises(StoreUnusable, match="can't be read in full"):
        SqliteStore(tmp_path)
