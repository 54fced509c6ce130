"""Modules that come piece by piece: what is asked for next, and what becomes of damaged ones."""

import base64
import hashlib

from propeller.proplet.downloads import PIECES, Arrived, Downloads, Known, Missing
from propeller.wire.fleet.modules import ModuleChunk

S = 1_000_000_000
DATA = bytes(range(256)) * 10
DIGEST = hashlib.sha256(DATA).hexdigest()
SOURCE = f"sha256:{DIGEST}"
IMAGE = "acme/sum:v1"


def cut(total: int, source: str = SOURCE, digest: str = DIGEST) -> list[ModuleChunk]:
    size = -(-len(DATA) // total)
    return [
        ModuleChunk(
            app_name=source,
            chunk_idx=index,
            total_chunks=total,
            data=base64.b64encode(DATA[index * size : (index + 1) * size]).decode(),
            digest=f"sha256:{digest}",
        )
        for index in range(total)
    ]


def asked(requests) -> list[tuple[int, int]]:
    return [(request.first, request.count) for request in requests]


def test_pieces_are_asked_for_a_few_at_a_time():
    downloads = Downloads("p")
    (request,) = downloads.begin(SOURCE, 0)
    assert (request.app_name, request.proplet_id, request.first, request.count) == (SOURCE, "p", 0, PIECES)
    assert downloads.begin(SOURCE, 0) == [], "it is on its way"
    chunks = cut(20)
    for chunk in chunks[: PIECES - 1]:
        assert downloads.take(chunk, 1) == ([], None)
    requests, _ = downloads.take(chunks[PIECES - 1], 1)
    assert asked(requests) == [(PIECES, PIECES)]
    news = [downloads.take(chunk, 1)[1] for chunk in chunks[PIECES:]]
    assert news[-1] == Arrived(SOURCE, DATA)


def test_what_did_not_come_is_asked_for_again_from_the_first_gap():
    downloads = Downloads("p")
    downloads.begin(SOURCE, 0)
    chunks = cut(6)
    for index in (0, 1, 3):
        downloads.take(chunks[index], 1 * S)
    assert downloads.time_passed(5 * S) == ([], [])
    requests, news = downloads.time_passed(6 * S)
    assert (asked(requests), news) == ([(2, PIECES)], [])
    for index in (2, 4):
        downloads.take(chunks[index], 7 * S)
    assert downloads.take(chunks[5], 7 * S)[1] == Arrived(SOURCE, DATA)


def test_a_module_of_the_manager_is_waited_for_however_long_it_takes():
    downloads = Downloads("p")
    downloads.begin(SOURCE, 0)
    requests, news = downloads.time_passed(10_000 * S)
    assert (asked(requests), news) == ([(0, PIECES)], [])


def test_an_image_is_first_asked_what_it_is_and_given_up_in_the_end():
    downloads = Downloads("p")
    assert asked(downloads.begin(IMAGE, 0)) == [(0, 0)]
    announced = ModuleChunk(app_name=IMAGE, chunk_idx=0, total_chunks=2, data="", digest=SOURCE)
    assert downloads.take(announced, 1) == ([], Known(IMAGE, DIGEST))
    assert asked(downloads.fetch(IMAGE)) == [(0, PIECES)]
    _, (missing,) = downloads.time_passed(61 * S)
    assert missing.source == IMAGE
    assert "is one running on this channel?" in missing.why


def test_a_proxy_that_sends_all_at_once_without_a_digest_will_do():
    downloads = Downloads("p")
    downloads.begin(IMAGE, 0)
    one, two = cut(2, IMAGE)
    for chunk in (one, two):
        chunk.digest = ""
    assert downloads.take(two, 1) == ([], None)
    assert downloads.take(one, 1) == ([], Arrived(IMAGE, DATA))


def test_an_image_that_changed_meanwhile_is_begun_anew():
    downloads = Downloads("p")
    downloads.begin(IMAGE, 0)
    downloads.take(cut(2, IMAGE, digest="0" * 64)[0], 1)
    one, two = cut(2, IMAGE)
    downloads.take(two, 1)
    assert downloads.take(one, 1)[1] == Arrived(IMAGE, DATA)


def test_other_bytes_than_the_digest_says_are_refused():
    downloads = Downloads("p")
    downloads.begin(SOURCE, 0)
    (chunk,) = cut(1)
    chunk.data = base64.b64encode(b"other bytes").decode()
    assert downloads.take(chunk, 1)[1] == Missing(SOURCE, f"module {SOURCE} arrived damaged")
    assert asked(downloads.begin(SOURCE, 2)) == [(0, PIECES)], "it may be asked for again"


def test_that_there_is_none_is_passed_on_with_the_reason():
    downloads = Downloads("p")
    downloads.begin(IMAGE, 0)
    none = ModuleChunk(app_name=IMAGE, chunk_idx=0, total_chunks=0, data="", error="the registry has no v1")
    assert downloads.take(none, 1)[1] == Missing(IMAGE, "the registry has no v1")


def test_pieces_that_nobody_asked_for_are_passed_over():
    assert Downloads("p").take(cut(1)[0], 0) == ([], None)


def test_pieces_that_are_cut_anew_are_all_asked_for_again():
    """The first ones were larger than the broker takes."""
    downloads = Downloads("p")
    downloads.begin(SOURCE, 0)
    for chunk in cut(12)[:3]:
        downloads.take(chunk, 1)
    smaller = cut(20)
    requests, news = downloads.take(smaller[0], 1)
    assert (asked(requests), news) == ([(1, PIECES)], None)
    news = [downloads.take(chunk, 1)[1] for chunk in smaller[1:]]
    assert news[-1] == Arrived(SOURCE, DATA)


def test_pieces_of_ever_other_sizes_are_damaged_in_the_end():
    downloads = Downloads("p")
    downloads.begin(SOURCE, 0)
    cuts = (cut(12)[0], cut(20)[0])
    news = [downloads.take(cuts[n % 2], 1)[1] for n in range(100)]
    assert Missing(SOURCE, f"module {SOURCE} arrived damaged") in news


def test_an_image_whose_pieces_are_cut_anew_is_asked_for_again():
    downloads = Downloads("p")
    downloads.begin(IMAGE, 0)
    for total in (12, 20):
        announced = ModuleChunk(app_name=IMAGE, chunk_idx=0, total_chunks=total, data="", digest=SOURCE)
        assert downloads.take(announced, 1) == ([], Known(IMAGE, DIGEST))
        assert asked(downloads.fetch(IMAGE)) == [(0, PIECES)]
        news = [downloads.take(chunk, 1)[1] for chunk in cut(total, IMAGE)[: total - 4]]
    assert news[-1] is None
    news = [downloads.take(chunk, 1)[1] for chunk in cut(20, IMAGE)]
    assert Arrived(IMAGE, DATA) in news
