"""Propeller runs WebAssembly tasks, workflows and jobs, on one machine or on a fleet."""

#: It stands here, so that it does not depend on the name of the distribution; ``pyproject.toml`` reads it.
__version__ = "0.1.0"
