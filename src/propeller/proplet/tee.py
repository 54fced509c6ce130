"""Finding out whether this proplet is inside a trusted execution environment (TEE).

It is if a file that exists only there can be opened: a program that asks for keys needs evidence from
there. What the processor or the kernel can do says nothing: ``/proc/cpuinfo`` names these abilities on
ordinary machines too, ``/dev/sev`` belongs to a host of such guests, and ``/dev/sgx_enclave`` to any machine
that could make an enclave.
"""

import os
from pathlib import Path

_FILES = {
    "tdx": ("dev/tdx_guest", "dev/tdx-guest"),
    "sev": ("dev/sev-guest",),
    # Offered inside an enclave by the library system that it runs on.
    "sgx": ("dev/attestation/attestation_type",),
}


def found_tee(root: Path = Path("/")) -> str:
    """Name the TEE: ``tdx``, ``sev`` or ``sgx``; ``""`` for none.

    Args:
        root: What is looked at in place of ``/``.

    """
    for name, paths in _FILES.items():
        if any(_can_be_read(root / path) for path in paths):
            return name
    return ""


def _can_be_read(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    os.close(descriptor)
    return not path.is_dir()
