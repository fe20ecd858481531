"""The training command as one process of several, with a tiny network and crop. Run by `test_workers.py`.

`python one_worker.py STATE.npz ARGUMENTS...`: what the trainer holds in the end is written to STATE.npz. With `gpus`
among the arguments, two halves of the processor stand for two GPUs.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import keras
import tensorflow as tf
from keras import layers

import train.__main__ as command
from train import fit, replicas
from train.models import MODELS
from train.settings import Augmentation
from train.trainer import Trainer


def tiny() -> keras.Model:
    image = keras.Input((None, None, 3), name="image")
    x = layers.Rescaling(1 / 128, offset=-1.0)(image)
    for channels in (8, 16):
        x = layers.Conv2D(channels, 3, 2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    return keras.Model(image, layers.UpSampling2D(4, interpolation="bilinear")(layers.Conv2D(7, 1)(x)))


def two_halves(_cluster) -> tf.distribute.Strategy:
    half = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [half, half])
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


class Kept(Trainer):
    last: Trainer

    def __init__(self, *given, **named) -> None:
        super().__init__(*given, **named)
        Kept.last = self


if __name__ == "__main__":
    state, *arguments = sys.argv[1:]
    if "gpus" in arguments:
        arguments.remove("gpus")
        replicas.strategy_of = two_halves
    MODELS["unet"] = tiny
    fit.Trainer = Kept
    settings_of = command.settings_of
    command.settings_of = lambda given: replace(settings_of(given), augmentation=Augmentation(crop=(64, 96)))
    status = command.main(arguments)
    if status == 0:
        Kept.last.write_checkpoint(Path(state), 0)
    sys.exit(status)
