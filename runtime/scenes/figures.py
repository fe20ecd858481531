"""People, riders, poles, signs, traffic lights and barriers of generated scenes.

They are flat figures that face the camera; local coordinates are metres to the right of and above the point where they
stand. Limbs are tapered capsules in three layers, dark to light, which makes them look round.
"""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np

from runtime.scenes.canvas import Canvas, Floats, Rng, rgb

FENCE, POLE, TRAFFIC_LIGHT, TRAFFIC_SIGN = 13, 17, 19, 20
PERSON, RIDER, BICYCLE = 24, 25, 33

CLOTHES = (
    (26, 28, 34), (44, 48, 58), (68, 62, 56), (92, 30, 34), (38, 58, 98), (118, 112, 100), (22, 24, 24),
    (150, 148, 144), (54, 68, 52), (84, 88, 96),
)  # fmt: skip
SKINS = ((214, 172, 146), (188, 142, 114), (150, 104, 78), (98, 66, 50))
HAIR = ((30, 24, 20), (62, 44, 30), (120, 96, 62), (110, 108, 104), (18, 16, 16))

Point = tuple[float, float]


class Figure:
    """Paints flat shapes at one place of the world, all with one label id."""

    def __init__(self, canvas: Canvas, x: float, z: float, label: int, *, turned: float = 1.0) -> None:
        """`turned` scales the figure's width: 0.3 nearly edge-on, negative mirrored."""
        self.canvas, self.x, self.z, self.label, self.turned = canvas, x, z, label, turned
        self.lit = canvas.lit_at(x, z)

    def polygon(self, points: list[Point] | Floats, color: Floats, label: int | None = None) -> None:
        """Fill a polygon of local points."""
        flat = np.asarray(points, np.float32)
        world = np.stack([self.x + flat[:, 0] * self.turned, flat[:, 1], np.full(len(flat), self.z)], 1)
        self.canvas.polygon(world, color, self.label if label is None else label, lit=self.lit)

    def disc(self, center: Point, radius: float, color: Floats, label: int | None = None, sides: int = 24) -> None:
        """Fill a disc, or with few sides a regular polygon standing on its tip."""
        turn = np.linspace(0, 2 * np.pi, sides, endpoint=False) - np.pi / 2
        ring = np.stack([center[0] + radius * np.cos(turn), center[1] + radius * np.sin(turn)], 1)
        self.polygon(ring.astype(np.float32), color, label)

    def limb(self, path: list[tuple[float, float, float]], color: Floats) -> None:
        """A chain of capsules through points (right, up, radius)."""
        turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        circle = np.stack([np.cos(turn), np.sin(turn)], 1)
        for size, tone, shift in ((1.0, 0.62, 0.0), (0.78, 0.92, 0.18), (0.42, 1.15, 0.4)):
            for (x0, y0, r0), (x1, y1, r1) in pairwise(path):
                ends = [
                    [x0 - shift * r0 * 0.6, y0 + shift * r0 * 0.3] + circle * r0 * size,
                    [x1 - shift * r1 * 0.6, y1 + shift * r1 * 0.3] + circle * r1 * size,
                ]
                hull = cv2.convexHull(np.concatenate(ends).astype(np.float32))[:, 0]
                self.polygon(np.asarray(hull, np.float32), color * tone)

    def ring(self, center: Point, radius: float, thick: float, color: Floats) -> None:
        """A wheel: a rim and spokes, open between them, so that what is behind shows and keeps its label."""
        turn = np.linspace(0, 2 * np.pi, 21)
        edge = np.stack([np.cos(turn), np.sin(turn)], 1)
        for a, b in pairwise(edge):
            piece = [a * radius, b * radius, b * (radius - thick), a * (radius - thick)]
            self.polygon((np.array(piece) + center).astype(np.float32), color)


def _pick(rng: Rng, colors: tuple[tuple[int, int, int], ...]) -> Floats:
    return rgb(*colors[rng.integers(len(colors))]) * rng.uniform(0.75, 1.1)


