"""What a training run is made of: one frozen dataclass, stored as `run.json` beside the model."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any, TypeVar

from runtime.contract import Contract
from runtime.errors import DataInvalid
from runtime.frames import Geometry

REDUCTION = 32
"""How many times smaller the deepest features of every network are: sides of its input are multiples of it."""

DEGRADATIONS = ("colour", "exposure", "veil", "blur", "sharpen", "noise", "jpeg")
"""The settings of `Augmentation` that `Settings.degrade` is a factor on."""


@dataclass(frozen=True)
class Augmentation:
    """How a frame and its mask are varied. Probabilities are 0..1 a sample."""

    crop: tuple[int, int] = (256, 384)
    """Height and width of a training sample: a fifth of the network's input, so a batch of 8 stays cheap."""
    scale: tuple[float, float] = (0.375, 1.125)
    """Size relative to the frame as the network will see it (fitted to the pixel budget), drawn evenly. Half and less
    stands for distant scenes and other lenses, 1 is what serving does and lies inside the range on purpose."""
    aspect: float = 0.15
    """The width is stretched by up to this share either way: cameras whose pixels are not square."""
    flip: float = 0.5
    """Streets are as likely mirrored: left-hand traffic."""
    colour: float = 0.8
    """Brightness, contrast, saturation and white balance of other cameras."""
    exposure: float = 0.2
    """Gamma from 0.5 to 2: dusk, tunnels, low sun."""
    veil: float = 0.12
    """Fog, spray, frost and dirt: random clouds and patches, grey to white. Generic ones, not those that
    `runtime.corruptions` evaluates with."""
    blur: float = 0.2
    """Focus, motion, a coarser sensor: mostly less than 2 pixels, seldom up to 4 pixels' sigma."""
    sharpen: float = 0.2
    """Unsharp mask: cameras that sharpen, and the detail that frames stored at half the size have lost."""
    noise: float = 0.2
    """Up to 50 of 255, of the sensor, the light or dead pixels: high gain at night."""
    jpeg: float = 0.15
    """JPEG of quality 15 to 80: links with little bandwidth."""

    def scaled(self, degrade: float) -> Augmentation:
        """The same geometry, with the probability of each degradation times `degrade`, at most 1."""
        return replace(self, **{name: min(1.0, getattr(self, name) * degrade) for name in DEGRADATIONS})


@dataclass(frozen=True)
class Settings:
    """One training run."""

    data: tuple[str, ...]
    """`KIND:DIR`, each; one that is named twice is read twice an epoch."""
    model: str = "lite"
    """A name of `train.models.MODELS`."""
    init: str | None = None
    """A `model.keras`, or a float32 or float16 `.onnx` file, of a network of the same family whose weights the run
    starts from; None starts as the network says."""
    epochs: int = 8
    """With 3,300 frames an epoch; the curve is still rising slowly then, after an hour on two cores."""
    batch: int = 8
    """Large enough for batch norm, small enough for two cores' caches."""
    learning_rate: float = 1.5e-3
    """AdamW's peak, with which the first trial of this network was run; not tuned since."""
    weight_decay: float = 0.01
    """AdamW's usual; kernels only."""
    warmup_steps: int = 200
    """Batch norm and the fresh decoder settle before the pretrained encoder is moved fast."""
    ema: float = 0.995
    """Exponential moving average of the weights: the model that is validated and saved. About the last 200 steps."""
    loss: str = "both"
    """A name of `train.losses.LOSSES`."""
    class_weights: tuple[float, ...] = (0.84, 0.89, 1.41, 0.95, 1.14, 1.48, 1.05)
    """Of the categories 1 to 7 in the cross-entropy: about 1.1 (median share / share) ** 0.175 of Cityscapes' pixels.
    Enough to keep object (1.8 %) and human (1.2 %) in sight; the squares of these cost precision (`experiments.md`)."""
    validation_frames: int = 100
    """Validated after each epoch, of each data set, evenly spread; `runtime evaluate` scores all of them."""
    seed: int = 0
    """Decides order, crops and augmentation; sample i of epoch e is the same in every run."""
    degrade: float = 1.0
    """Factor on the probability of every degradation in `augmentation`, from colour to JPEG: less for a last phase that
    is to gain on clean frames."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    geometry: Geometry = field(default_factory=Geometry)
    """How frames will be fitted in serving; training's scales are relative to it, and the contract carries it on."""

    def as_dict(self) -> dict[str, Any]:
        """The settings as JSON can hold them."""
        return asdict(self)


