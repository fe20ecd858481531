"""The 15 common corruptions of Hendrycks and Dietterich, at severities 1 to 5.

They are those of "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (ICLR 2019); formulas
and constants are those of the authors' `ImageNet-C/create_c/make_imagenet_c.py` (github.com/hendrycks/robustness,
Apache-2.0). As they were made for 224 x 224, what depends on the size follows `imagecorruptions` of Michaelis et al.,
"Benchmarking Robustness in Object Detection" (2019), which has become the practice for road scenes: constants in pixels
(blur radii, snow flakes, noise a pixel) stay as they are at every size; the plasma of the fog and the photo of the
frost cover the whole frame; elastic_transform bends by 0.5 % of the height, smoothed over 1 % of the sides, and leaves
out the authors' random affine map, so that a mask stays true. Kamann and Rother, "Benchmarking the Robustness of
Semantic Segmentation Models" (CVPR 2020), score Cityscapes likewise, with the masks as they are.

What differs: `frost` is made of generated crystals (`runtime.corruption_weather`), not of photos; `motion_blur` and
`snow` blur by Michaelis' formula, not by ImageMagick, and repeat the frame's edge however small the frame is.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from runtime import codecs
from runtime.corruption_blurs import defocus_blur, glass_blur, motion_blur, zoom_blur
from runtime.corruption_weather import fog, frost, snow
from runtime.frames import Frame

Values = npt.NDArray[np.float32]
"""H x W x 3, RGB, 0 to 255; what lies outside is still to be clipped."""

SEVERITIES = (1, 2, 3, 4, 5)


def corrupt(frame: Frame, name: str, severity: int, seed: int = 0) -> Frame:
    """A frame as a camera in trouble would show it; the same arguments give the same pixels.

    Args:
        frame: uint8 H x W x 3, RGB, of any size.
        name: of `CORRUPTIONS`.
        severity: 1 (least) to 5.
        seed: at least 0; tells frames apart, so that no two have the same noise.

    Returns:
        uint8 H x W x 3, RGB, of the same size: an array of its own.

    Raises:
        ValueError: no such name or severity.
    """
    if name not in CORRUPTIONS or severity not in SEVERITIES:
        raise ValueError(f"there is no corruption '{name}' of severity {severity}")
    rng = np.random.default_rng([zlib.crc32(name.encode()), severity, seed])
    corruption = CORRUPTIONS[name]
    made = corruption.apply(np.ascontiguousarray(frame), corruption.constants[severity - 1], rng)
    # Rounded down, as the authors do.
    return np.asarray(made if made.dtype == np.uint8 else np.clip(made, 0, 255), np.uint8)


def gaussian_noise(frame: Frame, scale: float, rng: np.random.Generator) -> Values:
    """Noise of a sensor in low light: `scale` is its standard deviation, of a full range of 1."""
    return frame + np.float32(255 * scale) * rng.standard_normal(frame.shape, np.float32)


def shot_noise(frame: Frame, photons: float, rng: np.random.Generator) -> Values:
    """Noise of the light itself: white is `photons` a pixel and channel, on average."""
    counted = rng.poisson(frame.astype(np.float32) * (photons / 255))
    return (counted * (255 / photons)).astype(np.float32)


def impulse_noise(frame: Frame, amount: float, rng: np.random.Generator) -> Frame:
    """Salt and pepper: a share `amount` of the values is 255 or 0, half of them each."""
    drawn = rng.random(frame.shape, np.float32)
    made = frame.copy()
    made[drawn < amount] = 0
    made[drawn < amount / 2] = 255
    return made


def brightness(frame: Frame, added: float, _: np.random.Generator) -> Values:
    """Daylight of more intensity: `added` to HSV's value, 0..1, hue and saturation as they are."""
    value = frame.max(axis=2, keepdims=True).astype(np.float32)
    brighter = np.minimum(value + np.float32(255 * added), 255)
    # With hue and saturation kept, all three channels grow as the largest does; black has neither, and turns grey.
    return np.asarray(np.where(value > 0, frame * (brighter / np.maximum(value, 1)), brighter), np.float32)


