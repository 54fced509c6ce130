"""Makes a workflow of many tasks in a data directory: ``python -m bench.many DIRECTORY ID COUNT LIVE``.

Half of the tasks follow one that nobody starts, each has one that follows it, and those are summed up. So a
page is measured with what is neither flat nor all alike. Besides, there are tasks that follow none, to be
started one by one: ``ID-live-0`` and so on.
"""

import sys
from pathlib import Path

import msgspec

from bench.system import MODULE, create_group, manager, run_loop
from propeller.core.model import Spec

_SUMMED = 50


def main() -> None:
    directory, workflow, count, live = sys.argv[1:]
    run_loop(_create(Path(directory), workflow, tasks_of(workflow, int(count), int(live))))


async def _create(directory: Path, workflow: str, specs: list[Spec]) -> None:
    async with manager(directory) as running:
        await create_group(running, workflow, specs)


def tasks_of(workflow: str, count: int, live: int) -> list[Spec]:
    """Give `count` tasks in all, of which at least `live` follow none."""
    root = Spec(id=f"{workflow}-split", name="main", inputs=(1, 1), module=MODULE, workflow_id=workflow)

    def follow(name: str, *parents: str) -> Spec:
        depends_on = tuple(f"{workflow}-{parent}" for parent in parents)
        return msgspec.structs.replace(root, id=f"{workflow}-{name}", depends_on=depends_on)

    pairs = max(1, (count - live - 2) * _SUMMED // (2 * _SUMMED + 1))
    specs = [root]
    specs += [follow(f"map-{number}", "split") for number in range(pairs)]
    specs += [follow(f"check-{number}", f"map-{number}") for number in range(pairs)]
    sums = range(0, pairs, _SUMMED)
    specs += [
        follow(f"sum-{start}", *(f"check-{number}" for number in range(start, min(start + _SUMMED, pairs))))
        for start in sums
    ]
    specs.append(follow("end", *(f"sum-{start}" for start in sums)))
    return [*specs, *(follow(f"live-{number}") for number in range(count - len(specs)))]


if __name__ == "__main__":
    main()
