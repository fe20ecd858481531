"""Variation of a frame's light, sharpness and noise: the frame as another camera would have delivered it.

The mask stays true under all of it. Everything is drawn from the generator that is handed in.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from runtime.frames import Frame
from train.settings import Augmentation

Generator = np.random.Generator
Plane = npt.NDArray[np.float32]


def degrade(frame: Frame, how: Augmentation, rng: Generator) -> Frame:
    """The frame as another camera, another light, other weather or a worse link would have delivered it.

    Args:
        frame: uint8 h x w x 3, RGB.
        how: the probability of each step, 0..1.
        rng: what is drawn from.

    Returns:
        uint8 h x w x 3, RGB; the frame itself where no step was drawn.
    """
    # From the scene through the lens and the sensor to the link: in the order in which a camera meets them.
    steps: tuple[tuple[float, Callable[[Frame, Generator], Frame]], ...] = (
        (how.colour, _colour),
        (how.exposure, _exposure),
        (how.veil, _veil),
        (how.blur, _blur),
        (how.sharpen, _sharpen),
        (how.noise, _noise),
        (how.jpeg, _jpeg),
    )
    for probability, step in steps:
        if rng.random() < probability:
            frame = step(frame, rng)
    return frame


def _look_up(frame: Frame, table: npt.NDArray[np.float64]) -> Frame:
    return np.asarray(cv2.LUT(frame, np.clip(table, 0, 255).round().astype(np.uint8)), np.uint8)


def _colour(frame: Frame, rng: Generator) -> Frame:
    """Saturation by mixing with grey; then contrast about the mean, brightness and a gain a channel, as one table."""
    saturation = rng.uniform(0.5, 1.5)
    grey = cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    mixed = np.asarray(cv2.addWeighted(frame, saturation, grey, 1 - saturation, 0), np.uint8)
    contrast, brightness = rng.uniform(0.6, 1.4), rng.uniform(-25, 25)
    gains = rng.uniform(0.85, 1.15, 3)
    mean = float(grey[::8, ::8].mean())
    levels = (np.arange(256) - mean) * contrast + mean + brightness
    return _look_up(mixed, (levels[:, None] * gains)[:, None, :])


def _exposure(frame: Frame, rng: Generator) -> Frame:
    """Gamma from 0.5 to 2."""
    return _look_up(frame, 255 * np.linspace(0, 1, 256) ** np.exp(rng.uniform(-1, 1) * np.log(2)))


def clouds(height: int, width: int, rng: Generator) -> Plane:
    """A random field, float32 height x width, 0..1: noise of four octaves, the finest of which may count as much.

    From smooth, as fog, to speckled, as flakes and frost.
    """
    persistence = rng.uniform(0.3, 1.1)
    field = np.zeros((height, width), np.float32)
    cells = int(rng.integers(2, 6))
    for octave in range(4):
        count = cells * 3**octave
        grid = rng.random((max(2, count * height // width), count), np.float32)
        field += np.float32(persistence**octave) * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    low, high = field.min(), field.max()
    return np.asarray((field - low) / max(high - low, 1e-6), np.float32)


def _veil(frame: Frame, rng: Generator) -> Frame:
    """Something grey to white before the scene, thicker here than there: fog, spray, a dirty or frozen lens."""
    field = clouds(frame.shape[0], frame.shape[1], rng)
    # A threshold turns the clouds into patches, with clear glass between; below 0 nothing is clear.
    field = np.clip((field - rng.uniform(-0.3, 0.6)) * rng.uniform(1, 4), 0, 1)
    opaque = np.float32(rng.uniform(0.2, 0.8)) * field[..., None]
    # At most white: beyond 255 a bright pixel would wrap to black.
    colour = np.float32(np.minimum(rng.uniform(110, 255) + rng.uniform(-15, 15, 3), 255))
    return np.asarray(frame + opaque * (colour - frame), np.uint8)


def _blur(frame: Frame, rng: Generator) -> Frame:
    """Out of focus (a Gaussian or a disk), moved (a line), or of a coarser sensor; mostly little, seldom much."""
    kind, strength = int(rng.integers(4)), rng.uniform() ** 2
    if kind == 0:
        return np.asarray(cv2.GaussianBlur(frame, (0, 0), 0.5 + 3.5 * strength), np.uint8)
    if kind == 3:
        height, width = frame.shape[:2]
        factor = 1.5 + 3 * strength
        small = cv2.resize(frame, _at_least_1(width / factor, height / factor), interpolation=cv2.INTER_AREA)
        method = cv2.INTER_LINEAR if rng.random() < 0.5 else cv2.INTER_NEAREST
        return np.asarray(cv2.resize(small, (width, height), interpolation=method), np.uint8)
    length = 3 + int(14 * strength)
    kernel = np.zeros((length, length), np.float32)
    middle = length / 2 - 0.5
    if kind == 1:
        kernel[length // 2] = 1
        turned = cv2.getRotationMatrix2D((middle, middle), rng.uniform(0, 180), 1)
        kernel = np.asarray(cv2.warpAffine(kernel, turned, kernel.shape), np.float32)
    else:
        rows, columns = np.ogrid[:length, :length]
        kernel[(rows - middle) ** 2 + (columns - middle) ** 2 <= (length / 2) ** 2] = 1
    return np.asarray(cv2.filter2D(frame, -1, kernel / kernel.sum()), np.uint8)


def _sharpen(frame: Frame, rng: Generator) -> Frame:
    """An unsharp mask, as cameras apply it; and what is sharper than the frames that are trained on."""
    soft = cv2.GaussianBlur(frame, (0, 0), rng.uniform(0.8, 2.5))
    amount = rng.uniform(0.3, 2)
    return np.asarray(cv2.addWeighted(frame, 1 + amount, soft, -amount, 0), np.uint8)


def _noise(frame: Frame, rng: Generator) -> Frame:
    """Of the sensor (even), of the light (in proportion to its root) or of dead pixels; each pixel's or in blotches.

    Blotches are the noise of a camera of fewer pixels, enlarged with its frame.
    """
    height, width = frame.shape[:2]
    coarse = rng.uniform(1, 2.2) if rng.random() < 0.5 else 1.0
    size = _at_least_1(height / coarse, width / coarse)
    channels = 1 if rng.random() < 0.25 else 3
    kind, strength = int(rng.integers(4)), rng.uniform() ** 1.5
    if kind == 3:
        share = 0.1 * strength
        drawn = _enlarged(rng.random((*size, channels), np.float32), height, width, cv2.INTER_NEAREST)
        dead = np.where(drawn < share / 2, np.float32(255), frame.astype(np.float32))
        return np.asarray(np.where(drawn > 1 - share / 2, 0, dead), np.uint8)
    noise = _enlarged(rng.standard_normal((*size, channels), np.float32), height, width, cv2.INTER_LINEAR)
    deviation = np.float32(2 + 48 * strength)
    if kind == 2:
        noise = noise * np.sqrt(frame.astype(np.float32) / 128)
    return np.asarray(np.clip(frame + deviation * noise, 0, 255), np.uint8)


def _at_least_1(first: float, second: float) -> tuple[int, int]:
    return max(1, round(first)), max(1, round(second))


def _enlarged(field: Plane, height: int, width: int, method: int) -> Plane:
    made = cv2.resize(field, (width, height), interpolation=method)
    return np.asarray(made, np.float32).reshape(height, width, -1)


def _jpeg(frame: Frame, rng: Generator) -> Frame:
    """Quality 15 to 80."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 81))]
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", frame, quality)[1], cv2.IMREAD_COLOR), np.uint8)
