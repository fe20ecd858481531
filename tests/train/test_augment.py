from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from runtime import categories
from runtime.frames import Geometry
from train import augment
from train.settings import Augmentation

PLAIN = Augmentation(crop=(64, 96)).scaled(0)


def blocks(height: int = 120, width: int = 240) -> np.ndarray:
    """A mask of random blocks of 12 pixels, categories 1 to 7."""
    small = np.random.default_rng(5).integers(1, 8, (height // 12, width // 12)).astype(np.uint8)
    return np.kron(small, np.ones((12, 12), np.uint8))


@pytest.mark.parametrize("seed", range(12))
def test_frame_and_mask_are_cut_scaled_and_flipped_together(seed: int) -> None:
    truth = blocks()
    frame, cut = augment.sample(categories.PALETTE[truth], truth, PLAIN, Geometry(), np.random.default_rng(seed))
    assert frame.shape == (64, 96, 3)
    assert cut.shape == (64, 96)
    # Where the frame is of one pure colour, the mask says that colour's category; edges blend, padding is void.
    distance = np.abs(frame[:, :, None].astype(int) - categories.PALETTE).sum(-1)
    pure = (distance.min(-1) == 0) & (cut != categories.VOID)
    assert pure.mean() > 0.3
    assert (distance.argmin(-1)[pure] == cut[pure]).mean() > 0.995


def test_a_sample_is_a_function_of_its_seed() -> None:
    truth, how = blocks(), replace(Augmentation(), crop=(64, 96))
    made = [
        augment.sample(categories.PALETTE[truth], truth, how, Geometry(), np.random.default_rng(s)) for s in (1, 1, 2)
    ]
    assert (made[0][0] == made[1][0]).all()
    assert (made[0][1] == made[1][1]).all()
    assert (made[0][0] != made[2][0]).any()


def test_what_lies_beyond_the_frame_repeats_its_border_and_is_void() -> None:
    truth = np.full((20, 30), 5, np.uint8)
    frame, cut = augment.sample(categories.PALETTE[truth], truth, PLAIN, Geometry(), np.random.default_rng(0))
    assert (frame == categories.PALETTE[5]).all()
    assert set(np.unique(cut)) == {0, 5}
