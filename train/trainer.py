"""A network in training: its step, on one replica or on several, its moving average and its checkpoint."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from runtime import frames
from runtime.errors import DataInvalid
from runtime.frames import Frame, Mask
from train import replicas, shipped
from train.cluster import ALONE, Cluster
from train.losses import LOSSES
from train.models import MODELS
from train.settings import Settings
from train.twin import quick


def learning_rate(settings: Settings, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """Linear warm-up from 0, then a half cosine down to 1 % of the peak at the last step."""
    warmup = min(settings.warmup_steps, steps // 4)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        warmup_target=settings.learning_rate,
        warmup_steps=warmup,
        decay_steps=max(1, steps - warmup),
        alpha=0.01,
    )


def _take_weights(model: keras.Model, path: Path, sample: Callable[[], Sequence[Frame]]) -> None:
    """Layer by layer, by name: what another network of the family lacks stays as it is made.

    Raises:
        DataInvalid: no Keras file and no converted one, a layer of another shape, or hardly a layer in common.
    """
    if path.suffix == ".onnx":
        shipped.take(model, path, sample())
        return
    try:
        there = {layer.name: layer for layer in keras.models.load_model(path, compile=False).layers}
        wanted = [layer for layer in model.layers if layer.weights]
        common = [layer for layer in wanted if layer.name in there]
        for layer in common:
            layer.set_weights(there[layer.name].get_weights())
    except (OSError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataInvalid(f"{path} has no weights for this network: {reason}") from error
    if 2 * len(common) < len(wanted):
        raise DataInvalid(f"{path} has no weights for this network: {len(common)} of {len(wanted)} layers are there")


class Trainer:
    """A network in training, its optimizer and the moving average of its weights.

    On every worker of a cluster the same, step by step; each is given its share of the batch.
    """

    def __init__(
        self,
        settings: Settings,
        total_steps: int,
        cluster: Cluster = ALONE,
        strategy: tf.distribute.Strategy | None = None,
        sample: Callable[[], Sequence[Frame]] = list,
    ) -> None:
        """Args:
            settings: the run.
            total_steps: of the learning rate's schedule.
            cluster: this process' place in it; with several workers, TF_CONFIG must say the same.
            strategy: None takes the one that fits workers and GPUs.
            sample: some training frames, uint8 h x w x 3, for a run that starts from a converted file.

        Raises:
            DataInvalid: `init` is of another network, or the batch can't be shared evenly.
            WorkerLost: the workers did not all come.
        """
        self.strategy = strategy or replicas.strategy_of(cluster)
        count = self.strategy.num_replicas_in_sync
        if settings.batch % count:
            raise DataInvalid(f"a batch of {settings.batch} can't be shared evenly by {count} replicas")
        keras.utils.set_random_seed(settings.seed)
        self.settings = settings
        self._local = count // cluster.workers
        self.saved = MODELS[settings.model]()
        """Holds the moving average whenever it is validated or saved: built-in layers only."""
        if settings.init is not None:
            _take_weights(self.saved, Path(settings.init), sample)
        self.schedule = learning_rate(settings, total_steps)
        with self.strategy.scope():
            self.model = quick(self.saved)
            self.optimizer = keras.optimizers.AdamW(self.schedule, weight_decay=settings.weight_decay)
            self.optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
            self.optimizer.build(self.model.trainable_variables)
            self.average = [tf.Variable(value, trainable=False) for value in self.model.get_weights()]
        self._loss = LOSSES[settings.loss]
        self._weights = tf.constant(settings.class_weights, tf.float32)
        # One trace a size: Keras' bilinear upsampling does not take a height and width that are not known yet.
        self._predict = tf.function(lambda image: tf.argmax(self.saved(image, training=False), -1) + 1)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def step(self, images: tf.Tensor, truths: tf.Tensor) -> tf.Tensor:
        """One optimizer step on a batch, of which this worker is given its share; gives the loss of the whole batch."""
        losses = self.strategy.run(self._replica_step, (images, truths))
        return self.strategy.experimental_local_results(losses)[0]

    def _replica_step(self, images: tf.Tensor, truths: tf.Tensor) -> tf.Tensor:
        images, truths = (replicas.part(values, self._local) for values in (images, truths))
        with tf.GradientTape() as tape:
            logits = self.model(tf.cast(images, tf.float32), training=True)
            loss = self._loss(truths, logits, self._weights, replicas.total)
            # Each replica has the loss of the whole batch, and derives, through `total`, the sum of them all.
            share = loss / replicas.count()
        variables = self.model.trainable_variables
        # The optimizer adds up the replicas' gradients.
        self.optimizer.apply_gradients(zip(tape.gradient(share, variables), variables, strict=True))
        # The average starts short, (1 + n) / (10 + n), so that it soon forgets the random start.
        done = tf.cast(self.optimizer.iterations, tf.float32)
        keep = tf.minimum(self.settings.ema, (1 + done) / (10 + done))
        for average, variable in zip(self.average, self.model.variables, strict=True):
            average.assign_sub((1 - keep) * (average - variable))
        return loss

    @property
    def steps_done(self) -> int:
        """Optimizer steps, over all epochs."""
        return int(self.optimizer.iterations.numpy())

    def publish(self) -> None:
        """Put the moving average into `saved`."""
        self.saved.set_weights([average.numpy() for average in self.average])

    def segment(self, frame: Frame) -> Mask:
        """The mask of a frame by the weights that `publish` put in place, fitted as in serving."""
        where = frames.plan(frame.shape[0], frame.shape[1], self.settings.geometry)
        image = tf.cast(frames.fit(frame, where)[None], tf.float32)
        return frames.restore(np.asarray(self._predict(image)[0], np.uint8), where)

    def state(self) -> list[Any]:
        """Every variable that the next step depends on, in a fixed order."""
        return [*self.model.variables, *self.optimizer.variables, *self.average]

    def write_checkpoint(self, path: Path, epochs_done: int) -> None:
        """All state after `epochs_done` epochs, in one file that is there whole or not at all."""
        arrays: dict[str, Any] = {f"v{index}": variable.numpy() for index, variable in enumerate(self.state())}
        part = path.with_suffix(".part.npz")
        np.savez(part, **arrays, epochs_done=epochs_done)
        part.replace(path)

    def read_checkpoint(self, path: Path) -> int:
        """Take over the state of a checkpoint; gives the epochs done.

        Raises:
            DataInvalid: the file is broken or belongs to another model.
        """
        try:
            with path.open("rb") as file, np.load(file) as stored:
                for index, variable in enumerate(self.state()):
                    variable.assign(stored[f"v{index}"])
                return int(stored["epochs_done"])
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise DataInvalid(f"{path} is no checkpoint of this model: {error}") from error
