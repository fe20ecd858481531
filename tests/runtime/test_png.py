from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from runtime import categories, codecs, png, png_chunks, png_writer
from runtime.errors import FrameUndecodable

RNG = np.random.default_rng(7)
STEPS = RNG.integers(-4, 5, (41, 53, 4))
SMOOTH = np.cumsum(np.cumsum(STEPS, axis=0), axis=1).astype(np.uint8)
"""uint8 41 x 53 x 4: neighbours alike, as in a photo, so that encoders use every row filter."""


@pytest.fixture(params=[200, png.BAND_BYTES], ids=["bands of one row", "one band"])
def bands(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "BAND_BYTES", request.param)


def chunk(kind: bytes, body: bytes, checksum: int | None = None) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum or zlib.crc32(kind + body))


def header(width: int, height: int, bit_depth: int = 8, color_type: int = 2, interlace: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bit_depth, color_type, 0, 0, interlace))


def file_of(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + chunk(b"IEND", b"")


def by_pillow(data: bytes) -> npt.NDArray[np.uint8]:
    image = Image.open(io.BytesIO(data))
    return np.asarray(
        image.convert("RGBA").convert("RGB") if image.mode in ("P", "LA", "RGBA") else image.convert("RGB")
    )


def saved(pixels: npt.NDArray[np.uint8], mode: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels[..., :3])).convert(mode).save(buffer, "PNG", **options)
    return buffer.getvalue()


def decoded(data: bytes) -> npt.NDArray[np.uint8]:
    found = png.decode(data)
    assert found is not None, "left to Pillow"
    return found.pixels


