"""Regions, sizes, rates and intervals, each against a plain count."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from runtime import categories
from runtime.errors import DataInvalid
from runtime.metrics import Confusion
from runtime.segment_analysis import SIZE_EDGES, Analysis, FrameScore, SizeScores, interval, rates


def random_pair(seed, height=37, width=61):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 8, (height // 5 + 1, width // 5 + 1), np.uint8)
    truth = np.repeat(np.repeat(coarse, 5, 0), 5, 1)[:height, :width]
    prediction = np.where(rng.random(truth.shape) < 0.3, rng.integers(1, 8, truth.shape), truth).astype(np.uint8)
    return np.ascontiguousarray(truth), np.maximum(prediction, 1)


@pytest.mark.parametrize("size", [(37, 61), (3, 5), (256, 512)])
def test_the_regions_hold_every_pixel_once(size):
    analysis, whole = Analysis(), Confusion()
    for seed in range(3):
        truth, prediction = random_pair(seed, *size)
        analysis.add(truth, prediction)
        whole.add(truth, prediction)
    together = sum(cell.matrix for row in analysis.cells for cell in row)
    np.testing.assert_array_equal(together, whole.matrix)
    np.testing.assert_array_equal(analysis.confusion.matrix, whole.matrix)
    np.testing.assert_array_equal(sum(frame.matrix for frame in analysis.frames), whole.matrix)


def test_a_region_tells_the_place():
    truth = np.full((40, 80), 5, np.uint8)
    prediction = truth.copy()
    prediction[30:, 70:] = 1  # the cell at the bottom right, of 4 x 8
    analysis = Analysis()
    analysis.add(truth, prediction)
    wrong = [(r, c) for r, row in enumerate(analysis.cells) for c, cell in enumerate(row) if cell.accuracy() != 1]
    assert wrong == [(3, 7)]


def test_precision_and_recall_are_plain_counts():
    truth, prediction = random_pair(1)
    confusion = Confusion()
    confusion.add(truth, prediction)
    for name, (precision, recall) in rates(confusion).items():
        i = categories.NAMES.index(name)
        right = np.sum((truth == i) & (prediction == i))
        assert precision == pytest.approx(right / np.sum((prediction == i) & (truth != 0)))
        assert recall == pytest.approx(right / np.sum(truth == i))


def test_without_a_pixel_there_is_no_rate():
    confusion = Confusion()
    confusion.add(np.zeros((4, 4), np.uint8), np.ones((4, 4), np.uint8))
    assert set(rates(confusion).values()) == {(None, None)}
    assert FrameScore(confusion.matrix).mean_iou() is None


@pytest.mark.parametrize("seed", range(3))
def test_parts_by_size_are_those_of_connected_components(seed):
    truth, prediction = random_pair(seed, 50, 80)
    scores = SizeScores(6)
    scores.add(truth, prediction)
    labels, stats = cv2.connectedComponentsWithStats((truth == 6).astype(np.uint8), connectivity=8)[1:3]
    parts = np.zeros(len(SIZE_EDGES) + 1, int)
    recalls = np.zeros(len(parts))
    for label in range(1, labels.max() + 1):
        area = stats[label, cv2.CC_STAT_AREA]
        where = sum(area >= edge * truth.size for edge in SIZE_EDGES)
        parts[where] += 1
        recalls[where] += np.mean(prediction[labels == label] == 6)
    np.testing.assert_array_equal(scores.parts, parts)
    np.testing.assert_allclose(scores.recalls, recalls)


def test_hits_misses_and_false_pixels_sum_to_the_confusion():
    analysis = Analysis()
    for seed in range(4):
        analysis.add(*random_pair(seed))
    only_road = np.ones((20, 20), np.uint8)
    false = only_road.copy()
    false[:3, :3] = 6
    analysis.add(only_road, false)
    for name, scores in analysis.sizes.items():
        i = categories.NAMES.index(name)
        matrix = analysis.confusion.matrix
        assert scores.hits.sum() == matrix[i, i]
        assert scores.missed.sum() == matrix[i].sum() - matrix[i, i]
        assert scores.false.sum() + scores.false_alone == matrix[1:, i].sum() - matrix[i, i]
    assert analysis.sizes["human"].false_alone == 9


def test_false_pixels_belong_to_the_nearest_part():
    truth = np.ones((100, 100), np.uint8)
    truth[50, 10] = 6  # a hundredth of a percent: the second bin
    truth[10:40, 60:90] = 6  # 9 %: the last
    prediction = truth.copy()
    prediction[50, 12:15] = 6
    prediction[50, 10] = 1
    prediction[41, 70:75] = 6
    scores = SizeScores(6)
    scores.add(truth, prediction)
    assert scores.parts.tolist() == [0, 1, 0, 0, 0, 1]
    assert scores.false.tolist() == [0, 3, 0, 0, 0, 5]
    assert scores.lost.tolist() == [0, 1, 0, 0, 0, 0]
    assert scores.found.tolist() == [0, 0, 0, 0, 0, 1]
    assert scores.iou() == [None, 0.0, None, None, None, pytest.approx(900 / 905)]


def test_a_frames_mean_leaves_out_what_is_hardly_there():
    truth = np.ones((50, 50), np.uint8)
    truth[0, :2] = 6  # 2 of 2500 pixels are below a thousandth
    analysis = Analysis()
    analysis.add(truth, np.ones((50, 50), np.uint8))
    assert analysis.frames[0].mean_iou() == pytest.approx(2498 / 2500)


def test_the_interval_holds_the_mean_and_narrows_with_frames():
    matrices = []
    for seed in range(40):
        analysis = Analysis()
        analysis.add(*random_pair(seed))
        matrices.append(analysis.frames[0].matrix)
    whole = Confusion()
    whole.matrix = sum(matrices)
    few, many = interval(matrices[:5]), interval(matrices)
    assert many[0] < whole.mean_iou() < many[1]
    assert many[1] - many[0] < few[1] - few[0]
    assert interval(matrices[:1]) is None
    assert interval([matrices[0]] * 6) == pytest.approx(interval([matrices[0]] * 2))


def test_masks_of_two_sizes_are_refused():
    with pytest.raises(DataInvalid, match="alike"):
        Analysis().add(np.ones((4, 4), np.uint8), np.ones((4, 5), np.uint8))
