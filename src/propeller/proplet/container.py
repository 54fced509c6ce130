"""Memory limit and use of the container around this process, by control groups of versions 1 and 2."""

from pathlib import Path
from typing import NamedTuple

#: Version 1 has no word for "no limit", only a very large one.
_NO_LIMIT = 1 << 60


class ContainerMemory(NamedTuple):
    usage_bytes: int
    limit_bytes: int


def container_memory(root: Path = Path("/")) -> ContainerMemory | None:
    """Read the tightest limit that this process is under; None where there is none."""
    found = [memory for memory in map(_memory_of, _groups(root)) if memory is not None]
    return min(found, key=lambda memory: memory.limit_bytes, default=None)


def _groups(root: Path) -> list[Path]:
    """Directories of the group of this process and of all around it."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # another system than Linux
        return []
    groups: list[Path] = []
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0":
            top = root / "sys/fs/cgroup"
        elif "memory" in controllers.split(","):
            top = root / "sys/fs/cgroup/memory"
        else:
            continue
        # Inside a container the path may be that of the host; what is mounted here begins lower then.
        parts = [part for part in path.split("/") if part not in ("", "..")]
        groups += [top.joinpath(*parts[:count]) for count in range(len(parts) + 1)]
    return groups


def _memory_of(group: Path) -> ContainerMemory | None:
    for limit, usage in (
        ("memory.max", "memory.current"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        try:
            limit_bytes = int((group / limit).read_text())
            if 0 < limit_bytes < _NO_LIMIT:
                return ContainerMemory(int((group / usage).read_text()), limit_bytes)
        except (OSError, ValueError):  # there is none, or it says "max"
            continue
    return None
