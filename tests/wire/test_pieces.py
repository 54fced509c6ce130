"""Pieces of modules, as large as there is room for."""

import base64

from tests.builders import module_of, padded

from propeller.wire.fleet.codec import encode
from propeller.wire.fleet.modules import CHUNK_BYTES, module_chunks, piece_bytes


def test_pieces_are_as_small_as_there_is_room():
    data = padded(300_000)
    size_bytes = piece_bytes(131_072)
    chunks = list(module_chunks(module_of(data), data, size_bytes))
    assert len(chunks) == 4
    assert max(len(encode(chunk)) for chunk in chunks) <= 131_072
    assert b"".join(base64.b64decode(chunk.data) for chunk in chunks) == data
    assert piece_bytes(10_000_000) == CHUNK_BYTES
    assert piece_bytes(1000) == 0, "none fits"
