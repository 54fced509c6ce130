"""Looks at all of a large store beside the work, after a program that was not closed in order.

A crash, and a power cut on a disk that keeps its word, can damage only what was not yet on the disk: that is
in the log, whose checksums are compared before the start, as is what the mark promises. Anything else would
be the fault of the disk or of another program, which a store that is open does not notice either. To find
that takes a look at every page and record: of a small store before the start (``opening``), and of a large
one by a program of its own, as long as it may take. If it finds something, nothing is read or written any
more. Until it has found nothing, the store does not count as closed in order, so that the next start looks
again.
"""

import contextlib
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

from propeller.errors import StoreUnusable
from propeller.store.sqlite import soundness
from propeller.store.sqlite.mark import MarkFile
from propeller.store.sqlite.opening import read_only

_log = logging.getLogger(__name__)

#: After how many steps of SQLite's machine the program looks whether the manager is still there.
_STEPS = 100_000


class Look:
    """A look at a database that goes on until it is over or stopped."""

    def __init__(self, database: Path, mark: MarkFile) -> None:
        """Begin it; the database is not trusted before it is over."""
        #: The words that follow the name of the database; ``""`` as long as no damage is known.
        self.damage = ""
        self.database = database
        self._mark = mark
        mark.is_trusted = False
        command = [sys.executable, "-m", __name__, str(database), str(os.getpid())]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self._thread = threading.Thread(target=self._wait, name="store-look", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait until it is over."""
        self._thread.join()

    def stop(self) -> None:
        self._process.kill()
        self._thread.join()

    def _wait(self) -> None:
        problem, _ = self._process.communicate()
        if problem:
            _log.error("%s %s", self.database, problem)
            self.damage = problem
        elif self._process.returncode == 0:
            _log.info("%s: all of it was looked at, and nothing is wrong with it", self.database)
            self._mark.is_trusted = True


def refuse_if_damaged(look: Look | None) -> None:
    """Raise ``StoreUnusable`` if a look has found damage."""
    if look is not None and look.damage:
        raise StoreUnusable(
            f"{look.database} {look.damage}. Stop the manager, and put a backup in its place: propeller db "
            f"restore FILE; to go on with what can be read of it: propeller db restore {look.database}"
        )


def main() -> None:
    """Print what is wrong with a database, or nothing."""
    database, manager = Path(sys.argv[1]), int(sys.argv[2])
    os.nice(19)
    with contextlib.closing(read_only(database)) as db:
        db.set_progress_handler(lambda: os.getppid() != manager, _STEPS)
        problem = soundness.damage_in_pieces(db)
    if os.getppid() != manager:
        sys.exit(1)
    sys.stdout.write(problem)


if __name__ == "__main__":
    main()
