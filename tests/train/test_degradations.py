"""Light, weather, sharpness, noise and compression of training frames."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from train import degradations
from train.settings import Augmentation

PLAIN = Augmentation().scaled(0)
STEPS = ("colour", "exposure", "veil", "blur", "sharpen", "noise", "jpeg")


def scene(height: int = 64, width: int = 96) -> np.ndarray:
    """Coloured blocks of 8 pixels with some texture."""
    rng = np.random.default_rng(0)
    small = rng.integers(30, 220, (height // 8, width // 8, 3)).astype(np.uint8)
    texture = rng.integers(-12, 13, (height, width, 1))
    return np.clip(np.kron(small, np.ones((8, 8, 1), np.uint8)) + texture, 0, 255).astype(np.uint8)


def only(step: str) -> Augmentation:
    return replace(PLAIN, **{step: 1.0})


@pytest.mark.parametrize("step", STEPS)
def test_each_step_changes_the_frame_and_keeps_its_form(step: str) -> None:
    frame = scene()
    given = frame.copy()
    for seed in range(12):
        worse = degradations.degrade(frame, only(step), np.random.default_rng(seed))
        assert worse.shape == frame.shape
        assert worse.dtype == np.uint8
        assert (worse != frame).any()
    assert (frame == given).all()


def test_a_probability_of_nothing_is_the_frame_itself() -> None:
    frame = scene()
    assert (degradations.degrade(frame, PLAIN, np.random.default_rng(0)) == frame).all()


@pytest.mark.parametrize("step", STEPS)
def test_the_same_seed_gives_the_same_pixels(step: str) -> None:
    first, second = (degradations.degrade(scene(), only(step), np.random.default_rng(7)) for _ in range(2))
    assert (first == second).all()


@pytest.mark.parametrize("step", STEPS)
def test_the_scene_is_still_there(step: str) -> None:
    """On average over many draws; the mask of a frame that shows nothing would teach nothing."""
    frame = cv2.cvtColor(scene(), cv2.COLOR_RGB2GRAY).astype(float)
    likeness = [
        np.corrcoef(
            frame.ravel(),
            cv2.cvtColor(
                degradations.degrade(scene(), only(step), np.random.default_rng(seed)), cv2.COLOR_RGB2GRAY
            ).ravel(),
        )[0, 1]
        for seed in range(40)
    ]
    assert np.median(likeness) > 0.7


def test_sharpening_raises_and_blur_lowers_the_detail() -> None:
    def detail(step: str, seed: int) -> float:
        made = degradations.degrade(scene(), only(step), np.random.default_rng(seed))
        return float(cv2.Laplacian(cv2.cvtColor(made, cv2.COLOR_RGB2GRAY), cv2.CV_32F).std())

    plain = float(cv2.Laplacian(cv2.cvtColor(scene(), cv2.COLOR_RGB2GRAY), cv2.CV_32F).std())
    for seed in range(8):
        assert detail("sharpen", seed) > plain
        assert detail("blur", seed) < plain


def test_noise_has_no_bias() -> None:
    grey = np.full((64, 96, 3), 128, np.uint8)
    means = [degradations.degrade(grey, only("noise"), np.random.default_rng(seed)).mean() for seed in range(60)]
    assert abs(np.mean(means) - 128) < 1.5


def test_a_veil_brightens_a_dark_frame_here_more_than_there() -> None:
    dark = np.full((96, 144, 3), 20, np.uint8)
    spread = [
        np.ptp(degradations.degrade(dark, only("veil"), np.random.default_rng(seed)).mean(-1)) for seed in range(30)
    ]
    assert np.median(spread) > 40


def test_a_veil_turns_no_bright_pixel_black() -> None:
    bright = np.full((96, 144, 3), 250, np.uint8)
    for seed in range(120):
        assert degradations.degrade(bright, only("veil"), np.random.default_rng(seed)).min() > 60


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 90), (17, 3)])
def test_frames_of_a_few_pixels_pass(height: int, width: int) -> None:
    frame = np.full((height, width, 3), 99, np.uint8)
    for step in STEPS:
        for seed in range(25):
            made = degradations.degrade(frame, only(step), np.random.default_rng(seed))
            assert made.shape == frame.shape


def test_clouds_fill_0_to_1() -> None:
    for seed in range(5):
        field = degradations.clouds(40, 60, np.random.default_rng(seed))
        assert field.shape == (40, 60)
        assert (field.min(), field.max()) == (0, 1)
