"""Facades of generated scenes: painted flat, then laid upright along the street.

Every painter takes world positions in metres and fills frame and labels alike; see `canvas` for coordinates.
"""

from __future__ import annotations

import cv2
import numpy as np

from runtime.scenes.canvas import Canvas, Floats, Rng, noise, rgb

BUILDING = 11

WALLS = (
    (176, 168, 150), (150, 142, 128), (196, 190, 176), (134, 92, 72), (118, 76, 60), (122, 120, 116), (160, 150, 118),
    (188, 178, 140), (98, 96, 94), (142, 128, 116), (170, 158, 150), (206, 202, 192), (150, 120, 96),
)  # fmt: skip
SIGNS = ((176, 30, 34), (28, 72, 130), (208, 178, 40), (226, 224, 216), (34, 110, 70), (40, 40, 44), (196, 96, 30))


def _rectangle(
    picture: Floats, box: tuple[float, float, float, float], density: tuple[float, float], color: Floats
) -> None:
    """Fill left, low, right, high (metres on the facade, y up) of a picture of `density` pixels a metre."""
    height = picture.shape[0]
    left, right = round(box[0] * density[0]), round(box[2] * density[0])
    top, bottom = round(height - box[3] * density[1]), round(height - box[1] * density[1])
    picture[max(top, 0) : max(bottom, top + 1, 0), max(left, 0) : max(right, left + 1, 0)] = color


def _window(
    picture: Floats,
    rng: Rng,
    box: tuple[float, float, float, float],
    density: tuple[float, float],
    frame: Floats,
    wall: Floats,
) -> None:
    """One window: frame, panes with the sky in their upper part, curtains in some, a sill and its shadow."""
    left, low, right, high = box
    _rectangle(picture, (left - 0.1, low - 0.1, right + 0.1, high + 0.14), density, wall * 1.12)
    _rectangle(picture, (left - 0.12, low - 0.16, right + 0.12, low - 0.1), density, wall * 0.6)
    _rectangle(picture, box, density, frame)
    panes = 1 if right - left < 0.9 else 2 if right - left < 2 else 4
    width = (right - left) / panes
    glass = rgb(30, 35, 40) * (0.7 + 0.9 * rng.random())
    curtain = rng.random()
    for i in range(panes):
        pane = (left + i * width + 0.06, low + 0.07, left + (i + 1) * width - 0.04, high - 0.07)
        _rectangle(picture, pane, density, glass)
        _rectangle(picture, (pane[0], low + (high - low) * 0.62, pane[2], pane[3]), density, glass * 1.5 + 14)
        if curtain < 0.3:
            _rectangle(picture, (pane[0], pane[1], pane[2], low + (high - low) * 0.9), density, glass + rgb(66, 64, 60))
        elif curtain < 0.42:
            _rectangle(picture, (pane[0], low + (high - low) * 0.4, pane[2], pane[3]), density, rgb(150, 148, 142))
    _rectangle(picture, (left, high - 0.06, right, high), density, rgb(20, 22, 24))


