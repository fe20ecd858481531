"""The boundary F-score against distances that are computed pair by pair."""

from __future__ import annotations

from math import hypot

import numpy as np
import pytest

from runtime import categories
from runtime.boundaries import BoundaryScores, near, outline


def by_hand(mask, category):
    """The outline pixels of a category, by its definition, pixel by pixel."""
    height, width = mask.shape
    return [
        (y, x)
        for y in range(height)
        for x in range(width)
        if mask[y, x] == category
        and any(
            0 <= y + dy < height and 0 <= x + dx < width and mask[y + dy, x + dx] not in (0, category)
            for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0))
        )
    ]


def share_near(some, others, reach):
    return sum(any(hypot(y - v, x - u) <= reach for v, u in others) for y, x in some) / len(some)


def f_by_hand(truth, prediction, category, tolerance):
    seen = np.where(truth == 0, 0, prediction)
    wanted, made = by_hand(truth, category), by_hand(seen, category)
    if not wanted and not made:
        return None
    if not wanted or not made:
        return 0.0
    reach = tolerance * hypot(*truth.shape)
    precision, recall = share_near(made, wanted, reach), share_near(wanted, made, reach)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def blocks(rng, height, width):
    """Random masks with areas: coarse noise, enlarged."""
    coarse = rng.integers(0, 8, (height // 4 + 1, width // 4 + 1), np.uint8)
    return np.repeat(np.repeat(coarse, 4, 0), 4, 1)[:height, :width]


@pytest.mark.parametrize("tolerance", [0.0075, 0.05, 0.12])
@pytest.mark.parametrize("seed", range(4))
def test_it_is_what_distances_pair_by_pair_give(seed, tolerance):
    rng = np.random.default_rng(seed)
    truth = blocks(rng, 19, 30)
    prediction = np.roll(truth, (1, 2), (0, 1))
    prediction[rng.random(truth.shape) < 0.05] = 4
    prediction[prediction == 0] = 1
    scores = BoundaryScores(tolerance)
    scores.add(truth, prediction)
    wanted = {categories.NAMES[i]: f_by_hand(truth, prediction, i, tolerance) for i in categories.SCORED}
    assert scores.f_score() == pytest.approx(wanted)


def test_it_is_the_mean_over_the_frames_that_have_the_category():
    rng = np.random.default_rng(5)
    frames = [(blocks(rng, 16, 24), np.clip(blocks(rng, 16, 24), 1, 7)) for _ in range(3)]
    scores = BoundaryScores(0.05)
    for truth, prediction in frames:
        scores.add(truth, prediction)
    of_sky = [v for v in (f_by_hand(t, p, 5, 0.05) for t, p in frames) if v is not None]
    assert scores.f_score()["sky"] == pytest.approx(np.mean(of_sky))
    assert scores.frames[5] == len(of_sky)


def test_a_mask_against_itself_is_perfect_and_a_frame_of_one_category_counts_nowhere():
    truth = blocks(np.random.default_rng(6), 40, 60)
    scores = BoundaryScores()
    scores.add(truth, np.where(truth == 0, 3, truth).astype(np.uint8))
    there = [value for value in scores.f_score().values() if value is not None]
    assert there == [1.0] * len(there)
    assert there
    alone = BoundaryScores()
    alone.add(np.full((9, 9), 2, np.uint8), np.full((9, 9), 2, np.uint8))
    assert set(alone.f_score().values()) == {None}


def test_an_outline_shifted_by_less_than_the_tolerance_is_right_and_by_more_is_wrong():
    truth, shifted = np.ones((300, 400), np.uint8), np.ones((300, 400), np.uint8)  # the diagonal is 500, 0.75 % is 3.75
    truth[:, 200:] = 2
    for shift, value in ((3, 1.0), (4, 0.0)):
        shifted[:] = 1
        shifted[:, 200 + shift :] = 2
        scores = BoundaryScores()
        scores.add(truth, shifted)
        assert scores.f_score()["flat"] == value
        assert scores.precision()["construction"] == scores.recall()["construction"] == value


def test_an_edge_against_void_is_no_outline():
    mask = np.zeros((6, 6), np.uint8)
    mask[2:4, 2:4] = 7
    assert not outline(mask).any()
    assert not near(outline(mask), 3.0).any()
