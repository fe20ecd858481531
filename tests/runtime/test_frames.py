from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from runtime import frames
from runtime.frames import Geometry

SIZES = [(1024, 2048), (360, 480), (1080, 1920), (720, 1280), (256, 512), (1, 1), (1, 20000), (20000, 1), (777, 333)]


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_the_input_keeps_to_stride_budget_and_aspect(height: int, width: int) -> None:
    geometry = Geometry()
    where = frames.plan(height, width, geometry)
    assert where.height % 32 == where.width % 32 == 0
    assert where.height * where.width <= geometry.pixel_budget
    assert 1 <= where.content_height <= where.height < where.content_height + 32
    assert 1 <= where.content_width <= where.width < where.content_width + 32
    # Rounding to whole pixels is the only distortion: the exact scale lies within half a pixel of both sides.
    low = max((where.content_height - 0.51) / height, (where.content_width - 0.51) / width)
    high = min((where.content_height + 0.51) / height, (where.content_width + 0.51) / width)
    assert low <= high or 1 in (where.content_height, where.content_width)
    assert where.content_height <= 2 * height + 1
    assert where.content_width <= 2 * width + 1


def test_no_larger_scale_would_have_fitted_the_budget() -> None:
    for height, width in SIZES[:5]:
        where = frames.plan(height, width, Geometry(max_upscale=100))
        scale = where.content_height / height * 1.02
        padded = [-(-round(side * scale) // 32) * 32 for side in (height, width)]
        assert padded[0] * padded[1] > Geometry().pixel_budget


def test_a_cityscapes_frame_is_halved_without_padding() -> None:
    where = frames.plan(1024, 2048, Geometry())
    assert (where.height, where.width, where.content_height, where.content_width) == (512, 1024, 512, 1024)


def test_a_fixed_size_is_kept_whatever_the_frame() -> None:
    for height, width in SIZES:
        where = frames.plan(height, width, Geometry(fixed=(256, 512)))
        assert (where.height, where.width) == (256, 512)
        assert where.content_height <= 256
        assert where.content_width <= 512


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_fit_and_restore_give_the_promised_sizes(height: int, width: int) -> None:
    where = frames.plan(height, width, Geometry())
    image = frames.fit(np.zeros((height, width, 3), np.uint8), where)
    assert image.shape == (where.height, where.width, 3)
    assert frames.restore(np.ones((where.height, where.width), np.uint8), where).shape == (height, width)


def test_padding_repeats_the_border_at_the_right_and_at_the_bottom() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (360, 480, 3), np.uint8)
    where = frames.plan(360, 480, Geometry())
    image = frames.fit(frame, where)
    assert where.content_height < where.height or where.content_width < where.width
    assert (image[where.content_height :] == image[where.content_height - 1]).all()
    assert (image[:, where.content_width :] == image[:, where.content_width - 1 : where.content_width]).all()


@pytest.mark.parametrize(("height", "width"), [(1024, 2048), (360, 480), (1080, 1920), (250, 333), (97, 1501)])
def test_a_mask_comes_back_aligned_to_the_pixel(height: int, width: int) -> None:
    """Each pixel takes the id whose centre is nearest: at a vertical and a horizontal edge, to the pixel."""
    where = frames.plan(height, width, Geometry())
    edge_y, edge_x = where.content_height // 3, where.content_width // 2
    mask = np.ones((where.height, where.width), np.uint8)
    mask[edge_y:], mask[:, edge_x:] = 3, 5
    restored = frames.restore(mask, where)
    rows = ((np.arange(height) + 0.5) * where.content_height / height) // 1
    columns = ((np.arange(width) + 0.5) * where.content_width / width) // 1
    expected = np.where(columns[None] >= edge_x, 5, np.where(rows[:, None] >= edge_y, 3, 1))
    assert (restored != expected).mean() < 1e-3  # a centre that lies exactly between two may go either way


def test_masks_are_resized_as_pillow_does_with_nearest() -> None:
    mask = np.random.default_rng(1).integers(0, 8, (120, 250), np.uint8)
    for height, width in ((240, 500), (333, 777), (60, 125), (50, 99)):
        expected = np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST))
        assert (frames.resize_mask(mask, height, width) == expected).mean() > 0.999


def test_frames_shrink_by_area_as_pillow_does_with_box() -> None:
    frame = np.random.default_rng(2).integers(0, 256, (128, 256, 3), np.uint8)
    expected = np.asarray(Image.fromarray(frame).resize((128, 64), Image.Resampling.BOX), np.int16)
    assert np.abs(frames.resize(frame, 64, 128).astype(np.int16) - expected).max() <= 1


def test_a_frame_without_pixels_and_a_budget_without_a_block_are_refused() -> None:
    with pytest.raises(ValueError, match="no pixels"):
        frames.plan(0, 10, Geometry())
    with pytest.raises(ValueError, match="block"):
        frames.plan(10, 10, Geometry(pixel_budget=100))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 3), (7, 5), (512, 1024)])
def test_doubling_a_mask_is_what_any_nearest_resize_gives(height, width):
    mask = np.random.default_rng(height).integers(0, 8, (height, width), np.uint8)
    doubled = frames.resize_mask(mask, 2 * height, 2 * width)
    assert doubled.dtype == np.uint8
    np.testing.assert_array_equal(doubled, mask.repeat(2, axis=0).repeat(2, axis=1))
    np.testing.assert_array_equal(
        doubled, cv2.resize(mask, (2 * width, 2 * height), interpolation=cv2.INTER_NEAREST_EXACT)
    )
