from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageOps

from runtime import categories, codecs
from runtime.codecs import Limits
from runtime.errors import FrameError, FrameTooLarge, FrameUndecodable

RNG = np.random.default_rng(3)
PIXELS = RNG.integers(0, 256, (24, 40, 3), np.uint8)
SMOOTH = Image.fromarray(np.cumsum(np.cumsum(RNG.integers(-2, 3, (61, 83, 3)), axis=0), axis=1).astype(np.uint8))


def encode(image: Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(("form", "options"), [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("WEBP", {"lossless": True})])
def test_lossless_formats_come_back_as_they_were(form: str, options: dict[str, Any]) -> None:
    decoded = codecs.decode(encode(Image.fromarray(PIXELS), form, **options))
    assert decoded.dtype == np.uint8
    assert (decoded == PIXELS).all()


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize(
    "options",
    [
        {"subsampling": "4:4:4"},
        {"subsampling": "4:2:2"},
        {"subsampling": "4:2:0"},
        {"progressive": True},
        {"restart_marker_rows": 1},
        {"keep_rgb": True},
        {"quality": 100},
    ],
    ids=str,
)
def test_jpeg_comes_back_as_pillow_decodes_it(mode: str, options: dict[str, Any]) -> None:
    data = encode(SMOOTH.convert(mode), "JPEG", **options)
    assert (codecs.decode(data) == np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))).all()


