"""Guests built from source: ``script/guests`` makes them."""

from pathlib import Path

_BUILT = Path(__file__).parent.parent.parent / ".guests"


def guest_path(name: str) -> Path:
    path = _BUILT / f"{name}.wasm"
    assert path.exists(), f"{path.name} is not built; run script/guests"
    return path


def guest(name: str) -> bytes:
    return guest_path(name).read_bytes()