def paint_person(canvas: Canvas, rng: Rng, x: float, z: float, *, across: bool) -> None:
    """A pedestrian of 1.6 to 1.9 m, seen from the side (`across` the street) or from the front or back."""
    figure = Figure(canvas, x, z, PERSON, turned=rng.choice([-1.0, 1.0]))
    tall = rng.uniform(1.58, 1.9) / 1.75
    coat, legs, skin = _pick(rng, CLOTHES), _pick(rng, CLOTHES[:7]), _pick(rng, SKINS)
    stride = rng.uniform(0.12, 0.32) if across else rng.uniform(0.05, 0.11)
    lift = 0.1 if across else 0.02
    hip = 0.04 if across else 0.1

    def body(points: list[tuple[float, float, float]], color: Floats) -> None:
        figure.limb([(px * tall, py * tall, r * tall) for px, py, r in points], color)

    foot, back = -hip * 0.6 - stride * 1.1, -0.02 - stride * 0.6 - 0.12 * (not across)
    body([(-0.02, 1.36, 0.055), (back, 1.1, 0.045), (stride * 0.2 - 0.2, 0.88, 0.04)], coat * 0.8)
    body([(-hip, 0.88, 0.1), (-hip - stride * 0.4, 0.5, 0.07), (foot, 0.1 + lift, 0.05)], legs * 0.8)
    body([(foot, 0.06 + lift, 0.045), (-stride * 1.1 + 0.04, 0.05 + lift * 0.6, 0.04)], rgb(26, 24, 24))
    body([(hip, 0.88, 0.1), (hip + stride * 0.6, 0.5, 0.072), (hip * 0.8 + stride, 0.1, 0.05)], legs)
    body([(hip * 0.8 + stride, 0.05, 0.045), (hip + stride + 0.1, 0.04, 0.04)], rgb(30, 28, 28))
    wide = 0.13 if across else 0.17
    body([(0, 0.9, wide * 0.95), (0, 1.15, wide * 0.95), (0.01, 1.36, wide)], coat)
    arm = 0.02 if across else 0.2
    body([(arm, 1.36, 0.06), (arm + stride * 0.5 + 0.02, 1.1, 0.05), (arm + stride * 0.9, 0.9, 0.042)], coat * 1.08)
    body([(arm + stride * 0.95, 0.86, 0.04), (arm + stride * 0.95, 0.82, 0.035)], skin)
    body([(0.02, 1.46, 0.055), (0.03, 1.54, 0.055)], skin * 0.85)
    body([(0.035, 1.6, 0.092), (0.035, 1.66, 0.098)], skin)
    hair = _pick(rng, HAIR)
    body([(0.01, 1.66, 0.09), (0.015, 1.7, 0.096)], hair)
    if not across and rng.random() < 0.5:
        body([(0.02, 1.58, 0.09), (0.02, 1.68, 0.1)], hair)
    if rng.random() < 0.4:
        body([(-wide, 1.02, 0.08), (-wide, 1.28, 0.09)], _pick(rng, CLOTHES))


