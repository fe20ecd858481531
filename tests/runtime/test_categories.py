from __future__ import annotations

import numpy as np
from cityscapesscripts.helpers import labels as official

from runtime import categories


def test_every_label_id_has_the_category_that_cityscapes_gives_it() -> None:
    ours = {label_id: c.id for c in categories.CATEGORIES for label_id in c.label_ids}
    assert len(ours) == 35
    assert ours == {label.id: label.categoryId for label in official.labels}


def test_names_and_order_are_those_of_cityscapes() -> None:
    assert {c.name: c.id for c in categories.CATEGORIES} == {
        label.category: label.categoryId for label in official.labels
    }


def test_colours_are_those_of_a_class_of_the_category() -> None:
    for category in categories.CATEGORIES:
        assert category.color in {label.color for label in official.labels if label.categoryId == category.id}


def test_labels_that_are_not_scored_are_those_that_cityscapes_ignores() -> None:
    ignored = {label.id for label in official.labels if label.ignoreInEval and label.category != "void"}
    assert ignored == {label_id for c in categories.CATEGORIES for label_id in c.unscored_label_ids}


def test_look_ups_follow_the_table() -> None:
    for label in official.labels:
        if label.id >= 0:
            assert categories.FROM_LABEL_ID[label.id] == label.categoryId
            scored = 0 if label.ignoreInEval else label.categoryId
            assert categories.SCORED_FROM_LABEL_ID[label.id] == scored
    assert (categories.FROM_LABEL_ID[34:] == categories.UNKNOWN).all()
    assert np.bincount(categories.FROM_CAMVID_ID[:12], minlength=8).tolist() == [1, 2, 2, 2, 1, 1, 2, 1]
    assert (categories.FROM_CAMVID_ID[12:] == categories.UNKNOWN).all()
