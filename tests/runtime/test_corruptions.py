"""The corruptions, held against the authors' constants, their formulas written out, and what each does to a frame."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

from runtime import scenes
from runtime.corruption_blurs import shuffled, streaked, zoomed
from runtime.corruption_weather import PANES, frozen_pane, plasma
from runtime.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from runtime.frames import Frame

RISING = sorted(set(CORRUPTIONS) - {"glass_blur", "snow", "frost", "fog"})
"""Of the other four, the published severities are ordered by what they do to a classifier, not by what they do to the
pixels: glass_blur shuffles once at severity 2 and three times at 3, the flakes of snow are finer at 3 than at 2, frost
and fog take the light away that they bring."""


@pytest.fixture(scope="module")
def streets() -> list[Frame]:
    return [scenes.generate(seed, 256, 128).frame for seed in range(3)]


def change(frames: list[Frame], name: str, severity: int) -> float:
    """The mean absolute difference, 0..255."""
    pairs = ((frame, corrupt(frame, name, severity, seed)) for seed, frame in enumerate(frames))
    return float(np.mean([np.abs(after.astype(int) - before).mean() for before, after in pairs]))


def test_the_constants_are_those_of_make_imagenet_c() -> None:
    published = {
        "gaussian_noise": [0.08, 0.12, 0.18, 0.26, 0.38],
        "shot_noise": [60, 25, 12, 5, 3],
        "impulse_noise": [0.03, 0.06, 0.09, 0.17, 0.27],
        "defocus_blur": [(3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)],
        "glass_blur": [(0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)],
        "motion_blur": [(10, 3), (15, 5), (15, 8), (15, 12), (20, 15)],
        "snow": [
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
            (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ],
        "frost": [(1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)],
        "fog": [(1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)],
        "brightness": [0.1, 0.2, 0.3, 0.4, 0.5],
        "contrast": [0.4, 0.3, 0.2, 0.1, 0.05],
        "pixelate": [0.6, 0.5, 0.4, 0.3, 0.25],
        "jpeg_compression": [25, 18, 15, 10, 7],
        # This one of Michaelis et al., as the module says.
        "elastic_transform": [12.5, 16.25, 21.25, 25, 30],
    }
    for name, constants in published.items():
        assert list(CORRUPTIONS[name].constants) == constants, name
    zooms = [(factors[0], round(factors[-1], 2), len(factors)) for factors in CORRUPTIONS["zoom_blur"].constants]
    # numpy.arange, as published: rounding lets 1.11 into the first.
    assert zooms == [(1, 1.11, 12), (1, 1.15, 16), (1, 1.2, 11), (1, 1.24, 13), (1, 1.3, 11)]
    assert set(CORRUPTIONS) == {*published, "zoom_blur"}
    assert len(CORRUPTIONS) == 15


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_is_the_same_every_time_and_another_for_another_frame(name: str, streets: list[Frame]) -> None:
    frame = streets[0]
    kept = frame.copy()
    first, again, other = (corrupt(frame, name, 3, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert np.array_equal(frame, kept), "the frame itself is left alone"
    assert not np.shares_memory(first, frame)
    drawn = {"noise", "weather"} | {"glass_blur", "motion_blur", "elastic_transform"}
    if drawn & {name, CORRUPTIONS[name].group} and name != "brightness":
        assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", RISING)
def test_more_severe_is_further_from_the_frame(name: str, streets: list[Frame]) -> None:
    changes = [change(streets, name, severity) for severity in SEVERITIES]
    assert changes == sorted(changes)
    assert changes[0] > 0


@pytest.mark.parametrize("name", sorted(set(CORRUPTIONS) - set(RISING)))
def test_the_others_are_most_severe_at_the_end(name: str, streets: list[Frame]) -> None:
    # Light frames hide what is white, so these are dark ones.
    dark = [frame // 2 for frame in streets] * 3
    assert change(dark, name, 5) > change(dark, name, 1) > 0


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 5), (1, 40), (40, 1)])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_any_size_and_any_grey_comes_back_as_a_frame(name: str, height: int, width: int, value: int) -> None:
    for severity in SEVERITIES:
        made = corrupt(np.full((height, width, 3), value, np.uint8), name, severity)
        assert (made.dtype, made.shape) == (np.uint8, (height, width, 3))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_full_size_frame_comes_back_as_one(name: str) -> None:
    frame = np.zeros((1024, 2048, 3), np.uint8)
    frame[:, ::2] = (200, 100, 50)
    # Every other column of a larger array: what is handed in need not lie in one piece.
    made = corrupt(frame[:, ::-1], name, 1)
    assert (made.dtype, made.shape) == (np.uint8, frame.shape)


@pytest.mark.parametrize(("name", "severity"), [("rain", 3), ("fog", 0), ("fog", 6)])
def test_what_there_is_not_is_refused(name: str, severity: int) -> None:
    with pytest.raises(ValueError, match=f"'{name}' of severity {severity}"):
        corrupt(np.zeros((4, 4, 3), np.uint8), name, severity)


def test_noise_has_the_published_strength() -> None:
    grey = np.full((300, 300, 3), 128, np.uint8)
    gaussian = corrupt(grey, "gaussian_noise", 1).astype(float)
    assert gaussian.mean() == pytest.approx(127.5, abs=0.3)
    assert gaussian.std() == pytest.approx(255 * 0.08, rel=0.01)
    shot = corrupt(grey, "shot_noise", 1).astype(float)
    assert shot.mean() == pytest.approx(127.5, abs=0.3)
    # Poisson's standard deviation is the root of its mean.
    assert shot.std() == pytest.approx(255 * np.sqrt(60 * 128 / 255) / 60, rel=0.02)
    impulse = corrupt(grey, "impulse_noise", 5)
    assert np.mean(impulse == 255) == pytest.approx(0.135, abs=0.003)
    assert np.mean(impulse == 0) == pytest.approx(0.135, abs=0.003)
    assert np.mean(impulse == 128) == pytest.approx(0.73, abs=0.004)


def test_brightness_is_value_of_hsv(streets: list[Frame]) -> None:
    frame = np.concatenate([streets[0][::16, ::16].reshape(-1, 3), [[0, 0, 0], [255, 0, 9]]]).astype(np.uint8)[None]
    made = corrupt(frame, "brightness", 3)
    for before, after in zip(frame[0], made[0], strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*(before / 255))
        expected = 255 * np.array(colorsys.hsv_to_rgb(hue, saturation, min(1, value + 0.3)))
        assert np.abs(after - expected).max() <= 1


def test_contrast_shrinks_each_channel_towards_its_mean(streets: list[Frame]) -> None:
    made = corrupt(streets[0], "contrast", 2)
    means = streets[0].mean((0, 1))
    assert np.abs(made - (0.3 * (streets[0] - means) + means)).max() <= 1


def test_the_shuffle_of_glass_blur_is_the_authors_loop() -> None:
    rng = np.random.default_rng(0)
    for height, width, reach in ((12, 15, 1), (20, 17, 2), (23, 31, 4), (8, 9, 4), (3, 3, 1)):
        inner = (height - 2 * reach, width - 2 * reach)
        steps = rng.integers(-reach, reach, (2, max(0, inner[0]), max(0, inner[1])), np.int32)
        pixels = np.arange(height * width * 3).reshape(height, width, 3)
        expected = pixels.copy()
        for y in range(height - reach, reach, -1):
            for x in range(width - reach, reach, -1):
                down, right = steps[:, y - reach - 1, x - reach - 1]
                expected[y, x] = expected[y + down, x + right]
        made = pixels.reshape(-1, 3)[shuffled(height, width, reach, steps)].reshape(pixels.shape)
        assert np.array_equal(made, expected)


def test_streaks_are_the_weighted_sum_of_shifted_copies() -> None:
    rng = np.random.default_rng(1)
    values = rng.random((60, 70), np.float32)
    weights = np.exp(-(np.arange(21) ** 2) / (2 * 3.0**2))
    for angle in (-120.0, -40.0, 0.0, 33.0):
        expected = np.zeros((20, 20))
        for i, weight in enumerate(weights / weights.sum()):
            down = int(np.ceil(i * np.sin(np.deg2rad(angle)) - 0.5))
            right = int(np.ceil(i * np.cos(np.deg2rad(angle)) - 0.5))
            expected += weight * values[25 + down : 45 + down, 25 + right : 45 + right]
        assert np.allclose(streaked(values, 10, 3.0, angle)[25:45, 25:45], expected, atol=1e-5)


def test_a_zoom_keeps_the_middle_and_enlarges_around_it() -> None:
    ramp = np.tile(np.arange(100, dtype=np.float32), (80, 1))
    assert np.array_equal(zoomed(ramp, 1.0), ramp)
    made = zoomed(ramp, 2.0)
    assert made.mean() == pytest.approx(49.5, abs=0.6)
    assert np.allclose(np.diff(made, axis=1), 0.5, atol=0.02)


def test_plasma_fills_its_range_and_is_rougher_with_less_decay() -> None:
    smooth, rough = (plasma(128, decay, np.random.default_rng(0)) for decay in (3.0, 1.4))
    for cloud in (smooth, rough):
        assert (cloud.shape, cloud.dtype) == ((128, 128), np.float32)
        assert (cloud.min(), cloud.max()) == (0, 1)
    assert np.abs(np.diff(rough, axis=1)).mean() > 2 * np.abs(np.diff(smooth, axis=1)).mean()


def test_frost_has_the_colour_and_the_contrast_of_the_photos() -> None:
    for which, (color, deviation, _) in enumerate(PANES):
        pane = frozen_pane(which)
        assert np.abs(pane.mean((0, 1)) - color).max() < 2
        assert pane.mean(axis=2).std() == pytest.approx(deviation, rel=0.05)
