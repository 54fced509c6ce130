"""The number of a proxy's start, on disk: it grows also where the clock was set back."""

import time
from pathlib import Path

from propeller import private
from propeller.errors import StoreUnusable

_FILE = "start"


def next_start(directory: Path) -> int:
    """Number this start by the clock, but in any case above the last one; raise ``StoreUnusable``."""
    file = directory / _FILE
    try:
        private.make_directory(directory)
        before = int(file.read_text()) if file.exists() else 0
        start = max(before + 1, time.time_ns())
        draft = file.with_suffix(".new")
        private.make_file(draft)
        draft.write_text(str(start))
        draft.replace(file)
    except (OSError, ValueError) as error:
        raise StoreUnusable(
            f"{file}: can't be used: {error}; delete it, or choose another directory"
        ) from error
    return start
