"""Archives that say more of themselves than they weigh: each bound is reached, and little memory is taken."""

import gzip
import io
import tarfile
import tracemalloc

import pytest

from propeller.errors import ModuleUnavailable
from propeller.registry import archives
from propeller.registry.cache import Cache
from tests.registry.helpers import module

MIB = 1 << 20
WANTED = module("wanted", 5000)


def header(kind, size, name="x"):
    entry = tarfile.TarInfo(name)
    entry.type, entry.size = kind, size
    return entry.tobuf(tarfile.GNU_FORMAT)


def padded(data):
    return data + bytes(-len(data) % tarfile.BLOCKSIZE)


def record(key, value):
    """One record of a pax header, which begins with its own length."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while length != len(str(length)) + len(rest):
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


def pax(kind, *records):
    data = b"".join(records)
    return header(kind, len(data)) + padded(data)


def file(name, data=b"", size=None):
    return header(tarfile.REGTYPE, len(data) if size is None else size, name) + padded(data)


def old_sparse(blocks):
    """A sparse file of old GNU tar, with a map of this many further blocks."""
    first = bytearray(header(tarfile.GNUTYPE_SPARSE, 0))
    part = b"".join(b"%011o\0" % number for number in (1, 1)) * 21
    first[482] = 1
    first[148:156] = b"%06o\0 " % tarfile.calc_chksums(bytes(first))[0]
    more = bytearray(part[:504].ljust(512, b"\0"))
    more[504] = 1
    return bytes(first) + bytes(more) * blocks


def new_sparse(lines):
    head = pax(tarfile.XHDTYPE, record(b"GNU.sparse.major", b"1"), record(b"GNU.sparse.minor", b"0"))
    return head + file("sparse", b"999999999\n" + b"1\n" * lines)


def unpacked(tmp_path, *parts, bytes_max=10 * MIB, pack=gzip.compress):
    """Unpack an archive of these parts; give what was written, and the most memory that it took."""
    data = pack(b"".join(parts) + bytes(1024))
    cache = Cache(tmp_path / "cache", bytes_max=100 * MIB)
    with cache.draft() as draft:
        draft.write(data)
        digest = draft.digest
        draft.keep()
    with cache.open(digest) as blob, cache.draft() as draft:
        tracemalloc.start()
        try:
            archives.unpack(blob, draft, name="acme/sum:v1", bytes_max=bytes_max)
        finally:
            peak_bytes = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak_bytes < 8 * MIB
        wanted = draft.digest
        draft.keep()
    with cache.open(wanted) as blob:
        return blob.read()


@pytest.mark.parametrize("pack", [gzip.compress, bytes], ids=["gzip", "plain"])
def test_the_headers_that_archives_have_are_read(tmp_path, pack):
    parts = (
        pax(tarfile.XGLTYPE, record(b"comment", b"c" * 1000)),
        file("etc/hosts", b"1" * 3000),
        pax(
            tarfile.XHDTYPE,
            record(b"path", b"deep/" * 200 + b"a.wasm"),
            record(b"SCHILY.xattr.a", b"x" * 60_000),
        ),
        file("short", WANTED),
        header(tarfile.GNUTYPE_LONGNAME, 9000) + padded(b"n" * 9000),
        file("short", b"other"),
    )
    assert unpacked(tmp_path, *parts, pack=pack) == WANTED


@pytest.mark.parametrize(
    "large",
    [
        lambda: pax(tarfile.XHDTYPE, record(b"comment", b"c" * 64 * MIB)),
        lambda: pax(tarfile.XGLTYPE, record(b"comment", b"c" * 64 * MIB)),
        lambda: pax(tarfile.XHDTYPE, *[record(b"k%d" % number, b"v") for number in range(500_000)]),
        lambda: pax(tarfile.XHDTYPE, record(b"comment", b"c" * 200_000)) * 300,
        lambda: header(tarfile.GNUTYPE_LONGNAME, 64 * MIB) + bytes(64 * MIB),
        lambda: header(tarfile.GNUTYPE_LONGLINK, 64 * MIB) + bytes(64 * MIB),
        lambda: old_sparse(100_000),
        lambda: new_sparse(20 * MIB),
    ],
    ids=["record", "for all", "records", "headers", "long name", "long link", "old map", "new map"],
)
def test_headers_are_bounded(tmp_path, large):
    with pytest.raises(ModuleUnavailable, match="is an archive that is too large to look through"):
        unpacked(tmp_path, large(), file("a.wasm", WANTED))


def test_headers_for_all_files_are_not_kept_for_each(tmp_path):
    for_all = pax(tarfile.XGLTYPE, *[record(b"k%d" % number, b"v") for number in range(5000)])
    files = pax(tarfile.XHDTYPE, record(b"mtime", b"1")) + file("a")
    assert unpacked(tmp_path, for_all, files * 300, file("a.wasm", WANTED)) == WANTED


def test_headers_for_all_files_do_not_add_up(tmp_path):
    """Each is no larger than a header may be, and has a key of its own."""
    parts = [
        pax(tarfile.XGLTYPE, record(b"k%d" % number, b"c" * 200_000)) + file("a") for number in range(160)
    ]
    assert unpacked(tmp_path, *parts, file("a.wasm", WANTED)) == WANTED


def test_names_are_not_kept_for_each(tmp_path):
    files = [
        pax(tarfile.XHDTYPE, record(b"path", b"%d" % number + b"n" * 100_000)) + file("a")
        for number in range(200)
    ]
    with pytest.raises(
        ModuleUnavailable, match=r"without a \.wasm file; in it are: 0n+, 1n+.* and 192 more$"
    ):
        unpacked(tmp_path, *files)


def test_what_is_passed_over_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_UNPACKED_BYTES_MAX", 3 * MIB)
    assert unpacked(tmp_path, file("a", bytes(2 * MIB)), file("a.wasm", WANTED)) == WANTED
    for parts in (
        [file("a", bytes(2 * MIB)), file("b", bytes(2 * MIB))],
        [file("a", bytes(4 * MIB))],
        [file("a", size=8 << 30)],
        [header(tarfile.SYMTYPE, 2 * MIB), *[pax(tarfile.XHDTYPE, record(b"c", b"c" * MIB))] * 2],
    ):
        with pytest.raises(ModuleUnavailable, match="too large to look through"):
            unpacked(tmp_path, *parts, file("a.wasm", WANTED))


def test_the_number_of_files_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_FILES_MAX", 10)
    assert unpacked(tmp_path, file("a") * 9, file("a.wasm", WANTED)) == WANTED
    with pytest.raises(ModuleUnavailable, match="too large to look through"):
        unpacked(tmp_path, file("a") * 10, file("a.wasm", WANTED))


def test_the_module_is_bounded(tmp_path):
    with pytest.raises(ModuleUnavailable, match=r"a\.wasm in acme/sum:v1 has 5000 bytes; 4999 are allowed"):
        unpacked(tmp_path, file("a.wasm", WANTED), bytes_max=4999)


@pytest.mark.parametrize("packing", ["bzip2", "xz"])
def test_other_ways_to_pack_are_named(tmp_path, packing):
    def pack(data):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode=f"w:{packing.removesuffix('ip2').replace('bz', 'bz2')}"):
            pass
        return packed.getvalue()

    with pytest.raises(
        ModuleUnavailable, match=f"is packed with {packing}, which is not read; pack it with gzip"
    ):
        unpacked(tmp_path, pack=pack)


@pytest.mark.parametrize("kept", [0, 1, 10, 100])
def test_an_archive_that_ends_early_is_told(tmp_path, kept):
    def pack(data):
        return gzip.compress(data)[:kept]

    with pytest.raises(ModuleUnavailable, match="is no archive that can be read"):
        unpacked(tmp_path, file("a", bytes(range(256)) * 20), file("a.wasm", WANTED), pack=pack)
