"""The expected calibration error against a plain loop over pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from runtime.calibration import BINS, Reliability
from runtime.errors import DataInvalid


def by_hand(truth: np.ndarray, mask: np.ndarray, confidence: np.ndarray) -> float:
    """Guo et al.: bin m holds the confidences in ((m - 1) / 15, m / 15]; 0 goes into the first."""
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(15)]
    for t, m, c in zip(truth.ravel().tolist(), mask.ravel().tolist(), confidence.ravel().tolist(), strict=True):
        if t != 0:
            index = next(i for i in range(15) if c * 15 <= (i + 1) * 255)
            bins[index].append((c / 255, t == m))
    total = sum(map(len, bins))
    return sum(abs(sum(c for c, _ in b) - sum(right for _, right in b)) for b in bins) / total


def drawn(seed: int, shape: tuple[int, int] = (40, 50)) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    return (
        rng.integers(0, 8, shape, np.uint8),
        rng.integers(1, 8, shape, np.uint8),
        rng.integers(0, 256, shape, np.uint8),
    )


@pytest.mark.parametrize("seed", range(3))
def test_the_error_is_what_a_plain_loop_gives(seed: int) -> None:
    frame = drawn(seed)
    reliability = Reliability()
    reliability.add(*frame)
    assert reliability.error() == pytest.approx(by_hand(*frame), abs=1e-12)
    assert sum(one["pixels"] for one in reliability.bins()) == (frame[0] > 0).sum()


def test_frames_add_up_however_they_are_gathered() -> None:
    whole, first, second = Reliability(), Reliability(), Reliability()
    for one, seeds in ((whole, (1, 2)), (first, (1,)), (second, (2,))):
        for seed in seeds:
            one.add(*drawn(seed))
    first.merge(second)
    assert first.summary() == whole.summary()
    together = [np.concatenate(parts) for parts in zip(drawn(1), drawn(2), strict=True)]
    assert whole.error() == pytest.approx(by_hand(*together), abs=1e-12)


def test_a_border_belongs_to_the_bin_below_it() -> None:
    for value, place in ((0, 0), (17, 0), (18, 1), (34, 1), (238, 13), (239, 14), (255, 14)):
        reliability = Reliability()
        reliability.add(*(np.array([[one]], np.uint8) for one in (1, 1, value)))
        assert [one["pixels"] for one in reliability.bins()] == [int(i == place) for i in range(BINS)]


def test_confidence_that_is_right_as_often_as_it_says_has_no_error() -> None:
    truth = np.ones((1, 255), np.uint8)
    mask = np.where(np.arange(255) < 204, 1, 2).astype(np.uint8)[None]
    reliability = Reliability()
    reliability.add(truth, mask, np.full((1, 255), 204, np.uint8))
    assert reliability.error() == 0
    (full,) = (one for one in reliability.bins() if one["pixels"])
    assert (full["confidence"], full["accuracy"], full["pixels"]) == (0.8, 0.8, 255)


def test_without_a_scored_pixel_there_is_no_error() -> None:
    reliability = Reliability()
    assert reliability.error() is None
    reliability.add(*(np.zeros((2, 2), np.uint8),) * 3)
    assert reliability.summary()["ece"] is None
    assert all(one["confidence"] is None and one["accuracy"] is None for one in reliability.bins())


def test_shapes_that_differ_are_refused() -> None:
    one, other = np.ones((2, 3), np.uint8), np.ones((3, 2), np.uint8)
    with pytest.raises(DataInvalid, match="must be alike"):
        Reliability().add(one, one, other)