def paint_rider(canvas: Canvas, rng: Rng, x: float, z: float, *, across: bool) -> None:
    """A cyclist: the bicycle carries its own label, the person on it is a rider."""
    turned = rng.choice([-1.0, 1.0]) * (1.0 if across else 0.22)
    bicycle = Figure(canvas, x, z, BICYCLE, turned=turned)
    paint = _pick(rng, ((150, 30, 30), (30, 60, 120), (40, 40, 42), (170, 170, 168)))
    for wheel in (-0.52, 0.54):
        bicycle.ring((wheel, 0.34), 0.345, 0.05 if across else 0.12, rgb(22, 22, 23))
    frame = [(-0.52, 0.34), (-0.08, 0.32), (0.4, 0.78), (-0.2, 0.8)]
    for a, b in ((0, 1), (1, 2), (2, 3), (3, 0), (1, 3)):
        bicycle.limb([(*frame[a], 0.024), (*frame[b], 0.024)], paint)
    bicycle.limb([(0.54, 0.34, 0.022), (0.38, 0.95, 0.022), (0.46, 1.0, 0.022)], paint)
    bicycle.limb([(-0.32, 0.86, 0.03), (-0.12, 0.86, 0.025)], rgb(20, 20, 20))
    rider = Figure(canvas, x, z, RIDER, turned=turned if across else 0.8 * np.sign(turned))
    coat, legs, skin = _pick(rng, CLOTHES), _pick(rng, CLOTHES[:7]), _pick(rng, SKINS)
    reach = 1.0 if across else 0.4
    rider.limb([(-0.18, 0.94, 0.1), (0.2 * reach, 0.72, 0.075), (-0.02, 0.3, 0.05), (0.1 * reach, 0.24, 0.04)], legs)
    rider.limb([(-0.16, 0.94, 0.1), (0.18 * reach, 0.6, 0.075), (-0.04, 0.14, 0.05)], legs * 0.85)
    rider.limb([(-0.2, 0.96, 0.13), (-0.08 * reach, 1.2, 0.14), (0.06 * reach, 1.4, 0.14)], coat)
    rider.limb([(0.1 * reach, 1.4, 0.055), (0.26 * reach, 1.16, 0.045), (0.44 * reach, 1.04, 0.04)], coat * 1.1)
    rider.limb([(0.14 * reach, 1.58, 0.09), (0.15 * reach, 1.63, 0.1)], skin)
    rider.limb(
        [(0.1 * reach, 1.66, 0.1), (0.13 * reach, 1.68, 0.1)],
        _pick(rng, ((40, 40, 42), (210, 210, 206), (170, 30, 30), (60, 44, 30))),
    )


def _post(figure: Figure, height: float, radius: float, color: Floats, x: float = 0.0) -> None:
    for size, tone, shift in ((1.0, 0.6, 0.0), (0.6, 0.95, -0.25), (0.25, 1.25, -0.35)):
        r, at = radius * size, x + radius * shift
        figure.polygon([(at - r, 0), (at + r, 0), (at + r * 0.7, height), (at - r * 0.7, height)], color * tone, POLE)


def paint_lamp(canvas: Canvas, rng: Rng, x: float, z: float, *, reach: float) -> None:
    """A street lamp whose arm reaches `reach` metres over the road (negative: to the left)."""
    figure = Figure(canvas, x, z, POLE)
    height, color = rng.uniform(7.5, 9.5), rgb(112, 116, 114) * rng.uniform(0.6, 1.0)
    _post(figure, height, 0.1, color)
    figure.limb([(0, height - 0.1, 0.05), (reach * 0.5, height + 0.25, 0.045), (reach, height + 0.3, 0.045)], color)
    figure.polygon(
        [
            (reach - 0.4, height + 0.22),
            (reach + 0.4, height + 0.22),
            (reach + 0.34, height + 0.4),
            (reach - 0.34, height + 0.4),
        ],
        color * 0.8,
    )
    # Street lamps come on later than headlights, which rain is reason enough for.
    if canvas.light.lamps and canvas.light.ambient.mean() < 0.7:
        canvas.glow([x + reach, height + 0.2, z], 1.6, rgb(150, 120, 70))


