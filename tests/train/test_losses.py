from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from train.losses import LOSSES, cross_entropy, dice

RNG = np.random.default_rng(0)
TRUTH = RNG.integers(0, 8, (2, 5, 6)).astype(np.uint8)
LOGITS = RNG.normal(size=(2, 5, 6, 7)).astype(np.float32)
WEIGHTS = np.array([0.7, 0.8, 2.0, 0.9, 1.3, 2.2, 1.1], np.float32)
PROBABILITIES = np.exp(LOGITS) / np.exp(LOGITS).sum(-1, keepdims=True)


def test_cross_entropy_is_the_weighted_mean_over_what_is_not_void() -> None:
    valid = TRUTH > 0
    labels = TRUTH[valid] - 1
    losses = -np.log(PROBABILITIES[valid][np.arange(len(labels)), labels])
    expected = (losses * WEIGHTS[labels]).sum() / WEIGHTS[labels].sum()
    assert float(cross_entropy(TRUTH, LOGITS, WEIGHTS)) == pytest.approx(expected, rel=1e-5)


def test_dice_is_the_mean_over_the_categories_that_occur() -> None:
    truth = np.where(TRUTH == 3, 2, TRUTH).astype(np.uint8)
    valid = truth > 0
    scores = []
    for category in (1, 2, 4, 5, 6, 7):
        right, guess = (truth == category)[valid], PROBABILITIES[..., category - 1][valid]
        scores.append(2 * (right * guess).sum() / (right.sum() + guess.sum()))
    assert float(dice(truth, LOGITS, WEIGHTS)) == pytest.approx(1 - np.mean(scores), rel=1e-5)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_void_pixels_have_no_say(name: str) -> None:
    logits = tf.Variable(LOGITS)
    with tf.GradientTape() as tape:
        loss = LOSSES[name](TRUTH, logits, WEIGHTS)
    slopes = np.abs(tape.gradient(loss, logits).numpy()).sum(-1)
    assert (slopes[TRUTH == 0] == 0).all()
    assert (slopes[TRUTH > 0] > 0).all()


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_a_batch_of_void_costs_nothing_and_a_sure_right_answer_next_to_nothing(name: str) -> None:
    assert float(LOSSES[name](np.zeros_like(TRUTH), LOGITS, WEIGHTS)) == 0
    sure = np.eye(7, dtype=np.float32)[np.maximum(TRUTH, 1) - 1] * 50
    assert float(LOSSES[name](TRUTH, sure, WEIGHTS)) == pytest.approx(0, abs=1e-5)
