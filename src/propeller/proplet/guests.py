"""Which runtime a proplet's guests run in: the embedded one, or a program that its owner has named."""

from pathlib import Path

from propeller.proplet.agent import Agent
from propeller.proplet.walls import Walls
from propeller.runtime.external import ExternalRuntime
from propeller.runtime.pool import Pool


def guests_of(
    program: str | None, directory: Path, *, size: int, walls: Walls, agent: Agent
) -> Pool | ExternalRuntime:
    """Make what runs guests for an agent; ``program`` as ``find_program`` gives it."""
    if program is None:
        agent.guests = pool = Pool(
            directory,
            size=size,
            limits=walls.limits,
            on_ended=agent.guests_ended,
            on_printed=agent.guests_printed,
            on_up=agent.guests_up,
        )
        return pool
    agent.guests = external = ExternalRuntime(
        program, directory, size=size, limits=walls.limits, on_ended=agent.guests_ended
    )
    return external
