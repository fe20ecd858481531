from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling as official
from PIL import Image

from runtime import categories
from runtime.errors import DataInvalid
from runtime.metrics import Confusion, agreement

LABEL_OF_CATEGORY = np.array([0, 7, 11, 17, 21, 23, 24, 26], np.uint8)


def official_category_scores(
    folder: Path, truths: list[npt.NDArray[np.uint8]], predictions: list[npt.NDArray[np.uint8]]
) -> tuple[dict[str, float], float]:
    """Category IoU and their mean, by cityscapesScripts' own evaluator, through files as it wants them."""
    pairs = ([], [])
    for index, (truth, prediction) in enumerate(zip(truths, predictions, strict=True)):
        for kind, pixels, paths in (("gtFine_labelIds", truth, pairs[0]), ("pred", prediction, pairs[1])):
            path = folder / f"town_{index:06d}_000000_{kind}.png"
            Image.fromarray(pixels).save(path)
            paths.append(str(path))
    arguments = official.args
    arguments.quiet, arguments.evalInstLevelScore, arguments.evalPixelAccuracy = True, False, False
    arguments.JSONOutput, arguments.exportFile = True, str(folder / "result.json")
    official.evaluateImgLists(pairs[1], pairs[0], arguments)
    result = json.loads((folder / "result.json").read_text())
    return result["categoryScores"], result["averageScoreCategories"]


@pytest.mark.filterwarnings("ignore")  # the evaluator is written for an older numpy
def test_iou_and_mean_are_those_of_the_official_evaluator(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    label_ids = np.arange(34, dtype=np.uint8)
    truths, predictions, confusion = [], [], Confusion()
    for _ in range(3):
        truth = rng.choice(label_ids, (60, 80))
        right = categories.FROM_LABEL_ID[truth]
        prediction = np.where(rng.random(truth.shape) < 0.7, right, rng.integers(0, 8, truth.shape)).astype(np.uint8)
        truths.append(truth)
        predictions.append(LABEL_OF_CATEGORY[prediction])
        confusion.add(categories.SCORED_FROM_LABEL_ID[truth], prediction)
    scores, mean = official_category_scores(tmp_path, truths, predictions)
    ours = confusion.iou()
    assert ours == pytest.approx({name: scores[name] for name in ours}, abs=1e-9)
    assert confusion.mean_iou() == pytest.approx(mean, abs=1e-9)


def test_a_perfect_prediction_scores_one_whatever_is_predicted_on_void() -> None:
    truth = np.array([[0, 1, 2, 3], [4, 5, 6, 7]], np.uint8)
    prediction = truth.copy()
    prediction[0, 0] = 7
    confusion = Confusion()
    confusion.add(truth, prediction)
    assert confusion.mean_iou() == 1
    assert confusion.accuracy() == 1


def test_a_category_that_occurs_nowhere_has_no_iou_and_is_not_in_the_mean() -> None:
    confusion = Confusion()
    confusion.add(np.array([[1, 1, 2, 2]], np.uint8), np.array([[1, 2, 2, 2]], np.uint8))
    assert confusion.iou()["sky"] is None
    assert confusion.mean_iou() == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert confusion.accuracy() == pytest.approx(3 / 4)


def test_nothing_scored_gives_no_figure() -> None:
    assert Confusion().mean_iou() is None
    assert Confusion().accuracy() is None


@pytest.mark.parametrize(
    ("truth", "prediction", "named"),
    [
        (np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8), "alike"),
        (np.full((2, 3), 8, np.uint8), np.zeros((2, 3), np.uint8), "above 7"),
        (np.zeros((2, 3), np.uint8), np.full((2, 3), 255, np.uint8), "above 7"),
    ],
)
def test_masks_that_do_not_match_or_hold_other_ids_are_refused(
    truth: npt.NDArray[np.uint8], prediction: npt.NDArray[np.uint8], named: str
) -> None:
    confusion = Confusion()
    with pytest.raises(DataInvalid, match=named):
        confusion.add(truth, prediction)
    assert confusion.matrix.sum() == 0


def test_agreement_is_the_share_of_equal_pixels() -> None:
    assert agreement(np.array([[1, 2], [3, 4]], np.uint8), np.array([[1, 2], [3, 5]], np.uint8)) == 0.75
