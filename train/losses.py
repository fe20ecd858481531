"""Losses over the categories 1 to 7; pixels whose truth is void count nowhere.

All take truth, uint8 [batch, height, width] category ids, logits, float32 [batch, height, width, 7], and the weights of
the 7 categories, and give a scalar.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

Loss = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]


def _labels(truth: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Labels 0..6 (0 also where void), int32, and 1.0 where the truth counts."""
    truth = tf.cast(truth, tf.int32)
    return tf.maximum(truth - 1, 0), tf.cast(truth > 0, tf.float32)


def cross_entropy(truth: tf.Tensor, logits: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of each pixel, averaged with the weight of its true category."""
    labels, counts = _labels(truth)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    pixel_weights = tf.gather(weights, labels) * counts
    return tf.math.divide_no_nan(tf.reduce_sum(losses * pixel_weights), tf.reduce_sum(pixel_weights))


def dice(truth: tf.Tensor, logits: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """1 - soft Dice (Milletari et al., "V-Net", 3DV 2016), the mean over the categories that the batch's truth holds.

    Each category counts alike however few pixels it has; `weights` are not used.
    """
    del weights
    labels, counts = _labels(truth)
    right = tf.one_hot(labels, 7) * counts[..., None]
    guess = tf.nn.softmax(logits) * counts[..., None]
    axes = [0, 1, 2]
    there = tf.reduce_sum(right, axes)
    overlap = 2 * tf.reduce_sum(right * guess, axes)
    score = tf.math.divide_no_nan(overlap, there + tf.reduce_sum(guess, axes))
    occurs = tf.cast(there > 0, tf.float32)
    return tf.math.divide_no_nan(tf.reduce_sum((1 - score) * occurs), tf.reduce_sum(occurs))


def both(truth: tf.Tensor, logits: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Cross-entropy, which is sure of each pixel, plus Dice, which sees to the rare categories."""
    return cross_entropy(truth, logits, weights) + dice(truth, logits, weights)


LOSSES: dict[str, Loss] = {"cross_entropy": cross_entropy, "dice": dice, "both": both}
