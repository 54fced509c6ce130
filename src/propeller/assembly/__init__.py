"""Where the parts are put together: from settings to running programs, each until SIGINT or SIGTERM."""

from propeller.assembly.fetching import fetch_once
from propeller.assembly.programs import manager, proplet, proxy, up
from propeller.assembly.site import Site, running_manager

__all__ = ["Site", "fetch_once", "manager", "proplet", "proxy", "running_manager", "up"]
