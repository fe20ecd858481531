"""Generated street scenes with exact ground truth: frames where no real data is at hand.

A scene is laid out in metres (street, buildings, traffic, people, light and weather), painted far to near through a
pinhole camera with Cityscapes' field of view, and then given what a camera adds: blur, vignetting, noise. Frame and
labels are filled by the same shapes, so the ground truth is exact. The same seed and size give the same bytes.

    layout    what is where: light, buildings, traffic, people
    canvas    camera, and the frame and labels that are filled together
    ground    the street, sky, road, markings, pavement, grass
    buildings facades
    foliage   trees, bushes, hedges
    vehicles  cars, vans, buses, lorries (their shapes: bodies)
    figures   people, riders, poles, signs, traffic lights, barriers
    finish    reflections, glow of lamps, blur, noise
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from runtime import categories
from runtime.frames import Frame, Mask
from runtime.scenes.canvas import Camera, Canvas
from runtime.scenes.finish import finish, paint_bonnet
from runtime.scenes.ground import draw_street, paint_ground, paint_sky
from runtime.scenes.layout import Layout, draw_light

SMALLEST = 64
"""Pixels: no side may be shorter."""
LONGEST_RATIO = 8
"""No side may be more than this many times the other."""


@dataclass(frozen=True)
class Scene:
    """A frame and what is in it."""

    frame: Frame
    """uint8 H x W x 3, RGB."""
    truth: Mask
    """uint8 H x W, category ids 0..7: `categories.FROM_LABEL_ID[label_ids]`."""
    label_ids: Mask
    """uint8 H x W, Cityscapes label ids."""


def generate(seed: int, width: int = 2048, height: int = 1024) -> Scene:
    """A street scene with its ground truth; the same for the same seed and size.

    Args:
        seed: decides layout, traffic, people, daylight and weather; 0 or more.
        width: pixels, at least 64.
        height: pixels, at least 64.

    Raises:
        ValueError: a side below 64 pixels, or one more than 8 times the other.
    """
    if min(width, height) < SMALLEST or max(width, height) > LONGEST_RATIO * min(width, height):
        raise ValueError(
            f"a scene of {width} x {height} cannot be generated: both sides are at least {SMALLEST} pixels,"
            f" and neither is over {LONGEST_RATIO} times the other"
        )
    rng = np.random.default_rng(seed)
    light, street = draw_light(rng), draw_street(rng)
    camera = Camera.for_size(width, height, rng.uniform(0.39, 0.46), rng.uniform(1.2, 1.5))
    canvas, grain = Canvas(camera, light), np.random.default_rng([seed, 1])
    layout = Layout(canvas, street, rng)
    layout.populate()
    soft = cv2.GaussianBlur(canvas.shade, (0, 0), max(0.4, height / 400))
    canvas.shade = np.asarray(soft, np.float32)
    paint_sky(canvas, grain)
    paint_ground(canvas, street, grain)
    for items in (layout.backdrop, layout.items):
        for _, paint in sorted(items, key=lambda item: -item[0]):
            paint(canvas)
    if rng.random() < 0.4:
        paint_bonnet(canvas)
    return Scene(finish(canvas, grain), categories.FROM_LABEL_ID[canvas.labels], canvas.labels)


def _save(path: Path, picture: Frame | Mask) -> None:
    """Write a PNG under a temporary name and rename it: a file that is there is whole."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", compress_level=3)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(buffer.getvalue())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write(folder: Path, count: int, *, seed: int = 0, width: int = 2048, height: int = 1024) -> None:
    """Write scenes `seed` to `seed + count - 1` in Cityscapes' layout, so that `cityscapes:FOLDER` reads them.

    The files are `leftImg8bit/val/scenes/scenes_NNNNNN_000000_leftImg8bit.png`, and `..._gtFine_labelIds.png` under
    `gtFine`; N counts from 0.

    Raises:
        ValueError: as `generate` says.
        OSError: the folder cannot be written.
    """
    for i in range(count):
        scene = generate(seed + i, width, height)
        name = f"scenes_{i:06d}_000000"
        # The truth first: a frame that is there has its truth beside it.
        _save(folder / "gtFine" / "val" / "scenes" / f"{name}_gtFine_labelIds.png", scene.label_ids)
        _save(folder / "leftImg8bit" / "val" / "scenes" / f"{name}_leftImg8bit.png", scene.frame)
