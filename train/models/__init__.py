"""The networks that can be trained, by name.

Each is a function that returns an uncompiled Keras model of built-in layers only, so that a `.keras` file can be opened
without this package: input `image`, float32 `[batch, height, width, 3]`, RGB 0..255, sides multiples of 32; output
float32 `[batch, height, width, 7]`, logits of the categories 1 to 7 (void is never predicted).
"""

from collections.abc import Callable

import keras

from train.models.lite import lite
from train.models.unet import unet

MODELS: dict[str, Callable[[], keras.Model]] = {"lite": lite, "unet": unet}