def _ground_floor(
    picture: Floats, rng: Rng, width: float, density: tuple[float, float], wall: Floats, *, shop: bool
) -> None:
    if not shop:
        _rectangle(picture, (0, 0, width, 0.8), density, wall * 0.7)
        x = 0.8 + rng.random()
        while x < width - 1.6:
            if rng.random() < 0.22:
                _rectangle(picture, (x - 0.1, 0, x + 1.3, 2.5), density, wall * 1.1)
                _rectangle(picture, (x, 0, x + 1.2, 2.35), density, rgb(58, 44, 34) * (0.6 + rng.random()))
                _rectangle(picture, (x + 0.2, 1.3, x + 1.0, 2.2), density, rgb(30, 34, 36))
            else:
                _window(picture, rng, (x, 1.2, x + 1.2, 2.7), density, rgb(176, 174, 168), wall)
            x += 2.2
        return
    x = 0.4
    while x < width - 2:
        end = min(x + 2.5 + 3.5 * rng.random(), width - 0.4)
        _rectangle(picture, (x, 0.35, end, 2.8), density, rgb(40, 42, 44))
        _rectangle(picture, (x + 0.12, 0.45, end - 0.12, 2.7), density, rgb(34, 38, 40) * (0.7 + rng.random()))
        for _ in range(int((end - x) * 2)):
            at, low = x + 0.2 + (end - x - 0.7) * rng.random(), 0.5 + rng.random()
            goods = rgb(*rng.uniform(30, 130, 3)) if rng.random() < 0.7 else rgb(170, 160, 130)
            _rectangle(
                picture, (at, low, at + 0.2 + 0.5 * rng.random(), low + 0.2 + 0.7 * rng.random()), density, goods
            )
        _rectangle(picture, (x + 0.1, 2.1, end - 0.1, 2.7), density, rgb(62, 68, 72))
        x = end + 0.4
    color = rgb(*SIGNS[rng.integers(len(SIGNS))]) * 0.85
    start, end = 0.5 + width * 0.2 * rng.random(), width * (0.7 + 0.25 * rng.random())
    _rectangle(picture, (start, 2.95, end, 3.6), density, color)
    letter = rgb(236, 234, 226) if color.mean() < 130 else rgb(40, 36, 34)
    x = start + 0.5
    while x < min(end - 0.5, start + 5):
        # Strokes of uneven widths and heights read as lettering from any distance.
        wide = 0.1 + 0.25 * rng.random()
        _rectangle(picture, (x, 3.12, x + wide, 3.3 + 0.15 * rng.integers(2)), density, letter)
        x += wide + 0.08


def _roof(picture: Floats, rng: Rng, width: float, height: float, density: tuple[float, float]) -> None:
    """A mansard roof over the facade's top: tiles or slate, with dormers, above a gutter."""
    low = height - 2.6
    tiles = rgb(*((112, 58, 44), (70, 66, 66), (58, 60, 66), (96, 62, 52))[rng.integers(4)])
    _rectangle(picture, (0, low, width, height), density, tiles)
    for course in np.arange(low, height, 0.34):
        _rectangle(picture, (0, course, width, course + 0.06), density, tiles * 0.8)
    _rectangle(picture, (0, low - 0.1, width, low + 0.12), density, rgb(126, 128, 126))
    _rectangle(picture, (0, low - 0.3, width, low - 0.1), density, rgb(60, 58, 56))
    for x in np.arange(1.2, width - 1.6, rng.uniform(2.4, 4)):
        _window(picture, rng, (x, low + 0.55, x + 1.0, low + 1.75), density, rgb(196, 194, 188), tiles * 0.7)


def _storeys(
    picture: Floats,
    glowing: Floats,
    rng: Rng,
    size: tuple[float, float, float],
    density: tuple[float, float],
    wall: Floats,
    *,
    lamps: bool,
) -> None:
    """Rows of windows over the ground floor; `size` is the facade's width, where they start, and its height."""
    width, level, height = size
    storey = rng.uniform(2.9, 3.6)
    modern, banded = rng.random() < 0.25, rng.random() < 0.5
    pane = rng.uniform(1.0, 1.5) if not modern else rng.uniform(1.8, 3.2)
    gap = rng.uniform(0.8, 1.5) if not modern else 0.25
    frame = rgb(190, 188, 182) if rng.random() < 0.7 else rgb(60, 50, 42)
    balconies = rng.random() < 0.25
    count = max(1, int((width - gap) / (pane + gap)))
    margin = (width - count * (pane + gap) + gap) / 2
    while level + storey < height + 0.3:
        if banded:
            _rectangle(picture, (0, level - 0.12, width, level + 0.08), density, wall * 1.14)
            _rectangle(picture, (0, level - 0.2, width, level - 0.12), density, wall * 0.62)
        for i in range(count):
            x = margin + i * (pane + gap)
            box = (x, level + 0.85, x + pane, level + 0.85 + storey * 0.52)
            _window(picture, rng, box, density, frame, wall)
            if lamps and rng.random() < 0.3:
                _rectangle(glowing, (box[0] + 0.06, box[1] + 0.07, box[2] - 0.06, box[3] - 0.07), density, rgb(1, 1, 1))
            if balconies and i % 3 == 1:
                _rectangle(picture, (x - 0.5, level - 0.1, x + pane + 0.5, level + 0.1), density, wall * 0.9)
                _rectangle(picture, (x - 0.5, level + 0.1, x + pane + 0.5, level + 0.95), density, wall * 0.45)
        level += storey


