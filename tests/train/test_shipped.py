"""Training that starts from a converted file, which is all that is shipped."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras.layers import BatchNormalization, Conv2D, DepthwiseConv2D

from convert import export, graph
from runtime import model_files, scenes
from runtime.errors import DataInvalid
from runtime.frames import Frame, Geometry
from train import shipped
from train.models import MODELS


def frames(count: int) -> list[Frame]:
    return [scenes.generate(seed, 192, 96).frame for seed in range(count)]


def trained() -> keras.Model:
    """A network whose normalisations have something to say."""
    model = MODELS["unet"]()
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, BatchNormalization):
            size = layer.gamma.shape[0]
            rows = (rng.uniform(0.5, 2, size), rng.normal(size=size), rng.normal(size=size), rng.uniform(0.5, 2, size))
            layer.set_weights([row.astype(np.float32) for row in rows])
    return model


@pytest.fixture(scope="module")
def original() -> keras.Model:
    return trained()


@pytest.fixture(scope="module")
def file(original: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, geometry = tmp_path_factory.mktemp("converted"), Geometry(pixel_budget=192 * 96)
    exported = graph.finish(export.to_onnx(original, geometry, folder / "raw.onnx"), geometry)
    graph.fold(exported, folder / "unet-fp32.onnx")
    return folder / "unet-fp32.onnx"


def test_the_network_computes_what_the_file_computes(original: keras.Model, file: Path) -> None:
    made = MODELS["unet"]()
    assert shipped.take(made, file, frames(4)) == []
    image = np.float32(frames(1)[0][None])
    np.testing.assert_allclose(made(image), original(image), atol=2e-3)


def test_normalisations_hold_the_moments_of_the_frames(file: Path) -> None:
    """Else the first step of training, which takes the batch's moments, would see another network."""
    made = MODELS["unet"]()
    shipped.take(made, file, frames(4))
    serving = made(np.float32(np.stack(frames(4))), training=False)
    training = made(np.float32(np.stack(frames(4))), training=True)
    # Different by how Keras and we count: the moments were taken frame by frame, in float32.
    np.testing.assert_allclose(serving, training, atol=0.02 * float(np.abs(serving).max()))


@pytest.mark.parametrize("stem", ["accurate-fp32", "accurate-fp16", "fast-fp32", "fast-fp16"])
def test_shipped_files_hold_the_whole_network_as_it_is(stem: str) -> None:
    network = {layer.name: layer for layer in MODELS["lite"](imagenet=False).layers}
    stored = shipped.read(model_files.find(stem))
    convolutions = {name for name, layer in network.items() if isinstance(layer, Conv2D | DepthwiseConv2D)}
    assert set(stored) == convolutions
    assert all(sorted(taps.shape) == sorted(network[name].kernel.shape) for name, (taps, _) in stored.items())


def test_layers_that_the_file_lacks_are_made_and_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = shipped.read(file)
    del stored["down4_conv"], stored["classify"]
    monkeypatch.setattr(shipped, "read", lambda _: stored)
    made = MODELS["unet"]()
    assert shipped.take(made, file, frames(4)) == ["down4_conv", "classify"]
    probe = keras.Model(made.input, made.get_layer("down4_conv").output)
    found = np.concatenate([np.asarray(probe(np.float32(frame[None]), training=False)) for frame in frames(4)])
    _, _, mean, variance = made.get_layer("down4_conv_norm").get_weights()
    np.testing.assert_allclose(mean, found.mean((0, 1, 2)), atol=1e-3)
    np.testing.assert_allclose(variance, found.var((0, 1, 2)), rtol=1e-2, atol=1e-4)


def test_what_is_no_such_file_is_told(file: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no protobuf")
    with pytest.raises(DataInvalid, match="is no ONNX file"):
        shipped.read(broken)
    with pytest.raises(DataInvalid, match="holds no weights in float32 or float16"):
        shipped.read(model_files.find("accurate-int8"))
    with pytest.raises(DataInvalid, match="is of another network"):
        shipped.take(MODELS["lite"](), file, frames(1))