def filtered(rows: npt.NDArray[np.uint8], channels: int, filters: Iterator[int]) -> bytes:
    """Rows (H x W * channels) under the row filters that are asked for, as the PNG specification defines them (9.2)."""
    out = bytearray()
    above = np.zeros(rows.shape[1], int)
    for row, kind in zip(rows.astype(int), filters, strict=False):
        left = np.concatenate([np.zeros(channels, int), row[:-channels]])
        corner = np.concatenate([np.zeros(channels, int), above[:-channels]])
        guess = left + above - corner
        near = np.abs([guess - left, guess - above, guess - corner])
        paeth = np.choose(near.argmin(axis=0), [left, above, corner])
        predicted = [0 * row, left, above, (left + above) // 2, paeth][kind]
        out += bytes([kind]) + ((row - predicted) % 256).astype(np.uint8).tobytes()
        above = row
    return bytes(out)


@pytest.mark.usefixtures("bands")
@pytest.mark.parametrize("mode", ["L", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("width", [1, 2, 53])
def test_pixels_are_pillows(mode: str, width: int) -> None:
    data = saved(SMOOTH[:, :width], mode)
    assert (decoded(data) == by_pillow(data)).all()


@pytest.mark.usefixtures("bands")
@pytest.mark.parametrize(("color_type", "channels"), [(0, 1), (2, 3), (6, 4)])
@pytest.mark.parametrize("kinds", [[0], [1], [2], [3], [4], [4, 2, 3, 0, 1, 3, 4]])
def test_every_row_filter_is_undone(color_type: int, channels: int, kinds: list[int]) -> None:
    pixels = SMOOTH[..., :channels]
    rows = pixels.reshape(len(pixels), -1)
    packed = zlib.compress(filtered(rows, channels, iter(kinds * len(rows))))
    data = file_of(header(53, 41, color_type=color_type), chunk(b"IDAT", packed))
    assert (decoded(data) == (pixels[..., :3] if channels > 1 else np.repeat(pixels, 3, axis=2))).all()
    assert (decoded(data) == by_pillow(data)).all()


@pytest.mark.usefixtures("bands")
@pytest.mark.parametrize("piece", [1, 7, 10**6])
def test_it_does_not_matter_how_the_stream_is_cut_into_chunks(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "_PIECE_BYTES", 40)
    noise = RNG.integers(0, 256, (41, 53, 3), np.uint8)
    packed = zlib.compress(filtered(noise.reshape(41, -1), 3, iter([0] * 41)))
    bodies = [packed[start : start + piece] for start in range(0, len(packed), piece)]
    idats = [chunk(b"IDAT", body) + chunk(b"IDAT", b"") for body in bodies]
    assert (decoded(file_of(header(53, 41), chunk(b"IDAT", b""), *idats)) == noise).all()


def test_long_and_tall_images_cross_bands_of_the_real_size() -> None:
    for shape in ((3, 40_000, 3), (40_000, 3, 3)):
        pixels = RNG.integers(0, 8, shape, np.uint8)
        assert (decoded(saved(pixels, "RGB", compress_level=1)) == pixels).all()


@pytest.mark.parametrize(
    "data",
    [
        saved(SMOOTH, "LA"),
        saved(SMOOTH, "1"),
        saved(SMOOTH, "P", bits=4),
        file_of(header(2, 1, 16), chunk(b"IDAT", zlib.compress(bytes(13)))),
        file_of(header(1, 1, interlace=1), chunk(b"IDAT", zlib.compress(b"\0abc"))),
        file_of(header(1, 1), chunk(b"acTL", struct.pack(">II", 1, 0)), chunk(b"IDAT", zlib.compress(b"\0abc"))),
        file_of(header(400_000, 1), chunk(b"IDAT", zlib.compress(bytes(1_200_001)))),
    ],
    ids=["grey with alpha", "1 bit", "4 bits", "16 bits", "interlaced", "animated", "a row over a megabyte"],
)
def test_what_is_not_covered_is_left_to_pillow_and_read(data: bytes) -> None:
    assert png.decode(data) is None
    assert (codecs.decode(data) == by_pillow(data)).all()


def test_transparency_is_dropped_and_an_index_beyond_the_palette_is_black_as_pillow_has_it() -> None:
    indices = np.array([[0, 1, 2, 3], [3, 2, 1, 200]], np.uint8)
    packed = zlib.compress(filtered(indices, 1, iter([0, 2])))
    palette = chunk(b"PLTE", bytes(range(10, 22)))
    data = file_of(header(4, 2, color_type=3), palette, chunk(b"tRNS", b"\0\x80"), chunk(b"IDAT", packed))
    assert (decoded(data) == by_pillow(data)).all()
    assert (decoded(data)[1, 3] == 0).all()
    keyed = file_of(header(53, 41), chunk(b"tRNS", bytes(6)), *_body_of(saved(SMOOTH, "RGB")))
    assert (decoded(keyed) == SMOOTH[..., :3]).all()


def _body_of(data: bytes) -> list[bytes]:
    return [chunk(one.kind, bytes(one.body)) for one in png_chunks.read_chunks(data) if one.kind == b"IDAT"]


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "RGBA"])
def test_no_damage_goes_unnoticed_wherever_it_is(mode: str) -> None:
    data = saved(SMOOTH[:9, :11], mode)
    flipped = [data[:place] + bytes([data[place] ^ 0x21]) + data[place + 1 :] for place in range(len(data) - 12)]
    cut = [data[:place] for place in range(len(data))]
    for broken in flipped + cut:
        with pytest.raises(FrameUndecodable):
            codecs.decode(broken)


ROWS = filtered(SMOOTH[:8, :8, :3].reshape(8, -1), 3, iter([0] * 8))
PACKED = zlib.compress(ROWS)
START = header(8, 8)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (file_of(START, chunk(b"IDAT", zlib.compress(ROWS + b"\0"))), "more pixels"),
        (file_of(START, chunk(b"IDAT", zlib.compress(ROWS[:-1]))), "fewer pixels"),
        (file_of(START, chunk(b"IDAT", b"")), "fewer pixels"),
        (file_of(START), "no chunk IDAT|cannot load"),
        (file_of(START, chunk(b"IDAT", PACKED[:-4])), "checksum of its pixels is missing"),
        (file_of(START, chunk(b"IDAT", PACKED[:-1] + b"\xaa")), "checksum"),
        (file_of(START, chunk(b"IDAT", PACKED, 7)), "checksum of a chunk b'IDAT'"),
        (file_of(START, chunk(b"IDAT", b"\x78\xbb" + PACKED[2:])), "corrupt"),
        (file_of(START, chunk(b"IDAT", zlib.compress(b"\5" + ROWS[1:]))), "row filter"),
        (file_of(START, START, chunk(b"IDAT", PACKED)), "two headers"),
        (
            file_of(START, chunk(b"IDAT", PACKED[:9]), chunk(b"abCd", b""), chunk(b"IDAT", PACKED[9:])),
            "do not follow one another",
        ),
        (file_of(START, chunk(b"IDAT", PACKED))[:-1], "ends inside a chunk"),
        (file_of(header(8, 8, color_type=3), chunk(b"IDAT", zlib.compress(bytes(72)))), "palette"),
        (file_of(START, chunk(b"IDAT", b"") * 100_001, chunk(b"IDAT", PACKED)), "more than 100000 chunks"),
        (file_of(START, chunk(b"abCd", b"") * 100_001, chunk(b"IDAT", PACKED)), "more than 100000 chunks"),
    ],
)
def test_a_broken_png_is_refused_and_the_message_says_why(data: bytes, told: str) -> None:
    with pytest.raises(FrameUndecodable, match=told):
        codecs.decode(data)