def facade(
    rng: Rng, width: float, height: float, density: tuple[float, float], *, seen: float, lamps: bool
) -> tuple[Floats, Floats]:
    """A facade's picture, float32 h x w x 3 in its own colours, and its lit windows, float32 h x w (0..1).

    Args:
        rng: decides colour, storeys, windows and shops.
        width: metres.
        height: metres.
        density: pixels a metre, across and up.
        seen: only so many metres from the ground are painted.
        lamps: some windows are lit.
    """
    rows, columns = max(4, round(min(height, seen) * density[1])), max(4, round(width * density[0]))
    wall = rgb(*WALLS[rng.integers(len(WALLS))]) * rng.uniform(0.72, 1.0)
    picture = np.empty((rows, columns, 3), np.float32)
    picture[:] = wall
    glowing = np.zeros((rows, columns, 3), np.float32)
    shop = bool(rng.random() < 0.45)
    _storeys(picture, glowing, rng, (width, 3.8 if shop else 3.4, height), density, wall, lamps=lamps)
    _ground_floor(picture, rng, width, density, wall, shop=shop)
    if shop and lamps:
        _rectangle(glowing, (0.6, 0.5, width - 0.6, 2.7), density, rgb(0.8, 0.8, 0.8))
    if rng.random() < 0.55:
        _roof(picture, rng, width, height, density)
    else:
        _rectangle(picture, (0, height - 0.45, width, height), density, wall * 1.08)
        _rectangle(picture, (0, height - 0.6, width, height - 0.45), density, wall * 0.55)
    stains = noise(rng, rows, columns, (density[1] * 4, density[1], density[1] / 6), 0.8)
    picture *= (1 + 0.035 * stains)[..., None]
    return picture, glowing[..., 0]


def paint_wall(
    canvas: Canvas, rng: Rng, foot: tuple[float, float, float, float], height: float, *, lit: float = 1.0
) -> None:
    """One upright facade.

    Args:
        canvas: what is painted on.
        rng: decides how the facade looks.
        foot: x and z of its left end, x and z of its right end, as seen from the street.
        height: metres.
        lit: how much of the light it gets.
    """
    x0, z0, x1, z1 = foot
    # Nothing nearer than the frame's edge shows, so the texture is as fine as the nearest part that does.
    half = canvas.camera.width / 2 / canvas.camera.focal
    nearest = max(min(z0, z1), 0.85 * min(abs(x0), abs(x1)) / half if x0 * x1 > 0 else 0, 4.0)
    width = float(np.hypot(x1 - x0, z1 - z0))
    fine = min(canvas.scale(nearest), 60.0)
    across = abs(float(canvas.camera.project([x0, 0, z0])[0] - canvas.camera.project([x1, 0, z1])[0]))
    # At a grazing view, columns finer than the frame's would be lost again, and flicker.
    coarse = float(np.clip(2 * across / width, 2, fine))
    seen = canvas.camera.eye + canvas.camera.horizon / canvas.scale(max(z0, z1)) + 0.5
    picture, glowing = facade(rng, width, height, (coarse, fine), seen=seen, lamps=canvas.light.lamps)
    height = min(height, seen)
    columns = max(4, int(1.2 * across))
    if columns < picture.shape[1]:
        size = (columns, picture.shape[0])
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)
        glowing = np.asarray(cv2.resize(glowing, size, interpolation=cv2.INTER_AREA), np.float32)
    z = np.linspace(z0, z1, picture.shape[1], dtype=np.float32)[None].repeat(picture.shape[0], 0)
    # The street's canyon keeps light from its lower storeys.
    canyon = np.clip(0.72 + 0.28 * np.linspace(height, 0, picture.shape[0]) / 9, 0, 1).astype(np.float32)
    toned = canvas.tone(picture, z, lit * canyon[:, None].repeat(picture.shape[1], 1))
    warm = (picture * 0.9 + 90) * rgb(1.1, 0.9, 0.6)
    toned += (warm - toned) * (0.85 * glowing * np.exp(-z / canvas.light.visibility))[..., None]
    canvas.warp(toned, [[x0, height, z0], [x1, height, z1], [x1, 0, z1], [x0, 0, z0]], BUILDING)
