"""Paths that change while they are walked."""

import contextlib
import os
import threading
from collections import Counter

from propeller.runtime.wasi.paths import place_of


def test_a_directory_that_becomes_a_link_meanwhile_leads_nowhere(tmp_path):
    """Another process swaps what the path goes through, over and over; what lies outside is never read."""
    box, outside = tmp_path / "box", tmp_path / "outside"
    for directory, text in ((box / "a" / "b", "inside"), (outside / "b", "outside")):
        directory.mkdir(parents=True)
        (directory / "file").write_text(text)
    (box / "link").symlink_to(outside)
    is_over = threading.Event()

    def swap(one, other):
        with contextlib.suppress(FileNotFoundError):
            one.rename(box / "aside")
            other.rename(one)
            (box / "aside").rename(other)

    def keep_swapping():
        while not is_over.is_set():
            swap(box / "a", box / "link")

    base = os.open(box, os.O_RDONLY | os.O_DIRECTORY)
    swapper = threading.Thread(target=keep_swapping)
    swapper.start()
    seen = Counter[str]()
    try:
        while min(seen["inside"], seen["refused"]) < 1000:
            try:
                with (
                    place_of(base, "a/b/file", follow=True) as place,
                    os.fdopen(
                        os.open(place.name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=place.directory)
                    ) as file,
                ):
                    seen[file.read()] += 1
            except OSError:
                seen["refused"] += 1
    finally:
        is_over.set()
        swapper.join()
        os.close(base)
    assert set(seen) == {"inside", "refused"}
