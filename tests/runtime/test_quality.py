"""What a frame is flagged for, and what does not matter to it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from runtime import corruptions, frames, quality, scenes
from runtime.frames import Fit, Frame, Geometry
from runtime.quality import Quality

LIMITS = {"luma_low": 40.0, "luma_high": 220.0, "sharpness_low": 0.15, "confidence_low": 0.8}


def fitted(frame: Frame) -> tuple[Frame, Fit]:
    where = frames.plan(frame.shape[0], frame.shape[1], Geometry())
    return frames.fit(frame, where), where


def assess(frame: Frame, confidence: int | None = None, limits: dict[str, float] = LIMITS) -> Quality:
    image, where = fitted(frame)
    sure = None if confidence is None else np.full(image.shape[:2], confidence, np.uint8)
    return quality.assess(image, where, limits, sure)


@pytest.fixture(scope="module")
def street() -> Frame:
    return scenes.generate(3, 1024, 512).frame


def test_a_good_frame_has_no_flag(street: Frame) -> None:
    found = assess(street, 250)
    assert found.flags == ()
    assert 0.15 < found.sharpness < 1
    assert found.confidence == pytest.approx(250 / 255)


@pytest.mark.parametrize(
    ("change", "flags"),
    [
        (lambda f: (f * 0.2).astype(np.uint8), ("too dark",)),
        (lambda f: (255 - f * 0.1).astype(np.uint8), ("too bright",)),
        (lambda f: cv2.GaussianBlur(f, (0, 0), 8), ("blurred",)),
        (lambda f: corruptions.corrupt(f, "defocus_blur", 4), ("blurred",)),
        (lambda f: cv2.GaussianBlur((f * 0.2).astype(np.uint8), (0, 0), 8), ("too dark", "blurred")),
    ],
)
def test_a_spoilt_frame_is_flagged_for_what_spoils_it(street: Frame, change, flags) -> None:
    assert assess(change(street)).flags == flags


def test_a_network_that_is_unsure_flags_the_frame(street: Frame) -> None:
    assert assess(street, 203).flags == ("unlike the training data",)
    assert assess(street, 204).flags == ()
    assert assess(street).flags == ()
    assert assess(street).confidence is None


def test_without_thresholds_nothing_is_flagged() -> None:
    for value in (0, 255):
        assert assess(np.full((64, 64, 3), value, np.uint8), 0, {}).flags == ()


def test_luma_is_that_of_bt_601() -> None:
    for colour, luma in (((255, 0, 0), 76.2), ((0, 255, 0), 149.7), ((0, 0, 255), 29.1), ((9, 9, 9), 9)):
        assert assess(np.full((64, 128, 3), colour, np.uint8)).luma == pytest.approx(luma, abs=0.5)


def test_the_padding_does_not_count(street: Frame) -> None:
    image, where = fitted(street[:300, :410])
    assert (where.height, where.width) != (where.content_height, where.content_width)
    sure = np.full(image.shape[:2], 200, np.uint8)
    expected = quality.assess(image, where, LIMITS, sure)
    image[where.content_height :] = sure[where.content_height :] = 255
    image[:, where.content_width :] = sure[:, where.content_width :] = 0
    assert quality.assess(image, where, LIMITS, sure) == expected


def test_the_frame_s_size_hardly_matters(street: Frame) -> None:
    """What is sent is larger than what the network sees; it judges what it sees."""
    large = scenes.generate(3, 2048, 1024).frame
    assert assess(frames.resize(large, 512, 1024)) == assess(large)
    assert assess(large).sharpness == pytest.approx(assess(street).sharpness, rel=0.2)
    assert assess(large).luma == pytest.approx(assess(street).luma, rel=0.02)


def test_sharpness_is_the_ratio_of_mean_squared_differences() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (40, 60), np.uint8)
    values = cv2.GaussianBlur(grey, (0, 0), 2).astype(float)

    def ratio(picture: np.ndarray) -> float:
        near, far = (np.mean((picture[d:] - picture[:-d]) ** 2) for d in (2, 8))
        return float(near / far)

    expected = (ratio(values) * ratio(values.T)) ** 0.5
    assert quality.sharpness(values.astype(np.uint8)) == pytest.approx(expected, rel=1e-6)


def test_sharpness_ignores_contrast_and_falls_with_blur(street: Frame) -> None:
    grey = cv2.cvtColor(street, cv2.COLOR_RGB2GRAY)
    assert quality.sharpness(grey // 2) == pytest.approx(quality.sharpness(grey), rel=0.02)
    blurred = [quality.sharpness(cv2.GaussianBlur(grey, (0, 0), sigma)) for sigma in (0.5, 1, 2, 4, 8)]
    assert sorted(blurred, reverse=True) == blurred
    assert quality.sharpness(np.random.default_rng(0).integers(0, 256, (512, 512), np.uint8)) > 0.95


@pytest.mark.parametrize("size", [(1, 1), (4, 300), (300, 3), (9, 9)])
def test_a_frame_with_nothing_in_it_is_as_blurred_as_can_be(size: tuple[int, int]) -> None:
    found = assess(np.full((*size, 3), 90, np.uint8))
    assert found.sharpness == 1 / 16
    assert found.flags == ("blurred",)