def test_what_follows_the_pixels_and_the_end_is_no_harm() -> None:
    chunks = (START, chunk(b"IDAT", PACKED + b"junk"), chunk(b"tEXt", b"date\0today"), chunk(b"abCd", bytes(2**20)))
    assert (codecs.decode(file_of(*chunks) + b"junk" * 99) == SMOOTH[:8, :8, :3]).all()


def test_a_stream_is_never_inflated_beyond_what_its_header_says() -> None:
    bomb = file_of(START, chunk(b"IDAT", zlib.compress(bytes(2**27))))
    tracemalloc.start()
    try:
        with pytest.raises(FrameUndecodable, match="more pixels"):
            codecs.decode(bomb)
        assert tracemalloc.get_traced_memory()[1] < 2**21
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("is_late", [False, True])
def test_orientation_counts_before_and_after_the_pixels(orientation: int, is_late: bool) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    body = chunk(b"eXIf", exif.tobytes()[6:])
    pixels = _body_of(saved(SMOOTH, "RGB"))
    chunks = [*pixels, body] if is_late else [body, *pixels]
    upright = Image.fromarray(np.ascontiguousarray(SMOOTH[..., :3]))
    turn = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}.get(orientation)
    expected = np.asarray(upright if turn is None else upright.transpose(Image.Transpose(turn)))
    found = codecs.decode(file_of(header(53, 41), *chunks))
    assert found.shape == expected.shape
    assert (found == expected).all()


def test_an_orientation_in_a_text_chunk_counts_too() -> None:
    note = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b'<x tiff:Orientation="3"/>')
    pixels = _body_of(saved(SMOOTH, "RGB"))
    for chunks in ([note, *pixels], [*pixels, note]):
        assert (codecs.decode(file_of(header(53, 41), *chunks)) == SMOOTH[::-1, ::-1, :3]).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (7, 13), (20_000, 1), (1, 20_000), (1024, 2047)])
def test_masks_of_every_size_are_read_by_pillow_and_opencv(shape: tuple[int, int]) -> None:
    mask = np.repeat(RNG.integers(0, 8, (shape[0], 1), np.uint8), shape[1], axis=1)
    mask[:, ::3] = 7
    data = codecs.encode_mask(mask)
    image = Image.open(io.BytesIO(data))
    assert (image.mode, image.size) == ("P", (shape[1], shape[0]))
    assert (np.asarray(image) == mask).all()
    colours = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert (colours == categories.PALETTE[mask]).all()
    Image.open(io.BytesIO(data)).verify()  # the chunks' checksums


def test_a_mask_that_is_a_view_is_written_as_it_is_seen() -> None:
    mask = RNG.integers(0, 8, (30, 41), np.uint8)
    for view in (mask.T, mask[::2, 1::3], mask[::-1]):
        assert (codecs.decode_mask(codecs.encode_mask(view)) == view).all()


def test_sixteen_colours_fit() -> None:
    palette = RNG.integers(0, 256, (16, 3), np.uint8)
    indices = RNG.integers(0, 16, (9, 9), np.uint8)
    image = Image.open(io.BytesIO(png_writer.encode_indices(indices, palette)))
    assert (np.asarray(image) == indices).all()
    assert (np.asarray(image.convert("RGB")) == palette[indices]).all()
