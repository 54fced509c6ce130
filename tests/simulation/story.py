"""The story of one task, told from the world's log."""

from .world import DAWN, MS, World

#: So many lines are told: how it began, and more of how it ended.
FIRST, LAST = 40, 110
LINES_MAX = FIRST + LAST


def story(world: World, task_id: str) -> str:
    """Tell what happened to a task, and when managers and proplets came and went."""
    lines = [
        f"{(at - DAWN) / MS:12.3f} ms  {who:8s} {what}"
        for at, who, what, about in world.log
        if task_id in about or (not about and _is_for_all(what))
    ]
    if not task_id:
        lines = [
            f"{(at - DAWN) / MS:12.3f} ms  {who:8s} {what} {' '.join(about)}"
            for at, who, what, about in world.log
        ]
    left_out = len(lines) - LINES_MAX
    if left_out > 0:
        lines[FIRST:-LAST] = [f"({left_out} lines left out)"]
    return "\n".join(lines)


def _is_for_all(what: str) -> bool:
    return what.startswith(("starts", "crashes", "leaves", "ends", "had its commit", "The"))