def paint_sign(canvas: Canvas, rng: Rng, x: float, z: float) -> None:
    """A traffic sign on its post: warning, order, parking, right of way or a direction."""
    figure = Figure(canvas, x, z, TRAFFIC_SIGN)
    height, white, red, blue = rng.uniform(2.2, 2.6), rgb(222, 222, 218), rgb(178, 28, 32), rgb(24, 72, 150)
    _post(figure, height + 0.5, 0.04, rgb(132, 134, 134))
    kind, middle = rng.integers(6), (0.0, height + 0.25)
    if kind == 0:
        figure.polygon([(-0.45, height - 0.1), (0.45, height - 0.1), (0, height + 0.68)], red)
        figure.polygon([(-0.31, height - 0.02), (0.31, height - 0.02), (0, height + 0.52)], white)
        figure.polygon(
            [(-0.04, height + 0.05), (0.04, height + 0.05), (0.03, height + 0.34), (-0.03, height + 0.34)],
            rgb(30, 30, 30),
        )
    elif kind == 1:
        figure.disc(middle, 0.32, red)
        figure.disc(middle, 0.23, white)
    elif kind == 2:
        figure.polygon(
            [(-0.32, height - 0.07), (0.32, height - 0.07), (0.32, height + 0.57), (-0.32, height + 0.57)], blue
        )
        figure.polygon(
            [(-0.1, height + 0.05), (-0.02, height + 0.05), (-0.02, height + 0.46), (-0.1, height + 0.46)], white
        )
        figure.disc((0.0, height + 0.35), 0.12, white)
    elif kind == 3:
        figure.disc(middle, 0.42, white, sides=4)
        figure.disc(middle, 0.32, rgb(230, 180, 30), sides=4)
    elif kind == 4:
        figure.disc(middle, 0.34, red)
        figure.polygon(
            [(-0.24, height + 0.19), (0.24, height + 0.19), (0.24, height + 0.31), (-0.24, height + 0.31)], white
        )
    else:
        figure.disc(middle, 0.33, blue)
        figure.polygon(
            [(-0.04, height + 0.05), (0.04, height + 0.05), (0.04, height + 0.32), (-0.04, height + 0.32)], white
        )
        figure.polygon([(-0.15, height + 0.28), (0.15, height + 0.28), (0, height + 0.48)], white)


def paint_traffic_light(canvas: Canvas, x: float, z: float, *, lit: int, reach: float = 0.0) -> None:
    """A traffic light on its pole; `lit` is 0 red, 1 amber, 2 green; with `reach` a second one hangs over the road."""
    figure = Figure(canvas, x, z, POLE)
    grey = rgb(96, 100, 100)
    _post(figure, 5.6 if reach else 3.3, 0.09 if reach else 0.06, grey)
    if reach:
        figure.limb([(0, 5.4, 0.06), (reach, 5.7, 0.045)], grey)
    for at, low in ((0.0, 2.3), (reach, 4.85))[: 2 if reach else 1]:
        box = [(at - 0.17, low), (at + 0.17, low), (at + 0.17, low + 0.98), (at - 0.17, low + 0.98)]
        figure.polygon(box, rgb(26, 30, 28), TRAFFIC_LIGHT)
        for lamp, color in enumerate((rgb(250, 50, 36), rgb(250, 190, 50), rgb(60, 235, 150))):
            middle = (at, low + 0.8 - 0.31 * lamp)
            on = lamp == lit
            figure.disc(middle, 0.115, color if on else color * 0.12, TRAFFIC_LIGHT)
            if on:
                canvas.glow([x + at, middle[1], z], 0.35, color * (0.8 if canvas.light.lamps else 0.4))


def paint_bollard(canvas: Canvas, x: float, z: float) -> None:
    """A bollard at the kerb."""
    figure = Figure(canvas, x, z, POLE)
    _post(figure, 0.95, 0.05, rgb(74, 66, 62))
    figure.polygon([(-0.05, 0.72), (0.05, 0.72), (0.045, 0.84), (-0.045, 0.84)], rgb(190, 190, 186))


def paint_fence(canvas: Canvas, x: float, start: float, end: float) -> None:
    """A roadworks barrier along the street from z = `start` to `end`, red and white."""
    lit = canvas.lit_at(x, start)
    edges = np.arange(end, start - 0.4, -0.8)
    for i, z in enumerate(edges):
        color = rgb(188, 44, 36) if i % 2 else rgb(214, 212, 206)
        for low, high in ((0.75, 1.0), (0.25, 0.42)):
            canvas.polygon([[x, low, z], [x, low, z - 0.8], [x, high, z - 0.8], [x, high, z]], color, FENCE, lit=lit)
        if i % 3 == 0:
            canvas.polygon(
                [[x, 0, z], [x, 0, z - 0.08], [x, 1.05, z - 0.08], [x, 1.05, z]], rgb(150, 150, 148), FENCE, lit=lit
            )
