"""A newer version takes the place of an older one, one manager after the other, while work goes on."""

import shutil
from pathlib import Path

import propeller
from tests.e2e.managers.harness import LOGGING
from tests.waiting import until

#: What the newer version adds to the database.
MIGRATION = "-- oldest: 1\nALTER TABLE proplets ADD COLUMN nickname text NOT NULL DEFAULT '';\n"
NEWER = "99.0.0"


def newer_version(directory: Path) -> Path:
    """Copy the package, with another version and one more migration, to where Python finds it first."""
    source = Path(propeller.__file__).parent
    copy = directory / "newer" / "propeller"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
    text = (copy / "__init__.py").read_text()
    (copy / "__init__.py").write_text(text.replace(propeller.__version__, NEWER))
    migrations = copy / "store" / "postgres" / "migrations"
    (migrations / f"{len(list(migrations.glob('*.sql'))) + 1:04}_nickname.sql").write_text(MIGRATION)
    return copy.parent


def test_old_and_new_version_run_side_by_side_and_work_goes_on(make_several, tmp_path):
    newer = str(newer_version(tmp_path))
    with make_several(tmp_path / "several") as several:
        several.begin("a", "b")
        first, last = several.others()[0], several.leader()
        task = {"name": "log", "file": LOGGING, "workflow_id": "long"}
        tasks = [
            {**task, "id": f"long-{n}", "inputs": [n, 100_000_000], "depends_on": [f"long-{n - 1}"] * (n > 1)}
            for n in range(1, 101)
        ]
        last.http.post("/workflows", json={"tasks": tasks}).raise_for_status()
        last.http.post("/workflows/long/start").raise_for_status()
        for one in (first, last):
            done_before = len(several.logged())
            assert one.program.stop() == 0
            until(lambda done=done_before: len(several.logged()) > done)  # the other one goes on
            newly = several.start(one.name, PYTHONPATH=newer)
            assert newly.http.get("/health").json()["version"] == NEWER
        assert (
            several.server.sql("SELECT count(*) FROM proplets WHERE nickname = ''", several.database) == "1"
        )
        until(lambda: len(several.logged()) >= 100)
        until(lambda: several.leader().http.get("/tasks/long-100").json()["state"] == 3)
        assert several.logged() == list(range(1, 101))
