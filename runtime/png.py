"""PNG, faster than the usual readers: frames in, masks out.

Two thirds of reading a camera's PNG is inflating. igzip (Intel's ISA-L) does it twice as fast as zlib, but the package
that undoes PNG's row filters fast, libspng, takes nothing but a whole PNG. So the pixels go through in bands of rows:
igzip inflates one, and libspng is given it as a small PNG of stored (uncompressed) blocks. The filters of a band's
first row refer to the row above, so the last row of the band before goes in front, unfiltered.

Bands keep the work in the processor's cache and bound three things: what is inflated (never more than the header says,
whatever the stream holds), memory beside the frame (a few bands), and how long libspng holds the interpreter's lock.
libspng never sees the sender's own file.

Checksums are libdeflate's. igzip's are as fast, but its AVX code leaves the upper halves of the vector registers in
use, and the SSE code of libspng that follows then runs at half its speed (seen on Zen 4); libdeflate clears them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import cv2
import deflate
import numpy as np
import numpy.typing as npt
import pyspng
from isal import igzip_lib, isal_zlib

from runtime.errors import FrameUndecodable
from runtime.png_chunks import IHDR, SIGNATURE, Chunk, read_chunks, write_chunk

Pixels = npt.NDArray[np.uint8]

BAND_BYTES = 200_000
"""Inflated bytes a band: its few copies lie in the second-level cache, and fewer bands cost fewer calls."""

_PIECE_BYTES = 2**18
"""Packed bytes that are handed to the inflater at once: fewer cost calls, more are copied before they are used."""

MAX_ROW_BYTES = 2**20
"""A band is at least a row, and is copied a few times: longer rows (over 349,000 pixels) are left to Pillow."""

_GREY, _RGB, _PALETTE, _RGBA = 0, 2, 3, 6
_CHANNELS = {_GREY: 1, _RGB: 3, _PALETTE: 1, _RGBA: 4}
_ORIENTATION_KEYWORDS = (b"Raw profile type exif\0", b"XML:com.adobe.xmp\0")
"""Text chunks in which Pillow looks for an orientation when there is no eXIf chunk."""

_IGZIP_ERROR: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # its stub says: an instance

_MAX_STORED = 65_535
"""Bytes of one stored deflate block: its length has 16 bits (RFC 1951, 3.2.4)."""
_ZLIB_HEADER = b"\x78\x01"


@dataclass
class _Structure:
    """What a PNG's chunks say, its pixels still packed."""

    width: int
    height: int
    bit_depth: int
    color_type: int
    is_interlaced: bool
    palette: bytes = b""
    """RGB triples, at most 256."""
    packed: list[memoryview] = field(default_factory=list)
    """The bodies of the IDAT chunks."""
    late_exif: bytes | None = None
    """The body of an eXIf chunk that follows the pixels."""
    is_special: bool = False
    """Animated, or its orientation is in a text chunk after the pixels: left to Pillow."""

    @property
    def channels(self) -> int:
        return _CHANNELS.get(self.color_type, 0)

    @property
    def row_bytes(self) -> int:
        """Of one unfiltered row, at 8 bits a sample."""
        return self.width * self.channels


@dataclass(frozen=True)
class Decoded:
    """A frame as it is stored: no orientation applied."""

    pixels: Pixels
    """uint8 H x W x 3, RGB."""
    late_exif: bytes | None
    """The EXIF block, where it follows the pixels: a reader of the header has not seen it."""


def decode(data: bytes) -> Decoded | None:
    """An 8-bit PNG that is not interlaced, as RGB: grey repeated, alpha dropped, palette looked up.

    Returns:
        The frame; None for a PNG of another kind, which Pillow reads: 16 or less than 8 bits, grey with
        alpha, interlaced, animated.

    Raises:
        FrameUndecodable: truncated, a wrong checksum, a palette or a row filter that can't be, or more or fewer pixels
            than the header says.
    """
    structure = _structure_of(data)
    is_covered = structure.bit_depth == 8 and structure.channels and not structure.is_interlaced
    if not is_covered or structure.is_special or structure.row_bytes > MAX_ROW_BYTES:
        return None
    to_rgb = _converter(structure)
    frame = np.empty((structure.height, structure.width, 3), np.uint8)
    first = 0
    for band in _bands(structure):
        frame[first : first + len(band)] = to_rgb(band)
        first += len(band)
    return Decoded(frame, structure.late_exif)


def _structure_of(data: bytes) -> _Structure:
    chunks = read_chunks(data)
    first = next(chunks, None)
    if first is None or first.kind != b"IHDR" or len(first.body) != IHDR.size:
        raise FrameUndecodable("the PNG image does not begin with its header")
    first.check()
    width, height, bit_depth, color_type, _, _, interlace = IHDR.unpack(first.body)
    if not width or not height:
        raise FrameUndecodable(f"the PNG image has no pixels: {width} x {height}")
    structure = _Structure(width, height, bit_depth, color_type, bool(interlace))
    previous = first.kind
    for chunk in chunks:
        _take_in(structure, chunk, previous)
        previous = chunk.kind
    if not structure.packed:
        raise FrameUndecodable("the PNG image holds no pixels: there is no chunk IDAT")
    return structure


