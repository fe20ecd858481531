"""EfficientNet-Lite0 with ImageNet weights under a light feature-pyramid decoder.

The encoder is that of Tan and Le, "EfficientNet" (ICML 2019), in the variant that TensorFlow publishes as Lite0 for
integer hardware: no squeeze-and-excite, ReLU6 instead of swish, so int8 keeps its accuracy. The decoder is a feature
pyramid (Lin et al., CVPR 2017) of separable convolutions that ends at a quarter of the input's size. A narrow level at
half of it corrects the logits where things are thin; bilinear interpolation does the rest.
"""

from __future__ import annotations

from typing import TypeAlias

import keras
from keras import layers

from train import pretrained

WIDTH = 64
"""Channels of the decoder."""
DETAIL_WIDTH = 24
"""Channels of its last level, at half of the input's size, where poles and edges are a pixel or two wide: 0.2 GMAC."""

# (repeats, kernel, stride, expansion, channels) of the seven stages: table 1 of the paper.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_TAPS = (0, 1, 2, 4, 6)
"""Stages whose output the decoder reads: strides 2, 4, 8, 16 and 32."""

Tensor: TypeAlias = keras.KerasTensor


def _norm(x: Tensor, name: str) -> Tensor:
    return layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name=f"{name}_norm")(x)


def _conv(x: Tensor, channels: int, name: str, *, kernel: int = 1, stride: int = 1, act: bool = True) -> Tensor:
    x = layers.Conv2D(channels, kernel, stride, padding="same", use_bias=False, name=name)(x)
    x = _norm(x, name)
    return layers.ReLU(6.0, name=f"{name}_relu")(x) if act else x


def _depthwise(x: Tensor, kernel: int, name: str, *, stride: int = 1) -> Tensor:
    x = layers.DepthwiseConv2D(kernel, stride, padding="same", use_bias=False, name=name)(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(_norm(x, name))


def _block(x: Tensor, kernel: int, stride: int, expansion: int, channels: int, name: str) -> Tensor:
    """An inverted residual block (Sandler et al., "MobileNetV2", CVPR 2018)."""
    shortcut = x
    if expansion != 1:
        x = _conv(x, x.shape[-1] * expansion, f"{name}_expand")
    x = _depthwise(x, kernel, f"{name}_depthwise", stride=stride)
    x = _conv(x, channels, f"{name}_project", act=False)
    if stride == 1 and shortcut.shape[-1] == channels:
        x = layers.Add(name=f"{name}_add")([shortcut, x])
    return x


def _encoder(image: Tensor) -> list[Tensor]:
    """Features at strides 2, 4, 8, 16 and 32."""
    # (x - 127) / 128 is what the weights were trained with.
    x = layers.Rescaling(1 / 128, offset=-127 / 128, name="rescale")(image)
    x = _conv(x, 32, "stem", kernel=3, stride=2)
    features = []
    for stage, (repeats, kernel, stride, expansion, channels) in enumerate(_STAGES):
        for repeat in range(repeats):
            name = f"stage{stage}_block{repeat}"
            x = _block(x, kernel, stride if repeat == 0 else 1, expansion, channels, name)
        if stage in _TAPS:
            features.append(x)
    return features


def _decoder(features: list[Tensor]) -> Tensor:
    """Logits at half of the input's size: from the deepest features up, each level added to the one below."""
    x = None
    for level, feature in reversed(list(enumerate(features[1:]))):
        name = f"decoder{level}"
        lateral = _conv(feature, WIDTH, f"{name}_lateral", act=False)
        if x is None:
            x = layers.ReLU(6.0, name=f"{name}_relu")(lateral)
        else:
            x = layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}_up")(x)
            x = layers.Add(name=f"{name}_add")([x, lateral])
        x = _conv(_depthwise(x, 5 if level else 3, f"{name}_depthwise"), WIDTH, f"{name}_mix")
    x = _conv(_depthwise(x, 3, "refine_depthwise"), WIDTH, "refine_mix")
    coarse = layers.Conv2D(7, 1, name="classify")(x)
    coarse = layers.UpSampling2D(2, interpolation="bilinear", name="classify_up")(coarse)
    x = _conv(x, DETAIL_WIDTH, "detail_reduce", act=False)
    x = layers.UpSampling2D(2, interpolation="bilinear", name="detail_up")(x)
    x = layers.Add(name="detail_add")([x, _conv(features[0], DETAIL_WIDTH, "detail_lateral", act=False)])
    x = layers.ReLU(6.0, name="detail_relu")(x)
    x = _conv(_depthwise(x, 3, "detail_depthwise"), DETAIL_WIDTH, "detail_mix")
    # From nothing at first: the last level corrects what the one before found.
    fine = layers.Conv2D(7, 1, kernel_initializer="zeros", name="detail_classify")(x)
    return layers.Add(name="detail_logits")([coarse, fine])


def _load_imagenet(model: keras.Model) -> None:
    encoder = [
        layer
        for layer in model.layers
        if layer.name.startswith(("stem", "stage")) and layer.weights  # Keras keeps the order of creation
    ]
    for layer, (kind, weights) in zip(encoder, pretrained.units(pretrained.efficientnet_lite0()), strict=True):
        expected = {layers.Conv2D: "conv", layers.DepthwiseConv2D: "depthwise", layers.BatchNormalization: "norm"}
        if expected[type(layer)] != kind:
            raise AssertionError(f"{layer.name} would get the weights of a {kind} layer")
        layer.set_weights(weights)


def lite(*, imagenet: bool = True) -> keras.Model:
    """The network, 3.1 M parameters.

    Args:
        imagenet: start from ImageNet weights; False starts from random ones.

    Raises:
        DataInvalid: the package with the weights is missing or broken.
    """
    image = keras.Input((None, None, 3), name="image")
    logits = _decoder(_encoder(image))
    logits = layers.UpSampling2D(2, interpolation="bilinear", name="logits")(logits)
    model = keras.Model(image, logits, name="lite")
    if imagenet:
        _load_imagenet(model)
    return model
