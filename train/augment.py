"""Variation of a frame and its mask together, and of the frame's light and sharpness alone.

Everything is drawn from the generator that is handed in, so a sample is a function of its seed. Geometry goes through
`runtime.frames`, as in serving.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from runtime import frames
from runtime.frames import Frame, Geometry, Mask
from train.settings import Augmentation

Generator = np.random.Generator


def sample(frame: Frame, truth: Mask, how: Augmentation, geometry: Geometry, rng: Generator) -> tuple[Frame, Mask]:
    """One training sample of the crop's size: uint8 h x w x 3 RGB and uint8 h x w category ids (void where padded)."""
    frame, truth = _crop(frame, truth, how, geometry, rng)
    if rng.random() < how.flip:
        frame, truth = frame[:, ::-1], truth[:, ::-1]
    return degrade(np.ascontiguousarray(frame), how, rng), np.ascontiguousarray(truth)


def _crop(frame: Frame, truth: Mask, how: Augmentation, geometry: Geometry, rng: Generator) -> tuple[Frame, Mask]:
    """A window at a random place, scale and aspect, brought to the crop's size.

    The window is cut from the stored frame first and scaled afterwards: the same pixels for a fraction of the work.
    """
    height, width = truth.shape
    fitted = frames.plan(height, width, geometry)
    scale = rng.uniform(*how.scale) * fitted.content_height / height
    stretch = np.exp(rng.uniform(-1, 1) * np.log1p(how.aspect))
    crop_height, crop_width = how.crop
    window_height, window_width = round(crop_height / scale), round(crop_width / (scale * stretch))
    part_height, part_width = min(window_height, height), min(window_width, width)
    top = int(rng.integers(height - part_height + 1))
    left = int(rng.integers(width - part_width + 1))
    frame = frame[top : top + part_height, left : left + part_width]
    truth = truth[top : top + part_height, left : left + part_width]
    inner_height = min(crop_height, round(crop_height * part_height / window_height))
    inner_width = min(crop_width, round(crop_width * part_width / window_width))
    frame = frames.resize(np.ascontiguousarray(frame), inner_height, inner_width)
    truth = frames.resize_mask(np.ascontiguousarray(truth), inner_height, inner_width)
    return _pad(frame, truth, crop_height, crop_width, rng)


def _pad(frame: Frame, truth: Mask, height: int, width: int, rng: Generator) -> tuple[Frame, Mask]:
    """A frame smaller than the crop lies somewhere in it; the rest repeats the border, as in serving, and is void."""
    free_height, free_width = height - truth.shape[0], width - truth.shape[1]
    if not free_height and not free_width:
        return frame, truth
    top, left = int(rng.integers(free_height + 1)), int(rng.integers(free_width + 1))
    around = (top, free_height - top, left, free_width - left)
    padded = cv2.copyMakeBorder(frame, *around, cv2.BORDER_REPLICATE)
    void = cv2.copyMakeBorder(truth, *around, cv2.BORDER_CONSTANT, value=(0,))
    return np.asarray(padded, np.uint8), np.asarray(void, np.uint8)


def degrade(frame: Frame, how: Augmentation, rng: Generator) -> Frame:
    """The frame as another camera, another light or a worse link would have delivered it."""
    if rng.random() < how.colour:
        frame = _colour(frame, rng)
    if rng.random() < how.exposure:
        frame = _look_up(frame, 255 * np.linspace(0, 1, 256) ** np.exp(rng.uniform(-1, 1) * np.log(2)))
    if rng.random() < how.blur:
        frame = _blur(frame, rng)
    if rng.random() < how.noise:
        noise = rng.standard_normal(frame.shape, np.float32) * rng.uniform(2, 20)
        frame = np.clip(frame + noise, 0, 255).astype(np.uint8)
    if rng.random() < how.jpeg:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 81))]
        frame = np.asarray(cv2.imdecode(cv2.imencode(".jpg", frame, quality)[1], cv2.IMREAD_COLOR), np.uint8)
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
    table = np.clip(levels[:, None] * gains, 0, 255).round().astype(np.uint8)[:, None, :]
    return np.asarray(cv2.LUT(mixed, table), np.uint8)


def _blur(frame: Frame, rng: Generator) -> Frame:
    if rng.random() < 0.5:
        return np.asarray(cv2.GaussianBlur(frame, (0, 0), rng.uniform(0.5, 2)), np.uint8)
    length, angle = int(rng.integers(3, 10)), rng.uniform(0, 180)
    line = np.zeros((length, length), np.float32)
    line[length // 2] = 1
    turned = cv2.warpAffine(line, cv2.getRotationMatrix2D((length / 2 - 0.5, length / 2 - 0.5), angle, 1), line.shape)
    return np.asarray(cv2.filter2D(frame, -1, turned / turned.sum()), np.uint8)
