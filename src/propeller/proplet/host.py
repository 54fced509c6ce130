"""The description of a proplet and its machine that a hello has (``mqtt``, section 4.1)."""

import os
import platform
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

import propeller


class SelfDescription(msgspec.Struct, frozen=True, kw_only=True):
    """The facts that the owner of a proplet lets it send about itself."""

    description: str = ""
    tags: Sequence[str] = ()
    location: str = ""
    #: Whether to tell of the machine: its system, processor and memory.
    collect_system_info: bool = True


def describe(given: SelfDescription, *, wasm_runtime: str = "") -> dict[str, Any]:
    """Describe this machine; what was not given or found out is left out, as the contract does.

    ``wasm_runtime`` is the external one, as its owner has named it; empty for the embedded one.
    """
    said = {"description": given.description, "tags": list(given.tags), "location": given.location}
    metadata: dict[str, Any] = {key: value for key, value in said.items() if value}
    if given.collect_system_info:
        metadata |= {
            "ip": _address(),
            "environment": "docker" if Path("/.dockerenv").exists() else "binary",
            "os": platform.system().lower(),
            "hostname": platform.node(),
            "cpu_arch": platform.machine(),
            "total_memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        }
        if not metadata["ip"]:
            del metadata["ip"]
    else:
        metadata |= {"environment": "", "os": "", "cpu_arch": "", "total_memory_bytes": 0}
    return {
        **metadata,
        "proplet_version": propeller.__version__,
        "wasm_runtime": wasm_runtime or "wasmtime-internal",
    }


def _address() -> str:
    """Find the address that this machine talks to others with; nothing is sent for that."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # a documentation address: only the route is looked up
        except OSError:
            return ""
        return str(probe.getsockname()[0])