def contrast(frame: Frame, kept: float, _: np.random.Generator) -> Values:
    """Each channel's distance from its mean shrinks to the share `kept`."""
    means = frame.mean(axis=(0, 1), keepdims=True, dtype=np.float64).astype(np.float32)
    return np.asarray((frame - means) * np.float32(kept) + means, np.float32)


def elastic_transform(frame: Frame, strength: float, rng: np.random.Generator) -> Frame:
    """Local bends of a pixel or two; `strength` is the factor of the smoothed random displacement."""
    height, width = frame.shape[:2]
    sigma_y, sigma_x = 0.01 * height, 0.01 * width
    window = (2 * int(3 * sigma_x + 0.5) + 1, 2 * int(3 * sigma_y + 0.5) + 1)
    most = 0.005 * height
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    for where in (columns, rows):
        drawn = rng.uniform(-most, most, (height, width)).astype(np.float32)
        where += strength * cv2.GaussianBlur(drawn, window, sigma_x, sigmaY=sigma_y, borderType=cv2.BORDER_REFLECT)
    return np.asarray(cv2.remap(frame, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT), np.uint8)


def pixelate(frame: Frame, scale: float, _: np.random.Generator) -> Frame:
    """Enlarged from `scale` of its sides, each pixel a square."""
    height, width = frame.shape[:2]
    small = Image.fromarray(frame).resize(
        (max(1, int(width * scale)), max(1, int(height * scale))), Image.Resampling.BOX
    )
    return np.asarray(small.resize((width, height), Image.Resampling.NEAREST))


def jpeg_compression(frame: Frame, quality: int, _: np.random.Generator) -> Frame:
    """Through JPEG of libjpeg's `quality`, 1..100, chroma at half the resolution."""
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=quality)
    return codecs.decode(buffer.getvalue())


@dataclass(frozen=True)
class Corruption:
    """One of the fifteen."""

    group: str
    """The authors' four: noise, blur, weather, digital."""
    apply: Callable[[Frame, Any, np.random.Generator], Any]
    """From a frame, one of `constants` and what to draw from, to a frame or to `Values`."""
    constants: tuple[Any, ...]
    """By severity; the function tells what they mean."""


# The steps of zoom_blur are written as their authors wrote them: the end of an arange belongs to the definition.
_ZOOMS = (
    np.arange(1, 1.11, 0.01),
    np.arange(1, 1.16, 0.01),
    np.arange(1, 1.21, 0.02),
    np.arange(1, 1.26, 0.02),
    np.arange(1, 1.31, 0.03),
)

CORRUPTIONS: dict[str, Corruption] = {
    "gaussian_noise": Corruption("noise", gaussian_noise, (0.08, 0.12, 0.18, 0.26, 0.38)),
    "shot_noise": Corruption("noise", shot_noise, (60, 25, 12, 5, 3)),
    "impulse_noise": Corruption("noise", impulse_noise, (0.03, 0.06, 0.09, 0.17, 0.27)),
    "defocus_blur": Corruption("blur", defocus_blur, ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))),
    "glass_blur": Corruption("blur", glass_blur, ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2))),
    "motion_blur": Corruption("blur", motion_blur, ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))),
    "zoom_blur": Corruption("blur", zoom_blur, _ZOOMS),
    "snow": Corruption(
        "weather",
        snow,
        (
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
            (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
    ),
    "frost": Corruption("weather", frost, ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75))),
    "fog": Corruption("weather", fog, ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4))),
    "brightness": Corruption("weather", brightness, (0.1, 0.2, 0.3, 0.4, 0.5)),
    "contrast": Corruption("digital", contrast, (0.4, 0.3, 0.2, 0.1, 0.05)),
    "elastic_transform": Corruption(
        "digital", elastic_transform, (250 * 0.05, 250 * 0.065, 250 * 0.085, 250 * 0.1, 250 * 0.12)
    ),
    "pixelate": Corruption("digital", pixelate, (0.6, 0.5, 0.4, 0.3, 0.25)),
    "jpeg_compression": Corruption("digital", jpeg_compression, (25, 18, 15, 10, 7)),
}
"""By the authors' names, in their order."""
