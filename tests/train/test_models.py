from __future__ import annotations

import io
import pickle
import struct
import sys
import types
from collections import OrderedDict
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from runtime.errors import DataInvalid
from train import pretrained
from train.depthwise import QuickDepthwiseConv2D
from train.models import MODELS
from train.norm import FusedBatchNormalization
from train.twin import quick


@pytest.mark.parametrize("name", sorted(MODELS))
def test_logits_have_the_input_s_size_and_7_categories(name: str) -> None:
    model = MODELS[name]()
    for height, width in ((64, 96), (96, 32)):
        assert model(np.zeros((1, height, width, 3), np.float32)).shape == (1, height, width, 7)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_models_are_of_built_in_layers(name: str) -> None:
    assert all(type(layer).__module__.startswith("keras.") for layer in MODELS[name]().layers)


def test_the_encoder_starts_from_the_package_s_weights() -> None:
    tensors = pretrained.efficientnet_lite0()
    assert len(tensors) == 296
    model = MODELS["lite"]()
    kernel = model.get_layer("stage3_block1_expand").get_weights()[0]
    assert (kernel[0, 0] == tensors["_blocks.6._expand_conv.weight"][:, :, 0, 0].T).all()
    deep = model.get_layer("stage2_block0_depthwise").get_weights()[0]
    assert (deep[..., 0] == tensors["_blocks.3._depthwise_conv.weight"][:, 0].transpose(1, 2, 0)).all()
    variance = model.get_layer("stem_norm").get_weights()[3]
    assert (variance == tensors["_bn0.running_var"]).all()


def test_the_fused_norm_trains_and_infers_as_keras_own_does() -> None:
    inputs = keras.Input((None, None, 5))
    plain = keras.Model(inputs, keras.layers.BatchNormalization(epsilon=1e-3, momentum=0.9)(inputs))
    rng = np.random.default_rng(0)
    plain.set_weights([rng.uniform(0.5, 2, 5).astype(np.float32) for _ in range(4)])
    fused = quick(plain)
    assert isinstance(fused.layers[1], FusedBatchNormalization)
    x = rng.normal(size=(4, 16, 16, 5)).astype(np.float32)
    for training in (True, False):
        np.testing.assert_allclose(fused(x, training=training), plain(x, training=training), atol=1e-3)
        for ours, theirs in zip(fused.get_weights(), plain.get_weights(), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=2e-3)


@pytest.mark.parametrize(
    ("kernel", "more"),
    [
        (5, {}),
        (5, {"strides": 2}),
        (5, {"dilation_rate": 2}),
        (5, {"activation": "relu6"}),
        (5, {"padding": "valid"}),
        (3, {}),
        (9, {}),
    ],
)
def test_the_quick_depthwise_convolution_has_keras_own_outputs_and_gradients(kernel: int, more: dict[str, Any]) -> None:
    inputs = keras.Input((None, None, 4))
    convolve = keras.layers.DepthwiseConv2D(kernel, **{"padding": "same", "use_bias": False, **more})
    plain = keras.Model(inputs, convolve(inputs))
    twin = quick(plain)
    assert isinstance(twin.layers[1], QuickDepthwiseConv2D)
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(3, 14, 9, 4)).astype(np.float32))
    found = []
    for model in (plain, twin):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = model(x)
            total = tf.reduce_sum(tf.sin(outputs))
        found.append([outputs, *tape.gradient(total, [x, *model.trainable_variables])])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


class FloatStorage:
    """Pickled under the name of PyTorch's."""


FloatStorage.__module__ = "torch"


def rebuild(*arguments: Any) -> None:
    """Pickled under the name of PyTorch's."""


rebuild.__module__, rebuild.__qualname__, rebuild.__name__ = "torch._utils", "_rebuild_tensor_v2", "_rebuild_tensor_v2"


def legacy_checkpoint(monkeypatch: pytest.MonkeyPatch, state: Any, storages: dict[str, np.ndarray]) -> bytes:
    """A checkpoint as PyTorch before 1.6 wrote it."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    torch.FloatStorage, utils._rebuild_tensor_v2 = FloatStorage, rebuild  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: Any) -> Any:
            if isinstance(value, Storage):
                return ("storage", FloatStorage, value.key, "cpu", len(storages[value.key]), None)
            return None

    file = io.BytesIO()
    for part in (pretrained._MAGIC, 1001, {"little_endian": True}):
        pickle.dump(part, file, 2)
    Pickler(file, 2).dump(state)
    pickle.dump(list(storages), file, 2)
    for values in storages.values():
        file.write(struct.pack("<q", len(values)) + values.astype("<f4").tobytes())
    return file.getvalue()


class Storage:
    def __init__(self, key: str) -> None:
        self.key = key


class Tensor:
    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __reduce__(self) -> Any:
        return rebuild, self.arguments


def test_a_legacy_checkpoint_is_read_with_offsets_and_strides(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.arange(20, dtype=np.float32)
    state = OrderedDict(
        plain=Tensor(Storage("a"), 0, (4, 5), (5, 1), False, OrderedDict()),
        turned=Tensor(Storage("a"), 2, (3, 4), (1, 4), False, OrderedDict()),
    )
    read = pretrained.read_legacy_checkpoint(legacy_checkpoint(monkeypatch, state, {"a": values}))
    assert (read["plain"] == values.reshape(4, 5)).all()
    assert (read["turned"] == values[2:18].reshape(4, 4)[:, :3].T).all()
    assert read["turned"].flags["C_CONTIGUOUS"]


def test_a_checkpoint_that_would_run_code_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return print, ("run",)

    with pytest.raises(DataInvalid, match=r"no business with .*print"):
        pretrained.read_legacy_checkpoint(legacy_checkpoint(monkeypatch, {"x": Evil()}, {}))


@pytest.mark.parametrize("data", [b"", b"no pickle", pickle.dumps(5)])
def test_what_is_no_checkpoint_is_refused(data: bytes) -> None:
    with pytest.raises(DataInvalid):
        pretrained.read_legacy_checkpoint(data)