def check(settings: Settings) -> None:
    """Refuse values that no run could use; names of networks, losses and files are not looked at.

    Raises:
        DataInvalid: one of the settings; the message says which, and what it has to be.
        ModelInvalid: a geometry that no frame could be fitted to.
    """
    how = settings.augmentation
    low, high = how.scale
    weights = settings.class_weights
    rules: dict[str, bool] = {
        "--degrade must be a number from 0": 0 <= settings.degrade <= sys.float_info.max,
        "--learning-rate must lie between 0 and 1": 0 < settings.learning_rate < 1,
        "weight_decay must be at least 0": settings.weight_decay >= 0,
        "warmup_steps must be at least 0": settings.warmup_steps >= 0,
        "ema must be at least 0 and below 1": 0 <= settings.ema < 1,
        "class_weights must be at least 0, and one of them more": min(weights) >= 0 < max(weights),
        "--seed must be 0 to 4294967295": 0 <= settings.seed < 2**32,
        f"geometry.stride must be a multiple of {REDUCTION}": _is_side(settings.geometry.stride),
        f"augmentation.crop must be two multiples of {REDUCTION}": all(map(_is_side, how.crop)),
        "augmentation.scale must be two numbers above 0, the smaller one first": 0 < low <= high,
        "augmentation.aspect must be at least 0": how.aspect >= 0,
    }
    for name in ("flip", *DEGRADATIONS):
        rules[f"augmentation.{name} must be 0 to 1"] = 0 <= getattr(how, name) <= 1
    for said, holds in rules.items():
        if not holds:
            raise DataInvalid(said)
    Contract("fp32", settings.geometry).check_geometry()


def _is_side(pixels: int) -> bool:
    return pixels > 0 and pixels % REDUCTION == 0


def differences(stored: Any, asked: Any, name: str = "") -> list[str]:
    """The names, those inside others after a dot, of what differs between two trees of JSON objects."""
    if not (isinstance(stored, dict) and isinstance(asked, dict)):
        return [] if stored == asked else [name]
    return [
        found
        for key in dict.fromkeys([*asked, *stored])
        for found in differences(stored.get(key), asked.get(key), f"{name}.{key}".lstrip("."))
    ]


T = TypeVar("T")


def changed(settings: T, assignments: Iterable[str]) -> T:
    """The settings with other values.

    Args:
        settings: a frozen dataclass; those in its fields are reached by a dot.
        assignments: `NAME=VALUE`, the value as JSON: `ema=0.999`, `augmentation.crop=[352, 576]`.

    Raises:
        DataInvalid: a name that is none, or a value of another kind than the one that it replaces.
    """
    for text in assignments:
        name, _, value = text.partition("=")
        try:
            given = json.loads(value)
        except ValueError as error:
            raise DataInvalid(f"'{text}' is not NAME=VALUE with the value as JSON, such as ema=0.999") from error
        settings = _set(settings, name.strip(), given, name.strip())
    return settings


def _set(settings: T, path: str, given: Any, whole: str) -> T:
    if not is_dataclass(settings) or isinstance(settings, type):
        raise DataInvalid(f"there is no setting '{whole}'")
    name, _, rest = path.partition(".")
    known = {row.name: getattr(settings, row.name) for row in fields(settings)}
    if name not in known:
        raise DataInvalid(f"there is no setting '{whole}': known are {', '.join(known)}")
    made = _set(known[name], rest, given, whole) if rest else _as(known[name], given, whole)
    return replace(settings, **{name: made})


def _as(before: Any, given: Any, name: str) -> Any:
    """`given` in the type of the value before, if JSON can mean that."""
    if isinstance(before, tuple) and isinstance(given, list) and len(given) == len(before):
        return tuple(_as(one, other, name) for one, other in zip(before, given, strict=True))
    if isinstance(before, float) and isinstance(given, int | float) and not isinstance(given, bool):
        if abs(given) <= sys.float_info.max:  # false for NaN, too
            return float(given)
    elif type(before) is type(given) and isinstance(given, int | str) and not isinstance(given, bool):
        return given
    kind = f"{len(before)} values" if isinstance(before, tuple) else type(before).__name__
    raise DataInvalid(f"{name} is {json.dumps(before, default=str)}: {json.dumps(given)} is not of that kind ({kind})")