def test_a_jpeg_with_a_preview_of_itself_behind_it_is_the_first_of_the_two() -> None:
    data = encode(SMOOTH, "MPO", save_all=True, append_images=[SMOOTH.transpose(Image.Transpose.ROTATE_180)])
    assert Image.open(io.BytesIO(data)).format == "MPO"
    assert (codecs.decode(data) == np.asarray(Image.open(io.BytesIO(data)))).all()


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_ends_too_early_is_refused_though_it_has_an_end_marker(mode: str, progressive: bool) -> None:
    data = encode(SMOOTH.convert(mode), "JPEG", progressive=progressive, subsampling="4:4:4")
    first_scan = data.index(b"\xff\xda")
    for cut in range(first_scan + 40, len(data) - 12, max(1, len(data) // 40)):
        if any(marker in data[cut - 1 : cut + 2] for marker in (b"\xff\xc4", b"\xff\xda")):
            continue  # between two scans, where an end makes a coarser image and no broken one
        with pytest.raises(FrameUndecodable, match="JPEG"):
            codecs.decode(data[:cut] + b"\xff\xd9")


def test_a_damaged_jpeg_is_refused_or_shown_as_pillow_shows_it() -> None:
    for options in ({}, {"progressive": True}, {"restart_marker_rows": 1}):
        data = encode(SMOOTH, "JPEG", **options)
        refused = 0
        places = range(2, len(data), max(1, len(data) // 250))
        for place in places:
            broken = data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :]
            try:
                found = codecs.decode(broken)
            except FrameError:
                refused += 1
                continue
            # A changed coefficient or table that still makes sense can't be told from a true one.
            assert (found == np.asarray(Image.open(io.BytesIO(broken)).convert("RGB"))).all()
        assert refused > len(places) // 4


def test_zeros_that_a_camera_pads_with_are_no_damage_but_a_lost_rest_is() -> None:
    data = encode(SMOOTH, "JPEG")
    assert (codecs.decode(data[:-2] + bytes(12) + data[-2:]) == codecs.decode(data)).all()
    for padding in (b"\1\2\3", bytes(2000)):
        with pytest.raises(FrameUndecodable, match="extraneous"):
            codecs.decode(data[:-2] + padding + data[-2:])


def test_what_follows_the_end_of_a_jpeg_is_no_harm() -> None:
    data = encode(SMOOTH, "JPEG")
    assert (codecs.decode(data + b"junk" * 99) == codecs.decode(data)).all()


def test_scans_that_only_cost_time_are_refused() -> None:
    data = encode(SMOOTH, "JPEG", progressive=True)
    last_scan = data[data.rindex(b"\xff\xda") : -2]
    with pytest.raises(FrameUndecodable, match="more than 32 scans"):
        codecs.decode(data[:-2] + last_scan * 40 + data[-2:])


def test_a_jpeg_of_two_sizes_is_refused_before_the_larger_is_unpacked() -> None:
    data = encode(SMOOTH, "JPEG")
    start = data.index(b"\xff\xc0")
    length = int.from_bytes(data[start + 2 : start + 4], "big") + 2
    frame_header = data[start : start + length]
    larger = frame_header[:5] + struct.pack(">HH", 9000, 9000) + frame_header[9:]
    for headers in (larger + frame_header, frame_header + larger):
        with pytest.raises(FrameError):
            codecs.decode(data[:start] + headers + data[start + length :])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_of_a_jpeg_is_applied_as_pillow_applies_it(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(SMOOTH, "JPEG", exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    found = codecs.decode(data)
    assert found.shape == expected.shape
    assert (found == expected).all()
    assert found.flags.c_contiguous


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = {
        1: PIXELS,
        2: PIXELS[:, ::-1],
        3: PIXELS[::-1, ::-1],
        4: PIXELS[::-1],
        5: PIXELS.transpose(1, 0, 2),
        6: np.rot90(PIXELS, 1),
        7: np.rot90(PIXELS, 2).transpose(1, 0, 2),
        8: np.rot90(PIXELS, -1),
    }[orientation]
    data = encode(Image.fromarray(np.ascontiguousarray(stored)), "PNG", exif=exif)
    assert (codecs.decode(data) == PIXELS).all()


def test_odd_pixel_layouts_become_rgb() -> None:
    grey = PIXELS[..., 0]
    three = np.repeat(grey[..., None], 3, axis=2)
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    alpha = Image.fromarray(np.dstack([PIXELS, np.full(grey.shape, 7, np.uint8)]), "RGBA")
    assert (codecs.decode(encode(Image.fromarray(grey), "PNG")) == three).all()
    assert (codecs.decode(encode(deep, "PNG")) == three).all()
    assert (codecs.decode(encode(deep, "TIFF")) == three).all()
    assert (codecs.decode(encode(alpha, "PNG")) == PIXELS).all()
    assert (codecs.decode(encode(Image.fromarray(grey).convert("LA"), "PNG")) == three).all()
    palette = Image.fromarray(PIXELS).quantize(16)
    assert (codecs.decode(encode(palette, "PNG")) == np.asarray(palette.convert("RGB"))).all()
    black_and_white = Image.fromarray(grey > 127)
    assert set(np.unique(codecs.decode(encode(black_and_white, "PNG")))) == {0, 255}
    assert codecs.decode(encode(Image.fromarray(PIXELS).convert("CMYK"), "JPEG")).shape == PIXELS.shape


def test_of_an_animation_the_first_frame_counts() -> None:
    first, second = Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)
    data = encode(first, "WEBP", save_all=True, append_images=[second], lossless=True)
    assert (codecs.decode(data) == PIXELS).all()


@pytest.mark.parametrize("form", codecs.FORMATS)
def test_every_truncation_is_a_frame_error_and_never_another(form: str) -> None:
    data = encode(Image.fromarray(PIXELS), form)
    for cut in sorted({0, 1, 4, 10, len(data) // 3, len(data) // 2, len(data) - 30}):
        with pytest.raises(FrameError):
            codecs.decode(data[:cut])


@pytest.mark.parametrize("form", codecs.FORMATS)
def test_flipped_bytes_decode_or_are_a_frame_error(form: str) -> None:
    data = bytearray(encode(Image.fromarray(PIXELS), form))
    for place in range(0, len(data), max(1, len(data) // 120)):
        broken = bytes(data[:place]) + bytes([data[place] ^ 0xFF]) + bytes(data[place + 1 :])
        try:
            decoded = codecs.decode(broken)
        except FrameError:
            continue
        assert decoded.dtype == np.uint8
        assert decoded.ndim == 3


@pytest.mark.parametrize(
    "data", [b"", b"hello, I am a text file\n" * 20, b"GIF89a" + bytes(60), b"%PDF-1.7\n" + bytes(99)]
)
def test_what_is_no_image_of_ours_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(FrameUndecodable, match="JPEG, PNG, WebP, BMP or TIFF"):
        codecs.decode(data)


def _png_claiming(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_limits_hold_before_a_pixel_is_decoded() -> None:
    with pytest.raises(FrameTooLarge, match="60000 x 60000"):
        codecs.decode(_png_claiming(60000, 60000))
    data = encode(Image.fromarray(PIXELS), "PNG")
    with pytest.raises(FrameTooLarge, match=f"{len(data)} bytes"):
        codecs.decode(data, Limits(max_bytes=len(data) - 1))
    with pytest.raises(FrameTooLarge, match="40 x 24"):
        codecs.decode(data, Limits(max_pixels=24 * 40 - 1))
    assert codecs.decode(data, Limits(max_bytes=len(data), max_pixels=24 * 40)).shape == (24, 40, 3)


def test_a_mask_survives_as_palette_png_that_any_reader_shows_in_colour() -> None:
    mask: npt.NDArray[np.uint8] = RNG.integers(0, 8, (33, 51), np.uint8)
    data = codecs.encode_mask(mask)
    image = Image.open(io.BytesIO(data))
    assert image.mode == "P"
    assert (np.asarray(image) == mask).all()
    assert (np.asarray(image.convert("RGB")) == categories.PALETTE[mask]).all()
    assert (codecs.decode_mask(data) == mask).all()


def test_a_mask_with_several_channels_is_refused() -> None:
    with pytest.raises(FrameUndecodable, match="one channel"):
        codecs.decode_mask(encode(Image.fromarray(PIXELS), "PNG"))


def test_reading_a_file_names_it(tmp_path: Path) -> None:
    with pytest.raises(FrameUndecodable, match=r"missing\.png"):
        codecs.read_frame(tmp_path / "missing.png")
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(FrameUndecodable, match=r"text\.png"):
        codecs.read_frame(tmp_path / "text.png")
