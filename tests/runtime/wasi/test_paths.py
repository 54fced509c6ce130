"""Paths that change while they are walked."""

import contextlib
import os
import threading

from propeller.runtime.wasi.paths import place_of


def test_a_directory_that_becomes_a_link_meanwhile_leads_nowhere(tmp_path):
    """Another process swaps what the path goes through, over and over; what lies outside is never read."""
    box, outside = tmp_path / "box", tmp_path / "outside"
    for directory, text in ((box / "a" / "b", "inside"), (outside / "b", "outside")):
        directory.mkdir(parents=True)
        (directory / "file").write_text(text)
        (directory / "other").write_text(text)
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
    read = set()
    try:
        for number in range(3000):
            with (
                contextlib.suppress(OSError),
                place_of(base, f"a/b/{('file', 'other')[number % 2]}", follow=True) as place,
                os.fdopen(os.open(place.name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=place.directory)) as file,
            ):
                read.add(file.read())
    finally:
        is_over.set()
        swapper.join()
        os.close(base)
    assert read == {"inside"}
