"""The training loop: steps, moving average, validation after each epoch, checkpoints that continue exactly."""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from runtime import evaluate, frames
from runtime.datasets import Pair
from runtime.errors import DataInvalid
from runtime.frames import Frame, Mask
from train.loader import Loader
from train.losses import LOSSES
from train.models import MODELS
from train.norm import with_fused_norm
from train.settings import Settings


@dataclass
class Epoch:
    """What one epoch gave; a list of them is `metrics.json`."""

    epoch: int
    """Counted from 1."""
    loss: float
    """Mean over the epoch's steps."""
    learning_rate: float
    """That the next step takes."""
    seconds: float
    """Wall clock of the training steps; validation is not in it."""
    cpu_seconds: float
    """Processor time of the same, all threads."""
    validation: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By data set: `iou` by category, `mean_iou`, `frames`."""


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


def _take_weights(model: keras.Model, path: Path) -> None:
    try:
        model.set_weights(keras.models.load_model(path, compile=False).get_weights())
    except (OSError, ValueError) as error:
        raise DataInvalid(f"{path} has no weights for this network: {str(error).splitlines()[0]}") from error


class Trainer:
    """A network in training, its optimizer and the moving average of its weights."""

    def __init__(self, settings: Settings, total_steps: int) -> None:
        keras.utils.set_random_seed(settings.seed)
        self.settings = settings
        self.saved = MODELS[settings.model]()
        if settings.init is not None:
            _take_weights(self.saved, Path(settings.init))
        """Holds the moving average whenever it is validated or saved: built-in layers only."""
        self.model = with_fused_norm(self.saved)
        self.schedule = learning_rate(settings, total_steps)
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
        """One optimizer step on a batch; gives the loss."""
        with tf.GradientTape() as tape:
            logits = self.model(tf.cast(images, tf.float32), training=True)
            loss = self._loss(truths, logits, self._weights)
        variables = self.model.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        # The average starts short, (1 + n) / (10 + n), so that it soon forgets the random start.
        done = tf.cast(self.optimizer.iterations, tf.float32)
        keep = tf.minimum(self.settings.ema, (1 + done) / (10 + done))
        for average, variable in zip(self.average, self.model.variables, strict=True):
            average.assign_sub((1 - keep) * (average - variable))
        return loss

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
        arrays: dict[str, Any] = {f"v{index}": np.asarray(variable) for index, variable in enumerate(self.state())}
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


def validate(trainer: Trainer, validation: Mapping[str, Sequence[Pair]], epoch: Epoch, writer: Any) -> None:
    """Score the moving average on each data set, at the truths' own size, into `epoch.validation`."""
    trainer.publish()
    for name, pairs in validation.items():
        found = evaluate.summary(evaluate.evaluate(trainer.segment, pairs, title=f"validate on {name}"), len(pairs))
        epoch.validation[name] = found
        with writer.as_default(step=int(trainer.optimizer.iterations)):
            tf.summary.scalar(f"mean_iou/{name}", found["mean_iou"] or 0.0)
    scores = " ".join(f"{name} {row['mean_iou'] or 0:.4f}" for name, row in epoch.validation.items())
    print(f"epoch {epoch.epoch}: loss {epoch.loss:.4f}, {epoch.seconds:.0f} s, mean IoU {scores}", flush=True)


def _run_epoch(trainer: Trainer, loader: Loader, number: int, writer: Any, progress: Progress) -> Epoch:
    task = progress.add_task(f"epoch {number + 1}/{trainer.settings.epochs}", total=loader.steps, loss="")
    wall, processor, losses = time.monotonic(), time.process_time(), []
    for images, truths in loader.epoch(number):
        loss = float(trainer.step(images, truths))
        losses.append(loss)
        progress.update(task, advance=1, loss=f"loss {np.mean(losses[-50:]):.3f}")
        with writer.as_default(step=int(trainer.optimizer.iterations)):
            tf.summary.scalar("loss", loss)
    rate = float(trainer.schedule(trainer.optimizer.iterations))
    return Epoch(number + 1, float(np.mean(losses)), rate, time.monotonic() - wall, time.process_time() - processor)


def _bars() -> Progress:
    columns = ("[progress.description]{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, TextColumn("{task.fields[loss]}"))


def _write_history(path: Path, epochs: list[Epoch]) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps([asdict(row) for row in epochs], indent=1))
    part.replace(path)


def _read_history(path: Path, done: int) -> list[Epoch]:
    try:
        return [Epoch(**row) for row in json.loads(path.read_text())[:done]]
    except (OSError, ValueError, TypeError) as error:
        raise DataInvalid(f"{path} is no history of this run: {error}") from error


def train(
    settings: Settings, loader: Loader, validation: Mapping[str, Sequence[Pair]], out: Path, *, resume: bool
) -> tuple[list[Epoch], Callable[[Frame], Mask]]:
    """Train and leave `model.keras`, `metrics.json`, `checkpoint.npz` and `tensorboard/` in `out`.

    Args:
        settings: the run.
        loader: what is trained on.
        validation: by data set's name, what is validated on.
        out: an existing folder.
        resume: go on from `checkpoint.npz` if it is there.

    Returns:
        What each epoch gave, and the trained model as a function from frame to mask: the moving average of the weights,
        which is what `model.keras` holds.

    Raises:
        DataInvalid: a broken pair, or a checkpoint that does not belong to this run.
    """
    trainer = Trainer(settings, loader.steps * settings.epochs)
    checkpoint, history = out / "checkpoint.npz", out / "metrics.json"
    done, epochs = 0, []
    if resume and checkpoint.exists():
        done = trainer.read_checkpoint(checkpoint)
        epochs = _read_history(history, done)
    writer = tf.summary.create_file_writer(str(out / "tensorboard"))
    if epochs and not epochs[-1].validation:  # it was interrupted in its validation
        validate(trainer, validation, epochs[-1], writer)
        _write_history(history, epochs)
    for number in range(done, settings.epochs):
        with _bars() as progress:
            epochs.append(_run_epoch(trainer, loader, number, writer, progress))
        trainer.publish()
        trainer.saved.save(out / "model.part.keras")
        (out / "model.part.keras").replace(out / "model.keras")
        _write_history(history, epochs)
        # Before validation: whatever interrupts that, the epoch's work is kept.
        trainer.write_checkpoint(checkpoint, number + 1)
        validate(trainer, validation, epochs[-1], writer)
        _write_history(history, epochs)
    trainer.publish()
    return epochs, trainer.segment
