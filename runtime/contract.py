"""The contract that a model file carries in its metadata, and the check of it against the file's graph.

One metadata entry, KEY, holds it as JSON. `convert` stamps it, `runtime` reads it and refuses a file whose contract is
missing, of an unknown version, or contradicts the graph.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from runtime import categories
from runtime.errors import ModelInvalid
from runtime.frames import Geometry

KEY = "roadmask"
VERSION = 1

INPUT = "image"
"""uint8 [batch, height, width, 3], RGB."""
OUTPUT = "mask"
"""uint8 [batch, height, width], category ids."""
CONFIDENCE = "confidence"
"""uint8 [batch, height, width], an output that a file may have: round(255 p), p the probability (0..1) of the pixel's
category, which is the softmax's maximum after the logits were divided by the contract's temperature; at the size that
the network has its logits in, and enlarged from there (`convert.confidence`)."""

PRECISIONS = ("fp32", "fp16", "int8")

Shape = Sequence[int | str | None]
"""Sizes of a tensor as onnxruntime tells them; a dimension that is free has a name or None."""


@dataclass(frozen=True)
class Contract:
    """What a model file promises."""

    precision: str
    """One of PRECISIONS."""
    geometry: Geometry = field(default_factory=Geometry)
    run: Mapping[str, Any] = field(default_factory=dict)
    """The training run: model, epochs, seed, loss..."""
    data: tuple[str, ...] = ()
    """Names of the data sets that it was trained on."""
    accuracy: Mapping[str, Any] = field(default_factory=dict)
    """What `convert` measured, by data set: `mean_iou`, `accuracy`, `iou` by category, `frames`, and the `ece` of the
    confidence where that was calibrated."""
    gmac: float | None = None
    """10^9 multiply-accumulates of the convolutions for a full pixel budget."""
    temperature: float | None = None
    """What the logits are divided by for the output CONFIDENCE; 1 where nothing calibrated it, None without that
    output."""
    quality: Mapping[str, float] = field(default_factory=dict)
    """Thresholds of the frame-level flag, by name (`runtime.quality`); empty where nothing calibrated them."""

    def to_json(self) -> str:
        """The text of the metadata entry."""
        table = [{"id": c.id, "name": c.name, "color": list(c.color)} for c in categories.CATEGORIES]
        return json.dumps({"version": VERSION, "categories": table, **asdict(self)})

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Contract:
        """The contract of a file's metadata.

        Raises:
            ModelInvalid: it is missing, malformed, of another version, or of other categories.
        """
        if KEY not in metadata:
            raise ModelInvalid(
                f"the model carries no contract (metadata '{KEY}'): make the file with python -m convert"
            )
        try:
            stored = json.loads(metadata[KEY])
            if stored["version"] != VERSION:
                raise ModelInvalid(f"the contract has version {stored['version']}, this roadmask reads {VERSION}")
            table = [(row["id"], row["name"], tuple(row["color"])) for row in stored["categories"]]
            geometry = dict(stored["geometry"])
            fixed = geometry.pop("fixed", None)
            contract = cls(
                precision=stored["precision"],
                geometry=Geometry(**geometry, fixed=(int(fixed[0]), int(fixed[1])) if fixed else None),
                run=dict(stored["run"]),
                data=tuple(stored["data"]),
                accuracy=dict(stored["accuracy"]),
                gmac=stored["gmac"],
                # Files from before there was a confidence have neither.
                temperature=_temperature(stored.get("temperature")),
                quality={str(name): float(value) for name, value in stored.get("quality", {}).items()},
            )
            # Servers tell it as JSON, which has neither NaN nor infinity.
            json.dumps(asdict(contract), allow_nan=False)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
            raise ModelInvalid(f"the contract is malformed: {type(error).__name__} {error}") from error
        if table != [(category.id, category.name, category.color) for category in categories.CATEGORIES]:
            raise ModelInvalid(f"the contract's categories are {table}, not the 8 of Cityscapes")
        if contract.precision not in PRECISIONS:
            raise ModelInvalid(
                f"the contract's precision is '{contract.precision}', not one of {', '.join(PRECISIONS)}"
            )
        contract.check_geometry()
        return contract

    def check_geometry(self) -> None:
        """Refuse a geometry that no frame could be fitted to.

        Raises:
            ModelInvalid: a stride, budget or size that makes no sense.
        """
        geometry = self.geometry
        if not (isinstance(geometry.stride, int) and geometry.stride >= 1):
            raise ModelInvalid(f"the contract's stride is {geometry.stride}, it must be a whole number from 1")
        if not (isinstance(geometry.pixel_budget, int) and geometry.pixel_budget >= geometry.stride**2):
            raise ModelInvalid(f"the contract's pixel budget is {geometry.pixel_budget}, less than one stride squared")
        if not (isinstance(geometry.max_upscale, int | float) and 0 < geometry.max_upscale < 1000):
            raise ModelInvalid(f"the contract's largest upscale is {geometry.max_upscale!r}, it must be above 0")
        if geometry.fixed and any(side < 1 or side % geometry.stride for side in geometry.fixed):
            raise ModelInvalid(f"the contract's size {geometry.fixed} is no multiple of its stride {geometry.stride}")

    def check_graph(self, inputs: Mapping[str, tuple[str, Shape]], outputs: Mapping[str, tuple[str, Shape]]) -> None:
        """Hold the contract against the graph.

        Args:
            inputs: by name, type and shape as onnxruntime tells them (`tensor(uint8)`).
            outputs: likewise.

        Raises:
            ModelInvalid: names, types, ranks or sizes differ; the message says which.
        """
        height, width = self.geometry.fixed or (None, None)
        _check_names("input", inputs, [INPUT])
        _check_names("output", outputs, [OUTPUT, CONFIDENCE] if CONFIDENCE in outputs else [OUTPUT])
        _check_tensor("input", INPUT, inputs, (None, height, width, 3))
        for name in outputs:
            _check_tensor("output", name, outputs, (None, height, width))
        if CONFIDENCE in outputs and self.temperature is None:
            raise ModelInvalid(f"the graph has the output '{CONFIDENCE}', the contract has no temperature for it")


def _temperature(stored: Any) -> float | None:
    if stored is None:
        return None
    temperature = float(stored)
    if not (0 < temperature < float("inf")):
        raise ModelInvalid(f"the contract's temperature is {temperature}, it must be above 0")
    return temperature


def _check_names(kind: str, tensors: Mapping[str, tuple[str, Shape]], wanted: list[str]) -> None:
    if list(tensors) != wanted:
        raise ModelInvalid(f"the graph's {kind}s are {list(tensors)}, the contract has {wanted}")


def _check_tensor(kind: str, name: str, tensors: Mapping[str, tuple[str, Shape]], wanted: Shape) -> None:
    dtype, shape = tensors[name]
    if dtype != "tensor(uint8)":
        raise ModelInvalid(f"the {kind} '{name}' is {dtype}, the contract says tensor(uint8)")
    sizes = tuple(size if isinstance(size, int) else None for size in shape)
    if sizes != tuple(wanted):
        raise ModelInvalid(f"the {kind} '{name}' has the shape {list(shape)}, the contract says {list(wanted)}")
