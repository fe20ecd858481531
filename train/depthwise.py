"""Depthwise convolution for the time of training only: the gradient of 5 x 5 taps at half of its cost.

The saved model keeps Keras' own layer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from keras.activations import linear
from keras.layers import DepthwiseConv2D

_ONES = [1, 1, 1, 1]


@tf.custom_gradient  # type: ignore[untyped-decorator]
def depthwise5(inputs: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], Any]]:
    """A depthwise convolution of 5 x 5 taps, stride 1, same padding.

    TensorFlow's CPU kernel for the gradient of the taps is quick for 3 x 3 and slow for 5 x 5 (measured, 8 x 64 x 96 x
    64, one thread: 61 ms). Four overlapping windows of 3 x 3 taps hold all of the 5 x 5 (15 ms).

    Args:
        inputs: float32 [batch, height, width, channels].
        kernel: float32 [5, 5, channels, 1].
    """

    def gradient(given: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        size, channels = tf.shape(inputs), inputs.shape[-1]
        padded = tf.pad(inputs, [[0, 0], [2, 2], [2, 2], [0, 0]])

        def corner(top: int, left: int) -> tf.Tensor:
            part = padded[:, top : top + size[1] + 2, left : left + size[2] + 2]
            return tf.nn.depthwise_conv2d_backprop_filter(part, (3, 3, channels, 1), given, _ONES, "VALID")

        # The middle row and column of taps lie in two windows each; one of the two is kept.
        upper = tf.concat([corner(0, 0), corner(0, 2)[:, 1:]], 1)
        lower = tf.concat([corner(2, 0)[1:], corner(2, 2)[1:, 1:]], 1)
        return (
            tf.nn.depthwise_conv2d_backprop_input(size, kernel, given, _ONES, "SAME"),
            tf.concat([upper, lower], 0),
        )

    return tf.nn.depthwise_conv2d(inputs, kernel, _ONES, "SAME"), gradient


class QuickDepthwiseConv2D(DepthwiseConv2D):  # type: ignore[misc]  # keras carries no types
    """As DepthwiseConv2D; quick where it is of 5 x 5 taps and nothing more."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        quick = (
            self.kernel_size == (5, 5)
            and self.strides == self.dilation_rate == (1, 1)
            and (self.padding, self.data_format, self.depth_multiplier) == ("same", "channels_last", 1)
            and not self.use_bias
            and self.activation is linear
        )
        return depthwise5(inputs, tf.convert_to_tensor(self.kernel)) if quick else super().call(inputs)