def _take_in(structure: _Structure, chunk: Chunk, previous: bytes) -> None:
    kind, is_after_pixels = chunk.kind, bool(structure.packed)
    if kind == b"IDAT":
        if is_after_pixels and previous != kind:
            raise FrameUndecodable("the PNG image is corrupt: its IDAT chunks do not follow one another")
        chunk.check()
        structure.packed.append(chunk.body)
    elif kind == b"IHDR":
        raise FrameUndecodable("the PNG image has two headers")
    elif kind == b"PLTE" and not is_after_pixels:
        chunk.check()
        structure.palette = bytes(chunk.body)
    elif kind == b"acTL":
        structure.is_special = True
    elif is_after_pixels and kind == b"eXIf":
        chunk.check()
        structure.late_exif = bytes(chunk.body)
    elif is_after_pixels and kind in (b"tEXt", b"zTXt", b"iTXt"):
        structure.is_special |= bytes(chunk.body[:32]).startswith(_ORIENTATION_KEYWORDS)


def _converter(structure: _Structure) -> Callable[[Pixels], npt.NDArray[np.uint8]]:
    """From bands, uint8 rows x W (x channels), to RGB."""
    if structure.color_type == _RGB:
        return lambda band: band
    if structure.color_type == _RGBA:
        return lambda band: np.asarray(cv2.cvtColor(band, cv2.COLOR_RGBA2RGB), np.uint8)
    if structure.color_type == _PALETTE:
        if len(structure.palette) % 3 or not 0 < len(structure.palette) <= 768:
            raise FrameUndecodable("the PNG image's palette is missing or broken")
        # Pillow shows an index beyond the palette as black.
        table = np.zeros((1, 256, 3), np.uint8)
        table.reshape(-1)[: len(structure.palette)] = np.frombuffer(structure.palette, np.uint8)
        return lambda band: np.asarray(cv2.LUT(cv2.cvtColor(band, cv2.COLOR_GRAY2RGB), table), np.uint8)
    return lambda band: np.asarray(cv2.cvtColor(band, cv2.COLOR_GRAY2RGB), np.uint8)


def _bands(structure: _Structure) -> Iterator[Pixels]:
    """The rows from top to bottom, some at a time, unfiltered: uint8 rows x W (x channels)."""
    filtered_row = structure.row_bytes + 1
    rows_at_once = max(1, BAND_BYTES // filtered_row)
    # An index is unfiltered like a grey value: libspng would look it up, and refuse one beyond the palette.
    color_type = _GREY if structure.color_type == _PALETTE else structure.color_type
    inflater = _Inflater(structure.packed)
    above = bytes(filtered_row)
    for first in range(0, structure.height, rows_at_once):
        rows = min(rows_at_once, structure.height - first)
        filtered = inflater.take(rows * filtered_row)
        if len(filtered) < rows * filtered_row:
            raise FrameUndecodable("the PNG image is truncated: it holds fewer pixels than its header says")
        header = IHDR.pack(structure.width, rows + 1, 8, color_type, 0, 0, 0)
        try:
            band = pyspng.load(_stored_png(header, above, filtered))
        except RuntimeError as error:
            raise FrameUndecodable("the PNG image is corrupt: there is no such row filter") from error
        yield band[1:]
        above = b"\0" + band[-1].tobytes()
    inflater.finish()


def _pieces(bodies: list[memoryview]) -> Iterator[bytes | memoryview]:
    """The same bytes in pieces of about _PIECE_BYTES."""
    gathered: list[memoryview] = []
    size = 0
    for body in bodies:
        if len(body) > _PIECE_BYTES:
            yield b"".join(gathered)
            yield from (body[start : start + _PIECE_BYTES] for start in range(0, len(body), _PIECE_BYTES))
            gathered, size = [], 0
            continue
        gathered.append(body)
        size += len(body)
        if size >= _PIECE_BYTES:
            yield b"".join(gathered)
            gathered, size = [], 0
    yield b"".join(gathered)


class _Inflater:
    """A zlib stream, unpacked as far as it is asked for."""

    def __init__(self, bodies: list[memoryview]) -> None:
        self._pieces = _pieces(bodies)
        self._inflater = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_ZLIB)

    def take(self, size: int) -> bytes:
        """The next bytes: `size` of them, fewer where the stream or its input ends.

        Raises:
            FrameUndecodable: the stream is corrupt, or its own checksum is wrong (the inflater compares it).
        """
        unpacked = []
        missing = size
        while missing and not self._inflater.eof:
            piece = next(self._pieces, None) if self._inflater.needs_input else b""
            try:
                some = self._inflater.decompress(piece or b"", missing)
            except _IGZIP_ERROR as error:
                raise FrameUndecodable(f"the PNG image is corrupt: {error}") from error
            if piece is None and not some:
                break
            unpacked.append(some)
            missing -= len(some)
        return b"".join(unpacked)

    def finish(self) -> None:
        """Make sure that all was taken.

        Raises:
            FrameUndecodable: there is more, or the stream's checksum is wrong or missing.
        """
        if self.take(1):
            raise FrameUndecodable("the PNG image is corrupt: it holds more pixels than its header says")
        if not self._inflater.eof:
            raise FrameUndecodable("the PNG image is truncated: the checksum of its pixels is missing")


def _stored_png(header: bytes, *rows: bytes) -> bytes:
    """A PNG of filtered rows that are not compressed."""
    stream: list[bytes | memoryview] = [_ZLIB_HEADER]
    checksum = 1
    for piece in rows:
        checksum = deflate.adler32(piece, checksum)
        view = memoryview(piece)
        for start in range(0, len(piece), _MAX_STORED):
            block = view[start : start + _MAX_STORED]
            stream += [struct.pack("<BHH", 0, len(block), len(block) ^ 0xFFFF), block]
    # The last block says that it is the last; an empty one is simplest.
    stream += [struct.pack("<BHH", 1, 0, 0xFFFF), checksum.to_bytes(4, "big")]
    return b"".join([SIGNATURE, *write_chunk(b"IHDR", header), *write_chunk(b"IDAT", *stream), *write_chunk(b"IEND")])
