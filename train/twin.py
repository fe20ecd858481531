"""The network as it is trained: the weights of the one that is saved, in layers whose step costs less."""

from __future__ import annotations

from typing import Any

import keras
from keras.layers import BatchNormalization, DepthwiseConv2D

from train.depthwise import QuickDepthwiseConv2D
from train.norm import FusedBatchNormalization

_QUICK: dict[Any, Any] = {BatchNormalization: FusedBatchNormalization, DepthwiseConv2D: QuickDepthwiseConv2D}


def quick(model: keras.Model) -> keras.Model:
    """The same network and weights; `get_weights` of both have the same order."""

    def replaced(layer: keras.layers.Layer) -> keras.layers.Layer:
        return _QUICK.get(type(layer), type(layer)).from_config(layer.get_config())

    made = keras.models.clone_model(model, clone_function=replaced)
    made.set_weights(model.get_weights())
    return made
