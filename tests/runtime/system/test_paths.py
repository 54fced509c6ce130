"""Paths that change while they are walked."""

import os
from collections import Counter

from propeller.runtime.system.paths import open_below, place_of
from tests.runtime.helpers import swapping


def test_a_directory_that_becomes_a_link_meanwhile_leads_nowhere(tmp_path):
    """Another process swaps what the path goes through, over and over; what lies outside is never read."""
    box, outside = tmp_path / "box", tmp_path / "outside"
    for directory, text in ((box / "a" / "b", "inside"), (outside / "b", "outside")):
        directory.mkdir(parents=True)
        (directory / "file").write_text(text)
    (box / "link").symlink_to(outside)
    base = os.open(box, os.O_RDONLY | os.O_DIRECTORY)
    seen = Counter[str]()
    with swapping(box / "a", box / "link"):
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
    os.close(base)
    assert set(seen) == {"inside", "refused"}


def test_a_directory_is_opened_inside_or_not_at_all(tmp_path):
    box, outside = tmp_path / "box", tmp_path / "outside"
    for directory in (box / "a" / "b", outside / "b"):
        directory.mkdir(parents=True)
    (box / "link").symlink_to("../outside")
    inside = (box / "a" / "b").stat().st_ino
    seen = Counter[str]()
    with swapping(box / "a", box / "link"):
        while min(seen["inside"], seen["refused"]) < 3000:
            try:
                directory = open_below(str(box), "a/b")
            except OSError:
                seen["refused"] += 1
            else:
                seen["inside" if os.fstat(directory).st_ino == inside else "outside"] += 1
                os.close(directory)
    assert set(seen) == {"inside", "refused"}
