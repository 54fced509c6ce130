"""Putting the parts together: from settings to running programs, each until SIGINT or SIGTERM."""

from propeller.assembly.fetching import fetch_once
from propeller.assembly.manager_parts import ManagerParts, parts_of, running_manager
from propeller.assembly.programs import manager, proplet, proxy, up

__all__ = ["ManagerParts", "fetch_once", "manager", "parts_of", "proplet", "proxy", "running_manager", "up"]
