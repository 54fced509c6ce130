"""What a machine may not give, as few containers do: a test that needs it is skipped there, and only there.

Each asks the machine itself, not the part that will use it: a part that is broken fails its tests.
"""

import fcntl
import functools
import os
import pty
import struct
import subprocess
import tempfile

import pytest

from tests.parts.programs import path_of

TUNSETIFF = 0x400454CA
IFF_TUN_NO_PI = 0x1001

BROWSER_FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
)


def need_networks() -> None:
    """Networks beside that of the machine: namespaces, and devices between them."""
    _skip("make networks of its own", _why_no_networks())


def need_terminals() -> None:
    _skip("make terminals", _why_no_terminals())


def need_browser() -> None:
    """Start Chromium, which wants more of a machine than most programs."""
    _skip("run a browser", _why_no_browser())


def _skip(what: str, why: str) -> None:
    if why:
        pytest.skip(f"this machine can't {what}: {why}")


@functools.cache
def _why_no_networks() -> str:
    # What `ip netns exec` does: the mounts are for a view of /sys that fits the network.
    done = subprocess.run(
        ["unshare", "--net", "--mount", "true"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        return done.stderr.strip()
    try:
        device = os.open("/dev/net/tun", os.O_RDWR)
    except OSError as error:
        return str(error)
    try:
        # The kernel finds a number that is free.
        fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"ptp%d", IFF_TUN_NO_PI))
    except OSError as error:
        return f"/dev/net/tun: {error}"
    finally:
        os.close(device)
    return ""


def _why_no_terminals() -> str:
    try:
        ends = pty.openpty()
    except OSError as error:
        return str(error)
    for end in ends:
        os.close(end)
    return ""


@functools.cache
def _why_no_browser() -> str:
    """Say what Chromium says itself: what it asks of a machine changes with each of its versions."""
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(
            [
                path_of("chromium"),
                *BROWSER_FLAGS,
                f"--user-data-dir={directory}",
                "--dump-dom",
                "about:blank",
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    if done.returncode == 0 and "<html>" in done.stdout:
        return ""
    return next(iter(done.stderr.strip().splitlines()[-1:]), f"chromium ends with {done.returncode}")
