"""The one table of the 8 main Cityscapes categories, and the look-ups derived from it.

Names, ids, colours and label ids are those of cityscapesScripts (`cityscapesscripts/helpers/labels.py`); a category's
colour is that of its most frequent class (road, building, pole, vegetation, sky, person, car).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Category:
    """One row of the table."""

    id: int
    """Pixel value in every mask of ours; Cityscapes' `categoryId`."""
    name: str
    color: tuple[int, int, int]
    """RGB, 0..255 each."""
    label_ids: tuple[int, ...]
    """Every Cityscapes label id of the category; -1 (license plate) never occurs in a mask file."""
    unscored_label_ids: tuple[int, ...] = ()
    """Those of `label_ids` that Cityscapes' evaluation leaves out (`ignoreInEval`), void aside."""


CATEGORIES: tuple[Category, ...] = (
    # id  name            colour           label ids                            left out of the evaluation
    Category(0, "void", (0, 0, 0), (0, 1, 2, 3, 4, 5, 6)),
    Category(1, "flat", (128, 64, 128), (7, 8, 9, 10), (9, 10)),
    Category(2, "construction", (70, 70, 70), (11, 12, 13, 14, 15, 16), (14, 15, 16)),
    Category(3, "object", (153, 153, 153), (17, 18, 19, 20), (18,)),
    Category(4, "nature", (107, 142, 35), (21, 22)),
    Category(5, "sky", (70, 130, 180), (23,)),
    Category(6, "human", (220, 20, 60), (24, 25)),
    Category(7, "vehicle", (0, 0, 142), (26, 27, 28, 29, 30, 31, 32, 33, -1), (29, 30, -1)),
)

VOID = 0
"""In the table and in the ground truth, never predicted."""

COUNT = len(CATEGORIES)

NAMES: tuple[str, ...] = tuple(category.name for category in CATEGORIES)

SCORED: tuple[int, ...] = tuple(category.id for category in CATEGORIES if category.id != VOID)
"""The ids that can be predicted and that the mean IoU is taken over: 1 to 7."""

UNKNOWN = 255
"""What the look-ups give for a value that is in no table."""

PALETTE: npt.NDArray[np.uint8] = np.array([category.color for category in CATEGORIES], np.uint8)
"""uint8 8 x 3, RGB: `PALETTE[mask]` paints a mask."""


def _look_up(*, scored_only: bool) -> npt.NDArray[np.uint8]:
    table = np.full(256, UNKNOWN, np.uint8)
    for category in CATEGORIES:
        for label_id in category.label_ids:
            if label_id >= 0:
                left_out = scored_only and label_id in category.unscored_label_ids
                table[label_id] = VOID if left_out else category.id
    return table


FROM_LABEL_ID: npt.NDArray[np.uint8] = _look_up(scored_only=False)
"""uint8 256: `FROM_LABEL_ID[label_ids]` gives category ids, or UNKNOWN."""

SCORED_FROM_LABEL_ID: npt.NDArray[np.uint8] = _look_up(scored_only=True)
"""As FROM_LABEL_ID, with the labels that Cityscapes does not score turned into void: an evaluation's ground truth."""

_CAMVID: tuple[tuple[str, str], ...] = (
    ("sky", "sky"),
    ("building", "construction"),
    ("pole", "object"),
    ("road", "flat"),
    ("pavement", "flat"),
    ("tree", "nature"),
    ("sign", "object"),
    ("fence", "construction"),
    ("car", "vehicle"),
    ("pedestrian", "human"),
    ("bicyclist", "human"),
    ("unlabelled", "void"),
)
"""The 12 classes of CamVid in the SegNet layout, in the order of their ids, and the category of each."""

FROM_CAMVID_ID: npt.NDArray[np.uint8] = np.full(256, UNKNOWN, np.uint8)
"""uint8 256: `FROM_CAMVID_ID[ids]` gives category ids, or UNKNOWN."""
FROM_CAMVID_ID[: len(_CAMVID)] = [NAMES.index(category) for _, category in _CAMVID]
