"""Propeller runs WebAssembly tasks, workflows and jobs, on one machine or on a fleet."""

from importlib.metadata import version

__version__ = version("propeller")
