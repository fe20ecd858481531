"""The training loop: epochs, validation after each, and a run folder that an interrupted run goes on from exactly."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from runtime import evaluate
from runtime.datasets import Pair
from runtime.errors import DataInvalid
from runtime.frames import Frame, Mask
from train import replicas, shipped
from train.cluster import ALONE, Cluster
from train.loader import Batch, Loader
from train.settings import Settings
from train.trainer import Trainer


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
    """Processor time of the same, all threads of the first worker."""
    frames_per_s: float | None = None
    """Training frames, of all workers together; None in runs of older versions, as `stall`."""
    stall: float | None = None
    """Share of `seconds`, 0..1, in which a step waited for its batch: of the worker that waited longest."""
    validation: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By data set: `iou` by category, `mean_iou`, `frames`."""

    def line(self) -> str:
        """What is printed of it."""
        speed = "" if self.frames_per_s is None else f", {self.frames_per_s:.1f} frames/s"
        stall = "" if self.stall is None else f", input stall {self.stall:.0%}"
        scores = " ".join(f"{name} {row['mean_iou'] or 0:.4f}" for name, row in self.validation.items())
        return f"epoch {self.epoch}: loss {self.loss:.4f}, {self.seconds:.0f} s{speed}{stall}, mean IoU {scores}"


Finish = Callable[[list[Epoch], Callable[[Frame], Mask]], None]


def validate(trainer: Trainer, validation: Mapping[str, Sequence[Pair]], epoch: Epoch, writer: Any) -> None:
    """Score the moving average on each data set, at the truths' own size, into `epoch.validation`."""
    trainer.publish()
    for name, pairs in validation.items():
        found = evaluate.summary(evaluate.evaluate(trainer.segment, pairs, title=f"validate on {name}"), len(pairs))
        epoch.validation[name] = found
        with writer.as_default(step=trainer.steps_done):
            tf.summary.scalar(f"mean_iou/{name}", found["mean_iou"] or 0.0)
    print(epoch.line(), flush=True)


def _timed(batches: Iterator[Batch], waits: list[float]) -> Iterator[Batch]:
    """The same batches; how long each was waited for, in seconds, is noted in `waits`."""
    while True:
        start = time.monotonic()
        batch = next(batches, None)
        waits.append(time.monotonic() - start)
        if batch is None:
            return
        yield batch


def _run_epoch(trainer: Trainer, loader: Loader, number: int, writer: Any, progress: Progress) -> Epoch:
    task = progress.add_task(f"epoch {number + 1}/{trainer.settings.epochs}", total=loader.steps, loss="")
    wall, processor = time.monotonic(), time.process_time()
    losses: list[float] = []
    waits: list[float] = []
    for images, truths in _timed(loader.epoch(number), waits):
        loss = float(trainer.step(images, truths))
        losses.append(loss)
        progress.update(task, advance=1, loss=f"loss {np.mean(losses[-50:]):.3f}")
        with writer.as_default(step=trainer.steps_done):
            tf.summary.scalar("loss", loss)
    seconds, cpu_seconds = time.monotonic() - wall, time.process_time() - processor
    return Epoch(
        number + 1,
        float(np.mean(losses)),
        float(trainer.schedule(trainer.steps_done)),
        seconds,
        cpu_seconds,
        loader.steps * trainer.settings.batch / seconds,
        float(replicas.gather(trainer.strategy, [sum(waits) / seconds]).max()),
    )


def _bars(cluster: Cluster) -> Progress:
    columns = ("[progress.description]{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, TextColumn("{task.fields[loss]}"), disable=not cluster.chief)


def _write_history(path: Path, epochs: list[Epoch]) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps([asdict(row) for row in epochs], indent=1))
    part.replace(path)


def _read_history(path: Path, done: int) -> list[Epoch]:
    try:
        rows = [Epoch(**row) for row in json.loads(path.read_text())[:done]]
        if len(rows) < done:
            raise ValueError(f"it has {len(rows)} epochs, the checkpoint {done}")
        return rows
    except (OSError, ValueError, TypeError) as error:
        raise DataInvalid(f"{path} is no history of this run: {error}") from error


