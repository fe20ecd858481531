"""Trees, bushes and hedges of generated scenes."""

from __future__ import annotations

import cv2
import numpy as np

from runtime.scenes.canvas import Canvas, Floats, Rng, noise, rgb

VEGETATION = 21


def _balls(canvas: Canvas, rng: Rng, size: tuple[int, int], aspect: float, count: int) -> tuple[Floats, Floats]:
    """The solid shape of a crown, float32 h x w each: depth in a ball (below 0 outside), facing the light."""
    width, height = size
    # The balls are smooth: a quarter of the resolution shows all of them.
    small = (max(2, width // 4), max(2, height // 4))
    v = np.linspace(-1, 1, small[1], dtype=np.float32)[:, None]
    u = np.linspace(-1, 1, small[0], dtype=np.float32)[None]
    body = np.full((small[1], small[0]), -1, np.float32)
    facing = np.zeros_like(body)
    row = aspect > 1.6
    stretch, sunward = (aspect if row else 1.0), float(np.sign(canvas.light.sun[0]))
    for _ in range(count if not row else int(count * aspect / 1.5)):
        turn, out, radius = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.62), rng.uniform(0.26, 0.4)
        cu, cv = (
            (rng.uniform(-0.85, 0.85), rng.uniform(-0.45, 0.8)) if row else (out * np.cos(turn), out * np.sin(turn))
        )
        du, dv = (u - cu) * stretch, v - cv
        ball = 1 - (du * du + dv * dv) / (radius * radius * (1.5 if row else 1.0))
        nearer = ball > body
        body = np.where(nearer, ball, body)
        facing = np.where(nearer, -dv / radius + 0.4 * du / radius * sunward, facing)
    body = np.clip(np.where(body < 0, 1.6 * body, body), -1.6, 0.8)
    # Nothing may reach the picture's edge, or it would be cut off straight.
    body -= 20 * np.clip(np.maximum(np.abs(u), np.abs(v)) - 0.86, 0, 1)
    grown = [cv2.resize(part.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) for part in (body, facing)]
    return np.asarray(grown[0], np.float32), np.asarray(grown[1], np.float32)


def _leaves(
    canvas: Canvas, rng: Rng, size: tuple[int, int], aspect: float, leaf: float, blobs: int
) -> tuple[Floats, Floats]:
    """Colour (float32 h x w x 3) and opacity (float32 h x w) of a crown whose leaves are `leaf` pixels wide."""
    width, height = size
    body, facing = _balls(canvas, rng, size, aspect, blobs)
    leaf = max(1.0, leaf)
    leaves = noise(rng, height, width, (leaf * 7, leaf * 3.2, leaf * 1.6, leaf, leaf / 2), 0.95)
    spread = noise(rng, height, width, (leaf * 14, leaf * 4), 0.7)
    v = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    density = body + 0.4 * leaves + 0.2 * spread + 0.1
    alpha = np.clip(density * 6 + 0.5, 0, 1)
    bright = 0.56 + 0.3 * np.clip(facing, -1, 1) - 0.16 * v + 0.2 * leaves + 0.1 * spread
    bright *= np.float32(1 + 0.6 * float(np.linalg.norm(canvas.light.sun)))
    green = rgb(62, 76, 38) * rng.uniform(0.75, 1.05) + rng.uniform(-1, 1) * rgb(10, 2, -4)
    warm = np.clip(bright, 0.16, 1.7)[..., None]
    color = green * warm + rgb(16, 14, 2) * np.clip(warm - 0.7, 0, 1)
    return np.asarray(color, np.float32), np.asarray(alpha, np.float32)


def paint_foliage(
    canvas: Canvas, rng: Rng, x: float, z: float, size: tuple[float, float, float], *, blobs: int = 14, lit: float = 1.0
) -> None:
    """A crown, a bush or a row of them: overlapping balls of leaves, lit from above, with holes at the rim.

    Args:
        canvas: what is painted on.
        rng: decides shape and hue.
        x: metres, the middle.
        z: metres.
        size: width, height of the lower edge over the ground, height of the upper edge; metres.
        blobs: how many balls.
        lit: how much of the light it gets.
    """
    wide, low, high = size
    scale = canvas.scale(z)
    corner = canvas.camera.project([x - wide / 2, high, z])
    columns, rows = int(wide * scale) + 1, int((high - low) * scale) + 1
    left, top = int(corner[0]), int(corner[1])
    if min(columns, rows) < 2 or left > canvas.camera.width or left + columns < 0 or top + rows < 0:
        return
    # Beyond 900 pixels a finer picture shows no more than its noise enlarged.
    shrink = min(1.0, 900 / max(columns, rows))
    width, height = max(2, int(columns * shrink)), max(2, int(rows * shrink))
    color, alpha = _leaves(canvas, rng, (width, height), wide / (high - low), 0.075 * scale * shrink, blobs)
    picture = canvas.tone(color, z, lit)
    if shrink < 1:
        picture = np.asarray(cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_CUBIC), np.float32)
        alpha = np.asarray(cv2.resize(alpha, (columns, rows), interpolation=cv2.INTER_LINEAR), np.float32)
        alpha = np.clip((alpha - 0.5) * 2 + 0.5, 0, 1)
    canvas.blend(picture, alpha, left, top, VEGETATION)


def paint_tree(canvas: Canvas, rng: Rng, x: float, z: float, height: float) -> None:
    """A street tree: trunk, three branches and a crown; all of it is vegetation."""
    lit = canvas.lit_at(x, z)
    crown, thick = height * rng.uniform(0.26, 0.36), height * 0.012 + 0.03
    bark = rgb(62, 52, 42) * rng.uniform(0.6, 1.0)
    lean = rng.uniform(-0.3, 0.3)
    for part, tone in ((1.0, 0.7), (0.6, 1.0), (0.25, 1.25)):
        half = thick * part
        shift = -(1 - part) * thick * 0.4
        trunk = [
            [x - half * 1.3 + shift, 0, z],
            [x + half * 1.3 + shift, 0, z],
            [x + half * 0.7 + lean + shift, crown * 1.3, z],
            [x - half * 0.7 + lean + shift, crown * 1.3, z],
        ]
        canvas.polygon(trunk, bark * tone, VEGETATION, lit=lit)
    for _ in range(4):
        tip_x, tip_y = x + lean + rng.uniform(-0.22, 0.22) * height, crown + rng.uniform(0.15, 0.4) * height
        start = crown * rng.uniform(0.85, 1.25)
        branch = [[x + lean * 0.8 - thick * 0.4, start, z], [x + lean * 0.8 + thick * 0.4, start, z], [tip_x, tip_y, z]]
        canvas.polygon(branch, bark * 0.8, VEGETATION, lit=lit)
    size = (height * rng.uniform(0.62, 0.85), crown * 0.72, height)
    paint_foliage(canvas, rng, x + lean, z, size, lit=lit * 0.5 + 0.5)
