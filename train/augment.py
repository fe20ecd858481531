"""Variation of a frame and its mask together: where it is cut, how it is scaled and stretched.

Everything is drawn from the generator that is handed in, so a sample is a function of its seed. Geometry goes through
`runtime.frames`, as in serving; light, sharpness and noise are those of `train.degradations`.
"""

from __future__ import annotations

import cv2
import numpy as np

from runtime import frames
from runtime.frames import Frame, Geometry, Mask
from train.degradations import Generator, degrade
from train.settings import Augmentation


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
