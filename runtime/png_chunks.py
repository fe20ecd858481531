"""The chunks that a PNG file is made of (PNG specification, section 5)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

import deflate

from runtime.errors import FrameUndecodable

SIGNATURE = b"\x89PNG\r\n\x1a\n"

IHDR = struct.Struct(">IIBBBBB")
"""Width, height, bit depth, colour type, compression, filter, interlace."""

MAX_CHUNKS = 100_000
"""A file of empty ones costs its sender 12 bytes each, and Pillow 8 microseconds; this leaves each row its own IDAT."""


_LENGTH_AND_KIND = struct.Struct(">I4s")
_CHECKSUM = struct.Struct(">I")


class Chunk(NamedTuple):
    """As it is in a file, nothing checked yet."""

    kind: bytes
    body: memoryview
    kind_and_body: memoryview
    """What the checksum is taken over."""
    checksum: int

    def check(self) -> None:
        """Hold the checksum against the chunk.

        Raises:
            FrameUndecodable: it is wrong.
        """
        if deflate.crc32(self.kind_and_body) != self.checksum:
            raise FrameUndecodable(f"the PNG image is corrupt: the checksum of a chunk {self.kind!r} is wrong")


def check_number(data: bytes) -> None:
    """Count the chunks of a PNG, looking at nothing else.

    Raises:
        FrameUndecodable: more than MAX_CHUNKS.
    """
    place = len(SIGNATURE)
    for _ in range(MAX_CHUNKS + 1):
        if place >= len(data):
            return
        place += 12 + int.from_bytes(data[place : place + 4], "big")
    raise FrameUndecodable(f"the PNG image has more than {MAX_CHUNKS} chunks")


def read_chunks(data: bytes) -> Iterator[Chunk]:
    """All of them up to IEND.

    Raises:
        FrameUndecodable: the file ends before IEND.
    """
    view = memoryview(data)
    place, last = len(SIGNATURE), len(data) - 12
    while place <= last:
        length, kind = _LENGTH_AND_KIND.unpack_from(data, place)
        if place + length > last:
            break
        if kind == b"IEND":
            return
        end = place + 8 + length
        yield Chunk(kind, view[place + 8 : end], view[place + 4 : end], _CHECKSUM.unpack_from(data, end)[0])
        place = end + 4
    raise FrameUndecodable("the PNG image is truncated: it ends inside a chunk")


def write_chunk(kind: bytes, *pieces: bytes | memoryview) -> list[bytes | memoryview]:
    """A chunk's bytes, in pieces that are still to be joined."""
    checksum = deflate.crc32(kind)
    for piece in pieces:
        checksum = deflate.crc32(piece, checksum)
    length = sum(len(piece) for piece in pieces)
    return [length.to_bytes(4, "big"), kind, *pieces, checksum.to_bytes(4, "big")]
