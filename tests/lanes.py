"""``python -m tests.lanes --guests FILE``: run all tests in parts, a few parts at once.

Each lane takes the next part off one list, so that all lanes end at about the same time. What a part printed is
shown once it has ended.
"""

import argparse
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path

TESTS = Path(__file__).parent
#: First what only computes, while the guests are built that all others need; then the longest.
COMPUTING = ["simulation", "store"]
LONGEST = "e2e/fleet e2e/local bench e2e/managers runtime page cli api storm docs compat".split()
#: Of two cores: whole fleets mostly wait.
LANES = 3


def parts() -> list[list[str]]:
    """Give all tests as lists of paths: large folders by themselves, the others as one part."""
    large = [*COMPUTING, *LONGEST]
    files = [path.relative_to(TESTS) for path in TESTS.rglob("test_*.py")]
    folders = {(file.parent if file.parent.parts else file).as_posix() for file in files}
    rest = sorted(one for one in folders if not any(f"{one}/".startswith(f"{name}/") for name in large))
    return [*([name] for name in large), rest]


class Lanes:
    def __init__(self, guests: Path) -> None:
        self._guests = guests
        self._parts = deque(parts())
        self._lock = threading.Lock()
        self.failed: list[str] = []

    def work(self) -> None:
        """Run parts until none is left."""
        while True:
            with self._lock:
                if not self._parts:
                    return
                part = self._parts.popleft()
            while part[0] not in COMPUTING and not self._guests.exists():
                time.sleep(0.5)
            self._run(part)

    def _run(self, part: list[str]) -> None:
        nice = ["nice"] if part[0] in COMPUTING else []
        began = time.monotonic()
        done = subprocess.run(
            [*nice, ".venv/bin/pytest", *(f"tests/{name}" for name in part)],
            cwd=TESTS.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        with self._lock:
            print(f"\n== {' '.join(part)}: {time.monotonic() - began:.0f} s\n{done.stdout}", flush=True)
            if done.returncode:
                self.failed += part


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.lanes", description=__doc__)
    parser.add_argument(
        "--guests", type=Path, required=True, help="a file that is there once the guests are built"
    )
    lanes = Lanes(parser.parse_args().guests)
    threads = [threading.Thread(target=lanes.work) for _ in range(LANES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"failed: {', '.join(lanes.failed)}" if lanes.failed else "all passed")
    return bool(lanes.failed)


if __name__ == "__main__":
    sys.exit(main())
