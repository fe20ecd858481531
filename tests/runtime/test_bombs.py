"""Files whose metadata or structure would cost far more than their bytes, and the good ones that look like them."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps, TiffImagePlugin

from runtime import codecs, jpeg_segments, tiff
from runtime.codecs import Limits
from runtime.errors import FrameTooLarge, FrameUndecodable

RNG = np.random.default_rng(5)
PIXELS = RNG.integers(0, 256, (24, 40, 3), np.uint8)
PICTURE = Image.fromarray(PIXELS)
SHORT, LONG, RATIONAL = 3, 4, 5
BYTES_OF = {SHORT: 2, LONG: 4, RATIONAL: 8}
TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
"""From EXIF's orientation to Pillow's Image.Transpose."""


def encode(image: Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def directory(tags: dict[int, tuple[int, bytes]], place: int, order: str = "<") -> bytes:
    """A directory of a classic TIFF that lies at byte `place`: tag to type and values."""
    ahead = place + 2 + 12 * len(tags) + 4
    entries, values = struct.pack(order + "H", len(tags)), b""
    for tag, (kind, value) in sorted(tags.items()):
        told = value.ljust(4, b"\0")
        if len(value) > 4:
            told = struct.pack(order + "I", ahead + len(values))
            values += value
        entries += struct.pack(order + "HHI", tag, kind, len(value) // BYTES_OF[kind]) + told
    return entries + bytes(4) + values


def block(tags: dict[int, tuple[int, bytes]]) -> bytes:
    return b"II*\0\x08\0\0\0" + directory(tags, 8)


def rationals(count: int) -> tuple[int, bytes]:
    return RATIONAL, struct.pack("<2I", 1, 2) * count


def shorts(*values: int) -> tuple[int, bytes]:
    return SHORT, struct.pack(f"<{len(values)}H", *values)


def jpeg_with(segments: bytes) -> bytes:
    data = encode(PICTURE, "JPEG")
    return data[:2] + segments + data[2:]


def exif_segments(exif: bytes, size: int = 65_000) -> bytes:
    pieces = [b"Exif\0\0" + exif[place : place + size] for place in range(0, len(exif), size)]
    return b"".join(b"\xff\xe1" + struct.pack(">H", len(piece) + 2) + piece for piece in pieces)


def png_with(kind: bytes, body: bytes, *, late: bool = False) -> bytes:
    data = encode(PICTURE, "PNG")
    place = len(data) - 12 if late else 33
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return data[:place] + chunk + data[place:]


def tiff_with(**more: tuple[int, bytes]) -> bytes:
    """A grey 16 x 16 TIFF; its pixels are at byte 8. `more` is by number, as `_273`."""
    tags = {256: 16, 257: 16, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 16, 279: 256}
    made = {tag: (LONG, struct.pack("<I", value)) for tag, value in tags.items()}
    made |= {int(tag[1:]): value for tag, value in more.items()}
    return b"II*\0" + struct.pack("<I", 264) + bytes(256) + directory(made, 264)


TOO_MANY = rationals(tiff.MAX_VALUES + 1)


@pytest.mark.parametrize(
    "data",
    [
        jpeg_with(exif_segments(block({274: TOO_MANY}))),
        jpeg_with(exif_segments(block({282: TOO_MANY, 296: shorts(2)}))),
        png_with(b"eXIf", block({274: TOO_MANY})),
        png_with(b"eXIf", block({274: TOO_MANY}), late=True),
        png_with(b"tEXt", b"Raw profile type exif\0\nexif\n1\n" + block({274: TOO_MANY}).hex().encode()),
        encode(PICTURE, "WEBP", exif=b"Exif\0\0" + block({274: TOO_MANY})),
        encode(PICTURE, "WEBP", exif=block({274: TOO_MANY})),
        tiff_with(_258=TOO_MANY),
        tiff_with(_34665=(LONG, struct.pack("<I", 390))) + directory({33434: TOO_MANY}, 390),
    ],
    ids=[
        "JPEG, orientation", "JPEG, resolution", "PNG", "PNG, behind the pixels", "PNG, as text", "WebP",
        "WebP, no identifier", "TIFF", "TIFF, EXIF directory",
    ],
)  # fmt: skip
def test_metadata_of_very_many_values_is_refused_unread(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(directory: object, values: bytes, legacy_api: bool = True) -> None:
        pytest.fail(f"{len(values)} bytes of fractions were read")

    monkeypatch.setitem(TiffImagePlugin.ImageFileDirectory_v2._load_dispatch, RATIONAL, (8, read))
    with pytest.raises(FrameUndecodable, match="metadata holds more than 4096 values"):
        codecs.decode(data)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_long_maker_notes_are_no_harm(form: str) -> None:
    exif = Image.Exif()
    exif[274] = 6
    exif.get_ifd(34665)[37500] = RNG.bytes(40_000)
    data = encode(PICTURE, form, exif=exif)
    assert codecs.decode(data).shape == (40, 24, 3)


def test_exif_over_several_segments_of_a_jpeg_is_joined() -> None:
    exif = block({270: rationals(2000), 274: shorts(6)})
    assert codecs.decode(jpeg_with(exif_segments(exif, 5000))).shape == (40, 24, 3)
    with pytest.raises(FrameUndecodable, match="more than 16 segments"):
        codecs.decode(jpeg_with(exif_segments(exif, 500)))


@pytest.mark.parametrize(
    ("segments", "told"),
    [
        (b"\xff\xfe\0\2" * jpeg_segments.MAX_SEGMENTS, "more than 1000 segments"),
        (b"\xff" * 70_000, "segments are broken"),
        (b"\xff\xfe\0\2" + b"a", "segments are broken"),
        (b"\xff\xfe\0\1", "segments are broken"),
        (b"\xff\xf5\0\2", "a marker that no reader knows"),
    ],
)
def test_a_jpeg_header_that_pillow_would_crawl_through_is_refused(segments: bytes, told: str) -> None:
    with pytest.raises(FrameUndecodable, match=told):
        codecs.decode(jpeg_with(segments))


def test_comments_and_fill_bytes_in_front_of_a_jpegs_pixels_are_no_harm() -> None:
    expected = codecs.decode(jpeg_with(b""))
    assert (codecs.decode(jpeg_with(b"\xff\xfe\0\3a" * 300 + b"\xff" * 500)) == expected).all()


def test_a_tiff_of_very_many_strips_is_refused_and_one_of_a_strip_a_row_is_not() -> None:
    def strips(number: int) -> bytes:
        one = (LONG, struct.pack("<I", 1))
        offsets = (LONG, struct.pack("<I", 8) * number)
        return tiff_with(_256=one, _257=(LONG, struct.pack("<I", number)), _273=offsets, _278=one)

    assert codecs.decode(strips(10_000)).shape == (10_000, 1, 3)
    with pytest.raises(FrameUndecodable, match="16385 strips, the limit is 16384"):
        codecs.decode(strips(tiff.MAX_STRIPS + 1))


@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("is_big", [False, True])
def test_every_layout_of_a_tiff_is_looked_through(byte_order: str, is_big: bool) -> None:
    number, entry, place = ("Q", "HHQ", "Q") if is_big else ("H", "HHI", "I")
    magic = b"II" if byte_order == "<" else b"MM"
    # Big-endian BigTIFF as Pillow takes it, which mistakes the header of the true one for a classic one.
    version = {("<", True): b"+\0", ("<", False): b"*\0", (">", False): b"\0*", (">", True): b"+\0"}[byte_order, is_big]
    start = struct.pack(byte_order + "HHQ", 8, 0, 16) if is_big else struct.pack(byte_order + "I", 8)
    count = struct.pack(byte_order + number, 1)
    data = magic + version + start + count + struct.pack(byte_order + entry + place, 258, RATIONAL, 5000, 8)
    with pytest.raises(FrameUndecodable, match="more than 4096 values"):
        tiff.check_file(data + bytes(40_000), 100)
    tiff.check_file(data, 100)  # longer than the file: no reader reads it


def test_directories_that_point_at_each_other_come_to_an_end() -> None:
    data = b"II*\0\x08\0\0\0" + directory({tag: (LONG, struct.pack("<I", 8)) for tag in (34665, 34853, 40965)}, 8)
    tiff.check_file(data, 100)


def test_a_tile_counts_with_all_its_pixels_and_a_strip_with_the_frames() -> None:
    packed = zlib.compress(bytes(256 * 256))
    long = {322: 256, 323: 256, 324: 8, 325: len(packed), 256: 16, 257: 16, 258: 8, 259: 8, 262: 1, 277: 1}
    tags = {tag: (LONG, struct.pack("<I", value)) for tag, value in long.items()}
    place = 8 + len(packed)
    data = b"II*\0" + struct.pack("<I", place) + packed + directory(tags, place)
    assert codecs.decode(data, Limits(max_pixels=2**16)).shape == (16, 16, 3)
    with pytest.raises(FrameTooLarge, match="tiles of 256 x 256"):
        codecs.decode(data, Limits(max_pixels=2**16 - 1))
    one_strip_however_high = (LONG, struct.pack("<I", 2**32 - 1))  # the default of TIFF 6.0
    assert codecs.decode(tiff_with(_278=one_strip_however_high), Limits(max_pixels=256)).shape == (16, 16, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("form", "mode", "options"),
    [
        ("JPEG", "RGB", {}),
        ("JPEG", "CMYK", {}),
        ("PNG", "RGB", {}),
        ("PNG", "I;16", {}),
        ("WEBP", "RGB", {"lossless": True}),
        ("TIFF", "RGB", {}),
        ("TIFF", "CMYK", {}),
        ("TIFF", "I;16", {}),
        ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    ],
    ids=str,
)
def test_orientation_is_applied_once(orientation: int, form: str, mode: str, options: dict[str, Any]) -> None:
    picture = Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257) if mode == "I;16" else PICTURE.convert(mode)
    exif = Image.Exif()
    exif[274] = orientation
    data = encode(picture, form, exif=exif, **options)
    stored = codecs.decode(encode(picture, form, **options))
    turn = TURNS.get(orientation)
    expected = stored if turn is None else np.asarray(Image.fromarray(stored).transpose(Image.Transpose(turn)))
    found = codecs.decode(data)
    assert found.shape == expected.shape
    assert (found == expected).all()
    assert found.flags.c_contiguous
    if mode == "RGB":
        assert (found == np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))).all()


def run_length(width: int, height: int) -> bytes:
    body = b"".join(bytes([width, row % 256, 0, 0]) for row in range(height)) + b"\0\1"
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(body), 0, 0, 256, 0)
    palette = bytes(channel for value in range(256) for channel in (value, value, value, 0))
    return b"BM" + struct.pack("<IHHI", 1078 + len(body), 0, 0, 1078) + head + palette + body


def test_a_bmp_in_run_length_encoding_is_read_up_to_a_cameras_size() -> None:
    assert (codecs.decode(run_length(9, 7))[::-1, :, 0] == np.arange(7)[:, None]).all()
    for data in (run_length(200, 2**14), run_length(9, 7) + bytes(codecs.MAX_RUN_LENGTH)):
        with pytest.raises(FrameTooLarge, match="run-length"):
            codecs.decode(data)


def test_what_is_no_number_is_black() -> None:
    values = np.array([[np.nan, np.inf, -np.inf, 7.9, 300, -3]], np.float32)
    assert codecs.decode(encode(Image.fromarray(values), "TIFF"))[0, :, 1].tolist() == [0, 255, 0, 7, 255, 0]


def test_a_broken_tiff_leaves_stderr_alone() -> None:
    noise = Image.fromarray(RNG.integers(0, 256, (64, 64, 3), np.uint8))
    packed = bytearray(encode(noise, "TIFF", compression="tiff_adobe_deflate"))
    packed[200:232] = b"\xff" * 32
    many_samples = tiff_with(_277=shorts(2048))
    program = """if True:
        import sys
        from runtime import codecs, errors
        for data in (DATA):
            try:
                codecs.decode(data)
            except errors.FrameUndecodable:
                print("refused")
    """.replace("DATA", f"{bytes(packed)!r}, {many_samples!r}")
    done = subprocess.run([sys.executable, "-"], input=program, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["refused", "refused"]
    assert done.stderr == ""