def _agree(trainer: Trainer, loader: Loader, done: int) -> None:
    """See that all workers train the same network from the same epoch.

    Raises:
        DataInvalid: they don't.
    """
    told = zlib.crc32(json.dumps([trainer.settings.as_dict(), loader.frames]).encode())
    rows = replicas.gather(trainer.strategy, [told, done])
    if (rows[:, 0] != told).any():
        raise DataInvalid("the workers have different settings or frames: give all of them the same arguments and data")
    if (rows[:, 1] != done).any():
        epochs = ", ".join(f"{row:.0f}" for row in rows[:, 1])
        raise DataInvalid(f"the workers' checkpoints are of the epochs {epochs}: give them one run folder, shared")


def _save(trainer: Trainer, out: Path, epochs: list[Epoch]) -> None:
    trainer.publish()
    trainer.saved.save(out / "model.part.keras")
    (out / "model.part.keras").replace(out / "model.keras")
    _write_history(out / "metrics.json", epochs)
    trainer.write_checkpoint(out / "checkpoint.npz", len(epochs))


def _run(
    trainer: Trainer,
    loader: Loader,
    validation: Mapping[str, Sequence[Pair]],
    out: Path,
    cluster: Cluster,
    epochs: list[Epoch],
) -> None:
    """The epochs that are not in `epochs` yet; the first worker alone writes and validates, the others wait for it."""
    chief = cluster.chief
    writer = tf.summary.create_file_writer(str(out / "tensorboard")) if chief else tf.summary.create_noop_writer()
    if chief and epochs and not epochs[-1].validation:  # it was interrupted in its validation
        validate(trainer, validation, epochs[-1], writer)
        _write_history(out / "metrics.json", epochs)
    for number in range(len(epochs), trainer.settings.epochs):
        with _bars(cluster) as progress:
            epochs.append(_run_epoch(trainer, loader, number, writer, progress))
        if not chief:
            continue
        # Before validation: whatever interrupts that, the epoch's work is kept.
        _save(trainer, out, epochs)
        validate(trainer, validation, epochs[-1], writer)
        _write_history(out / "metrics.json", epochs)


def train(
    settings: Settings,
    loader: Loader,
    validation: Mapping[str, Sequence[Pair]],
    out: Path,
    *,
    resume: bool,
    cluster: Cluster = ALONE,
    finish: Finish | None = None,
) -> list[Epoch]:
    """Train and leave `model.keras`, `metrics.json`, `checkpoint.npz` and `tensorboard/` in `out`.

    Args:
        settings: the run.
        loader: what is trained on.
        validation: by data set's name, what is validated on.
        out: an existing folder, the same one on every worker.
        resume: go on from `checkpoint.npz` if it is there.
        cluster: this process' place among the workers, as TF_CONFIG says.
        finish: what the first worker does in the end with the epochs and the trained model, which makes a frame's mask
            by the moving average of the weights, as `model.keras` does.

    Returns:
        What each epoch gave; only the first worker's rows hold a validation.

    Raises:
        DataInvalid: a broken pair, a checkpoint that does not belong to this run, or workers that don't agree.
        WorkerLost: another worker ended, within about ten seconds of it.
    """
    with replicas.lost_is_told(cluster):
        trainer = Trainer(settings, loader.steps * settings.epochs, cluster, sample=lambda: loader.some(shipped.FRAMES))
        epochs: list[Epoch] = []
        done = 0
        if resume and (out / "checkpoint.npz").exists():
            done = trainer.read_checkpoint(out / "checkpoint.npz")
            epochs = _read_history(out / "metrics.json", done)
        _agree(trainer, loader, done)
        _run(trainer, loader, validation, out, cluster, epochs)
        if finish is not None and cluster.chief:
            trainer.publish()
            finish(epochs, trainer.segment)
        # Nobody leaves before the first worker is through: who leaves counts as lost.
        replicas.gather(trainer.strategy, [0])
    return epochs
