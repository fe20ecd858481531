"""Ground truth in each of its usual codings gives the same category ids, and what means nothing is refused."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from cityscapesscripts.helpers import labels as official
from PIL import Image

from runtime import categories, codecs, truth
from runtime.codecs import Limits
from runtime.errors import DataInvalid, FrameTooLarge, FrameUndecodable

Ids = npt.NDArray[np.uint8]

COLOR_OF_LABEL = np.array([color for _, label_id, color in truth.LABELS if label_id >= 0], np.uint8)
EVERY_LABEL = np.arange(34, dtype=np.uint8).reshape(2, 17)


def encoded(pixels: npt.NDArray[Any] | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def with_palette(indices: Ids, colors: npt.NDArray[np.uint8]) -> Image.Image:
    image = Image.fromarray(indices, "L")
    image.putpalette(colors.ravel().tolist())
    return image


def scored_category(label: Any) -> int:
    return 0 if label.ignoreInEval else label.categoryId


EXPECTED = np.array([scored_category(official.id2label[int(i)]) for i in EVERY_LABEL.ravel()], np.uint8).reshape(2, 17)
EXPECTED_BY_COLOR = np.where(EVERY_LABEL == 18, 3, EXPECTED).astype(np.uint8)
"""Polegroup, which is not scored, has the colour of pole, which is."""


def test_the_labels_are_those_of_cityscapes() -> None:
    assert tuple((label.name, label.id, label.color) for label in official.labels) == truth.LABELS


def test_label_ids_become_what_is_scored() -> None:
    read = truth.read(encoded(EVERY_LABEL))
    assert read.kind == "label_ids"
    np.testing.assert_array_equal(read.mask, EXPECTED)


def test_category_ids_stay_as_they_are() -> None:
    ids = np.arange(8, dtype=np.uint8).reshape(2, 4)
    read = truth.read(encoded(ids))
    assert (read.kind, read.mask.dtype) == ("category_ids", np.uint8)
    np.testing.assert_array_equal(read.mask, ids)


@pytest.mark.parametrize("alpha", [None, 255, 0])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_colors_become_what_is_scored_and_alpha_is_dropped(alpha: int | None, kind: str) -> None:
    pixels = COLOR_OF_LABEL[EVERY_LABEL]
    if alpha is not None:
        pixels = np.dstack([pixels, np.full((2, 17), alpha, np.uint8)])
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    read = truth.read(encoded(pixels, kind, **options))
    assert read.kind == "colors"
    np.testing.assert_array_equal(read.mask, EXPECTED_BY_COLOR)


def test_colors_of_many_rows_keep_their_places() -> None:
    label_ids = np.random.default_rng(0).integers(0, 34, (300, 701), np.uint8)
    read = truth.read(encoded(COLOR_OF_LABEL[label_ids]))
    by_color = np.zeros(34, np.uint8)
    by_color[EVERY_LABEL] = EXPECTED_BY_COLOR
    np.testing.assert_array_equal(read.mask, by_color[label_ids])


def test_a_mask_of_ours_is_read_by_its_ids() -> None:
    ids = np.arange(8, dtype=np.uint8).reshape(2, 4)
    read = truth.read(codecs.encode_mask(ids))
    assert read.kind == "category_ids"
    np.testing.assert_array_equal(read.mask, ids)


def test_a_palette_that_agrees_with_label_ids_leaves_them_label_ids() -> None:
    read = truth.read(encoded(with_palette(EVERY_LABEL, COLOR_OF_LABEL)))
    assert read.kind == "label_ids"
    np.testing.assert_array_equal(read.mask, EXPECTED)
    # Void and road alone: the palette tells that 7 is a road, and no vehicle.
    road = truth.read(encoded(with_palette(np.array([[0, 7]], np.uint8), COLOR_OF_LABEL)))
    assert (road.kind, road.mask.tolist()) == ("label_ids", [[0, 1]])


def test_palette_colors_that_contradict_the_ids_count() -> None:
    # As an image editor saves colours with a palette of its own; the train ids of mmsegmentation are of this kind too.
    shuffled = np.random.default_rng(1).permutation(34)
    indices = np.argsort(shuffled).astype(np.uint8)[EVERY_LABEL]
    read = truth.read(encoded(with_palette(indices, COLOR_OF_LABEL[shuffled])))
    assert read.kind == "colors"
    np.testing.assert_array_equal(read.mask, EXPECTED_BY_COLOR)
    # Colours that nothing uses don't matter.
    one = truth.read(encoded(with_palette(np.array([[0, 1]], np.uint8), np.array([[0, 0, 142], [70, 130, 180]]))))
    assert (one.kind, one.mask.tolist()) == ("colors", [[7, 5]])


@pytest.mark.parametrize(
    "palette",
    [
        np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1),
        np.zeros((256, 3), np.uint8),
        np.random.default_rng(2).integers(1, 60, (256, 3), np.uint8),
    ],
    ids=["greys", "black", "colours of others"],
)
def test_a_palette_that_says_nothing_leaves_the_ids(palette: Ids) -> None:
    read = truth.read(encoded(with_palette(EVERY_LABEL, palette)))
    assert read.kind == "label_ids"
    np.testing.assert_array_equal(read.mask, EXPECTED)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_a_pixel_hold_ids_too(bits: int) -> None:
    ids = (np.arange(12).reshape(2, 6) % min(8, 2**bits)).astype(np.uint8)
    np.testing.assert_array_equal(truth.read(encoded(with_palette(ids, categories.PALETTE), bits=bits)).mask, ids)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_grey_png_of_few_bits_is_not_spread_over_256_values(bits: int) -> None:
    ids = (np.arange(16).reshape(2, 8) % min(8, 2**bits)).astype(np.uint8)
    read = truth.read(grey_png(ids, bits))
    assert read.kind == "category_ids"
    np.testing.assert_array_equal(read.mask, ids)


def grey_png(ids: Ids, bits: int) -> bytes:
    """Pillow writes none of 2 or 4 bits."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = b""
    for row in ids:
        spread = np.unpackbits(row[:, None], axis=1)[:, 8 - bits :]
        rows += b"\0" + np.packbits(spread.ravel()).tobytes()
    header = struct.pack(">IIBBBBB", ids.shape[1], ids.shape[0], bits, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def test_orientation_is_applied() -> None:
    ids = np.array([[0, 1, 2], [3, 4, 5]], np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    turned = np.rot90(ids, -1)
    np.testing.assert_array_equal(truth.read(encoded(ids, exif=exif)).mask, turned)
    np.testing.assert_array_equal(truth.read(encoded(categories.PALETTE[ids], exif=exif)).mask, turned)


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.array([[0, 7, 33], [1, 34, 40]], np.uint8), ["34", "x 1, y 1", "0 to 33"]),
        (np.array([[0, 7, 26], [8, 30, 255]], np.uint8), ["255", "x 2, y 1", "0 to 33"]),
        (np.array([[0, 18], [255, 255]], np.uint8), ["255", "x 0, y 1", "train ids"]),
        (np.array([[0, 7], [1, 255]], np.uint8), ["255", "x 1, y 1", "train ids"]),
        (np.array([[[0, 0, 0], [128, 64, 129]]], np.uint8), ["(128, 64, 129)", "x 1, y 0", "losslessly"]),
        (np.array([[[0, 0, 0], [7, 7, 7]]], np.uint8), ["(7, 7, 7)", "one channel"]),
        (np.array([[0, 26001]], np.uint16), ["8 bits", "instance"]),
    ],
)
def test_what_means_nothing_is_refused_by_name_and_place(pixels: npt.NDArray[Any], words: list[str]) -> None:
    with pytest.raises(DataInvalid) as refused:
        truth.read(encoded(pixels))
    assert all(word in str(refused.value) for word in words), refused.value


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (encoded(EVERY_LABEL, "JPEG"), "JPEG"),
        (encoded(COLOR_OF_LABEL[EVERY_LABEL], "TIFF", compression="jpeg"), "JPEG"),
        (encoded(COLOR_OF_LABEL[EVERY_LABEL], "WEBP", quality=50), "losslessly"),
        (encoded(Image.new("CMYK", (2, 2)), "TIFF"), "CMYK"),
        (encoded(np.array([[0, 26001]], np.int32), "TIFF"), "8 bits"),
    ],
    ids=["JPEG", "JPEG in TIFF", "lossy WebP", "CMYK", "32 bits"],
)
def test_lossy_and_odd_images_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(DataInvalid, match=words):
        truth.read(data)


def test_limits_and_broken_files_are_told_as_of_any_image() -> None:
    noise = np.random.default_rng(0).integers(0, 8, (64, 64), np.uint8)
    whole = encoded(noise)
    for limits in (Limits(max_pixels=4095), Limits(max_bytes=len(whole) - 1)):
        with pytest.raises(FrameTooLarge):
            truth.read(whole, limits)
    for data in (whole[: len(whole) // 2], encoded(categories.PALETTE[noise])[:400], b"", b"junk"):
        with pytest.raises(FrameUndecodable):
            truth.read(data)
