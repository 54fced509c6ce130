"""Propeller runs WebAssembly tasks, workflows and jobs, on one machine or on a fleet."""

import sys

#: It stands here, so that it does not depend on the name of the distribution; ``pyproject.toml`` reads it.
__version__ = "0.1.0"

# httpx would load a command line of its own, which draws with pygments: a quarter of the time that a command
# takes, and 6 MiB of each proplet.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None forbids the import
