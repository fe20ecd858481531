"""The temperature against brute force, and against the one that labels were drawn with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from convert import confidence, temperature
from convert.temperature import TEMPERATURES, TemperatureFit
from runtime import datasets, frames, model_files, providers
from runtime.datasets import Source
from runtime.frames import Geometry


def drawn(true_temperature: float, pixels: int = 20_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits, 7 x pixels, and categories that softmax of logits / temperature gives their odds."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (7, pixels))
    # Gumbel's trick: https://en.wikipedia.org/wiki/Gumbel_distribution#Gumbel_reparameterization_tricks
    truth = np.argmax(logits / true_temperature + rng.gumbel(size=logits.shape), axis=0) + 1
    return logits.astype(np.float32), truth.astype(np.uint8)


def loss(logits: np.ndarray, truth: np.ndarray, value: float) -> float:
    """Mean negative log-likelihood, written down as it is defined, in float64."""
    odds = np.exp(logits.astype(np.float64) / value)
    return float(-np.mean(np.log((odds / odds.sum(axis=0))[truth - 1, np.arange(len(truth))])))


def brute_force(batches: list[tuple[np.ndarray, np.ndarray]], around: float) -> float:
    tried = around * np.geomspace(0.9, 1.1, 401)
    return float(tried[np.argmin([sum(loss(*batch, value) for batch in batches) for value in tried])])


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 1.3, 2.5])
def test_the_temperature_is_that_of_brute_force_and_of_the_labels(true_temperature: float) -> None:
    logits, truth = drawn(true_temperature)
    fit = TemperatureFit()
    fit.add(logits, truth)
    assert fit.temperature() == pytest.approx(brute_force([(logits, truth)], true_temperature), rel=0.002)
    assert fit.temperature() == pytest.approx(true_temperature, rel=0.04)


def test_each_frame_weighs_the_same() -> None:
    batches = [drawn(0.7, 20_000, 1), drawn(2.0, 2_000, 2)]
    fit = TemperatureFit()
    for logits, truth in batches:
        fit.add(logits, truth)
    assert fit.temperature() == pytest.approx(brute_force(batches, fit.temperature()), rel=0.002)


def test_void_counts_for_nothing() -> None:
    logits, truth = drawn(1.5)
    alone, beside = TemperatureFit(), TemperatureFit()
    alone.add(logits, truth)
    beside.add(
        np.concatenate([logits, 50 * np.ones((7, 999), np.float32)], axis=1),
        np.concatenate([truth, np.zeros(999, np.uint8)]),
    )
    beside.add(logits, np.zeros_like(truth))
    assert beside.temperature() == alone.temperature()


def test_without_a_pixel_it_is_1_and_it_stays_within_its_bounds() -> None:
    assert TemperatureFit().temperature() == 1
    logits = drawn(1.0)[0]
    for better, bound in ((logits, TEMPERATURES[0]), (-logits, TEMPERATURES[-1])):
        fit = TemperatureFit()
        fit.add(better, np.asarray(logits.argmax(axis=0) + 1, np.uint8))
        assert fit.temperature() == bound


def test_the_pixels_are_those_of_the_truth_at_the_network_s_size(streets: Path) -> None:
    model = confidence.without(onnx.load(model_files.find("accurate-fp32")))
    pairs = Source.parse(f"cityscapes:{streets}").pairs("val")[:2]
    geometry = Geometry(pixel_budget=32 * 32 * 8)
    session = providers.import_onnxruntime().InferenceSession(
        confidence.logits_only(model).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    batches = []
    for pair in pairs:
        frame, truth = datasets.read(pair, scored_only=True)
        where = frames.plan(*frame.shape[:2], geometry)
        logits = session.run(None, {"image": frames.fit(frame, where)[None]})[0][0]
        rows = (np.arange(where.content_height) + 0.5) * frame.shape[0] // where.content_height
        columns = (np.arange(where.content_width) + 0.5) * frame.shape[1] // where.content_width
        there = truth[np.ix_(rows.astype(int), columns.astype(int))]
        cut = logits[:, : where.content_height, : where.content_width]
        batches.append((cut[:, there > 0], there[there > 0]))
    found = temperature.fit(model, geometry, pairs)
    assert found == pytest.approx(brute_force(batches, found), rel=0.002)
