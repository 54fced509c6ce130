"""Guests built from source: ``script/guests`` makes them."""

import functools
import shutil
from hashlib import sha256
from pathlib import Path

_ROOT = Path(__file__).parent.parent.parent
_BUILT = _ROOT / ".guests"


def guest_path(name: str) -> Path:
    path = _BUILT / f"{name}.wasm"
    assert path.exists(), f"{path.name} is not built; run script/guests"
    return path


def guest(name: str) -> bytes:
    return guest_path(name).read_bytes()


def share_compiled(directory: Path) -> Path:
    """Give pools of this directory the modules and the compiled code of all that share: large ones take 15 s each."""
    for name in ("modules", "compiled"):
        (directory / name).symlink_to(shared() / name)
    return directory


@functools.cache
def shared() -> Path:
    """Give a directory of modules and compiled code; it is empty where the code of the runtime has changed."""
    code = sha256()
    for path in sorted((_ROOT / "src" / "propeller" / "runtime").rglob("*.py")):
        code.update(path.read_bytes())
    made = _BUILT / "shared" / code.hexdigest()
    for name in ("modules", "compiled"):
        (made / name).mkdir(parents=True, exist_ok=True)
    for other in made.parent.iterdir():
        if other != made:
            shutil.rmtree(other, ignore_errors=True)
    return made
