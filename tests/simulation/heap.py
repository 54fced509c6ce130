"""What the garbage collector has to do with simulated worlds: little, as each is thrown away as a whole."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

#: It looks for garbage after so many new objects, and not after 700: a world has some 15,000 at its end.
_OBJECTS = 10_000


@contextmanager
def looked_at_seldom() -> Iterator[None]:
    """Let it look seldom, and through what is there by now, all modules, never: that is a sixth of the time."""
    before, is_outer = gc.get_threshold(), not gc.get_freeze_count()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        if is_outer:
            gc.unfreeze()
