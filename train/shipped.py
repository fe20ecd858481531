"""Weights of a float32 or float16 file that `convert` made, as a network that can be trained on.

What is shipped is the converted file alone. In it every batch normalisation is gone into the convolution before it, so
the way back needs frames: the moments of each convolution's output on them are what its normalisation held.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import tree
from keras.layers import BatchNormalization, Conv2D, DepthwiseConv2D

from runtime.errors import DataInvalid
from runtime.frames import Frame

FRAMES = 32
"""Training samples that moments are taken of: 3 million pixels, and seconds."""

Array = npt.NDArray[np.float32]
Moments = Callable[[Sequence[Frame]], list[tuple[Array, Array]]]
# As the export names a layer's nodes and weights: lite_1/stage0_block0_project_1/convolution/...
_LAYER = re.compile(r"\w+/(\w+?)_\d+/(?:convolution|depthwise|BiasAdd)")


def read(path: Path) -> dict[str, tuple[Array, Array]]:
    """The convolutions of a file by layer: taps in Keras' layout [height, width, in, out], and offsets [out].

    Raises:
        DataInvalid: no such file of a network of ours, or the package that reads it is missing.
    """
    try:
        import onnx  # noqa: PLC0415  only who starts from such a file needs it
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # noqa: PLC0415
        from onnx import numpy_helper  # noqa: PLC0415
    except ImportError as error:
        raise DataInvalid(f"to start from {path}, install the package onnx: pip install 'roadmask[convert]'") from error
    try:
        graph = onnx.load(path).graph
    except (OSError, DecodeError) as error:
        raise DataInvalid(f"{path} is no ONNX file") from error
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    found: dict[str, tuple[Array, Array]] = {}
    for node in graph.node:
        names = [match[1] for text in (node.name, *node.input[1:]) if (match := _LAYER.match(text))]
        if node.op_type != "Conv" or not names or not all(name in values for name in node.input[1:]):
            continue
        taps = values[node.input[1]].astype(np.float32)
        offsets = values[node.input[2]].astype(np.float32) if len(node.input) > 2 else np.zeros(len(taps), np.float32)
        found[names[0]] = (taps.transpose(2, 3, 1, 0), offsets)
    # Of an int8 file the classifiers are left.
    if not found or any(node.op_type == "QuantizeLinear" for node in graph.node):
        raise DataInvalid(f"{path} holds no weights in float32 or float16 of a network that `train` made")
    return found


def take(model: keras.Model, path: Path, frames: Sequence[Frame]) -> list[str]:
    """Give a network the weights of a file; gives the names of the convolutions that the file does not hold.

    Args:
        model: a network of Keras' own layers.
        path: a float32 or float16 file.
        frames: uint8 [height, width, 3] of one size, as in training: what the normalisations' moments are taken of.

    Raises:
        DataInvalid: the file is of another network.
    """
    stored = read(path)
    convolutions = [layer for layer in model.layers if isinstance(layer, Conv2D | DepthwiseConv2D)]
    norms = {
        layer.input._keras_history.operation.name: layer
        for layer in model.layers
        if isinstance(layer, BatchNormalization)
    }
    missing = [layer.name for layer in convolutions if layer.name not in stored]
    if 2 * len(missing) > len(convolutions):
        raise DataInvalid(f"{path} is of another network: it has {len(stored)} layers, {len(missing)} are missing")
    try:
        for layer in convolutions:
            if layer.name in stored:
                _unfolded(layer, norms.get(layer.name), *stored[layer.name])
    except ValueError as error:
        raise DataInvalid(f"{path} is of another network: {str(error).splitlines()[0]}") from error
    _normalise(model, [layer for layer in convolutions if layer.name in norms], norms, set(missing), frames)
    return missing


def _unfolded(layer: keras.layers.Layer, norm: BatchNormalization | None, taps: Array, offsets: Array) -> None:
    if isinstance(layer, DepthwiseConv2D):
        taps = taps.transpose(0, 1, 3, 2)
    if norm is None:
        layer.set_weights([taps, offsets])
        return
    layer.set_weights([taps])
    ones = np.ones_like(offsets)
    norm.set_weights([ones, offsets, np.zeros_like(offsets), ones - np.float32(norm.epsilon)])


def _normalise(
    model: keras.Model,
    convolutions: list[keras.layers.Layer],
    norms: dict[str, BatchNormalization],
    missing: set[str],
    frames: Sequence[Frame],
) -> None:
    """Give each normalisation its moments, and taps that make the variance 1: the network stays the same function.

    Layers that the file does not hold are normalised for real, and first: as many rounds as may stand in a row.
    """
    fresh = [layer for layer in convolutions if layer.name in missing]
    if fresh:
        moments = _moments_of(model, fresh)
        for _ in fresh:
            for layer, (mean, variance) in zip(fresh, moments(frames[:4]), strict=True):
                gamma, beta, _, _ = norms[layer.name].get_weights()
                norms[layer.name].set_weights([gamma, beta, mean, variance])
    stored = [layer for layer in convolutions if layer.name not in missing]
    for layer, (mean, variance) in zip(stored, _moments_of(model, stored)(frames), strict=True):
        norm = norms[layer.name]
        deviation = np.sqrt(variance + norm.epsilon)
        (taps,), (_, beta, _, ones) = layer.get_weights(), norm.get_weights()
        depthwise = isinstance(layer, DepthwiseConv2D)
        layer.set_weights([taps / (deviation[:, None] if depthwise else deviation)])
        norm.set_weights([deviation, beta + mean, mean / deviation, ones])


def _moments_of(model: keras.Model, layers: Sequence[keras.layers.Layer]) -> Moments:
    """A function from frames to mean and variance of each layer's output by channel, over all of them."""
    probe = keras.Model(model.input, [layer.output for layer in layers])

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def squares(image: tf.Tensor) -> list[tf.Tensor]:
        pixels = [0, 1, 2]
        return [
            tf.stack([tf.reduce_mean(output, pixels), tf.reduce_mean(tf.square(output), pixels)])
            for output in tree.flatten(probe(image, training=False))  # one output comes without a list
        ]

    def moments(frames: Sequence[Frame]) -> list[tuple[Array, Array]]:
        rows = [squares(tf.cast(frame[None], tf.float32)) for frame in frames]
        means = [np.mean([np.asarray(one, np.float64) for one in column], axis=0) for column in zip(*rows, strict=True)]
        return [(mean.astype(np.float32), (square - mean**2).astype(np.float32)) for mean, square in means]

    return moments
