"""The temperature: the one scalar by which logits are divided so that softmax tells real probabilities.

It is that of Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017): what makes the true categories
likeliest, on frames that the network was not trained on. It changes no mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from convert import confidence
from runtime import categories, contract, cores, datasets, evaluate, frames, providers
from runtime.datasets import Pair
from runtime.frames import Geometry

TEMPERATURES = np.geomspace(0.25, 4, 65)
"""Where the likelihood is taken; between them a parabola is good to 0.1 %."""

PIXELS = 2**13
"""About as many pixels of a frame are taken, evenly spread: neighbours tell little new."""


class TemperatureFit:
    """The likelihood of true categories at each of TEMPERATURES, in constant memory; each frame weighs the same."""

    def __init__(self) -> None:
        self._loss = np.zeros(len(TEMPERATURES))

    def add(self, logits: npt.NDArray[np.floating[Any]], truth: npt.NDArray[np.uint8]) -> None:
        """Count one frame.

        Args:
            logits: categories 1 to 7 x pixels.
            truth: category ids 0 to 7, by pixel; void counts for nothing.
        """
        scored = truth != categories.VOID
        if not scored.any():
            return
        values = logits[:, scored].astype(np.float32)
        values -= values.max(axis=0)
        of_truth = values[truth[scored] - 1, np.arange(values.shape[1])]
        for i, temperature in enumerate(TEMPERATURES):
            partition = np.log(np.exp(values / np.float32(temperature)).sum(axis=0))
            self._loss[i] += float(np.mean(partition - of_truth / np.float32(temperature)))

    def temperature(self) -> float:
        """Where the mean negative log-likelihood is least, within TEMPERATURES; 1 if nothing was added."""
        if not self._loss.any():
            return 1.0
        least = int(np.argmin(self._loss))
        if least in (0, len(TEMPERATURES) - 1):
            return float(TEMPERATURES[least])
        before, here, after = self._loss[least - 1 : least + 2]
        shift = (before - after) / (2 * (before - 2 * here + after))
        return float(TEMPERATURES[least] * (TEMPERATURES[1] / TEMPERATURES[0]) ** shift)


def fit(model: onnx.ModelProto, geometry: Geometry, pairs: Sequence[Pair]) -> float:
    """The temperature of a model's logits on some frames, at the size of the network's input.

    Raises:
        DataInvalid: a pair is broken.
    """
    ort = providers.import_onnxruntime()
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = cores.available(), 3
    content = confidence.logits_only(model).SerializeToString()
    session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    found = TemperatureFit()
    for pair in evaluate.shown(pairs, "temperature"):
        frame, truth = datasets.read(pair, scored_only=True)
        where = frames.plan(frame.shape[0], frame.shape[1], geometry)
        logits = session.run(None, {contract.INPUT: frames.fit(frame, where)[None]})[0][0]
        height, width = where.content_height, where.content_width
        step = max(1, round((height * width / PIXELS) ** 0.5))
        there = frames.resize_mask(truth, height, width)[::step, ::step]
        found.add(logits[:, :height:step, :width:step].reshape(len(categories.SCORED), -1), there.ravel())
    return found.temperature()
