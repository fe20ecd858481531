"""Cars, vans, buses and lorries of generated scenes: bodies with glass, lamps and wheels.

The facets of a body (see `bodies`) are shaded one by one and painted far to near; details are laid over them.
"""

from __future__ import annotations

import cv2
import numpy as np

from runtime.scenes.bodies import (
    BUS,
    CAR,
    GLASS,
    KINDS,
    TRIM,
    Kind,
    Place,
    footprint,
    materials,
    refined,
    sections,
    stations,
)
from runtime.scenes.canvas import Canvas, Floats, Rng, rgb

MATERIALS: tuple[Floats, ...] = (rgb(0, 0, 0), rgb(22, 26, 28), rgb(24, 24, 25))
"""Colours of glass and trim; a body has its own."""

PAINTS = (
    (28, 29, 31), (38, 41, 46), (88, 92, 96), (150, 154, 156), (176, 180, 182), (205, 207, 206), (214, 214, 208),
    (34, 46, 74), (120, 24, 26), (52, 60, 58), (16, 17, 19), (70, 74, 80), (96, 30, 32), (40, 66, 104),
)  # fmt: skip
"""As on real streets, mostly black, grey, silver and white."""


def _shaded(canvas: Canvas, facets: Floats, normals: Floats, colors: Floats, gloss: Floats, lit: float) -> Floats:
    """The facets' colours, N x 3: diffuse light by the normal, and what paint and glass reflect."""
    light = canvas.light
    centers = facets.mean(1)
    view = centers - np.array([0, canvas.camera.eye, 0], np.float32)
    view /= np.linalg.norm(view, axis=1, keepdims=True)
    facing = -(view * normals).sum(1)
    diffuse = 0.5 + 0.42 * normals[:, 1] + 1.1 * np.clip(normals @ light.sun, 0, None) * (lit - 0.3)
    mirrored = view + 2 * facing[:, None] * normals
    strength = gloss * (0.1 + 0.9 * np.clip(1 - facing, 0, 1) ** 3)
    sky = np.clip(0.2 + 2.4 * (mirrored[:, 1] - 0.1), 0.2, 1)[:, None] * light.sky_low
    shaded = canvas.tone(colors, centers[:, 2], diffuse * (0.45 + 0.55 * lit))
    clear = np.exp(-centers[:, 2:] / light.visibility)
    return np.asarray(shaded + sky * strength[:, None] * clear * (0.5 + 0.5 * lit), np.float32)


def _paint_body(canvas: Canvas, kind: Kind, place: Place, paint: Floats, lit: float) -> None:
    at, top, tags = stations(kind)
    rough = place.world(sections(kind, at, top))
    # Facets of more than some ten pixels would show: near bodies are cut finer.
    finer = int(np.clip(canvas.scale(place.z) / 40, 1, 3))
    grid, smooth = refined(rough, finer)
    quads = np.stack([grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]], 2).reshape(-1, 4, 3)
    material = materials(kind, at, tags).repeat(finer, 0).repeat(finer, 1).ravel()
    normals = np.cross(quads[:, 3] - quads[:, 1], quads[:, 2] - quads[:, 0])
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = normals / np.maximum(length, 1e-6)
    # Sections run from left to right and stations from rear to front, which turns the normals outwards.
    eye = np.array([0, canvas.camera.eye, 0], np.float32)
    seen = np.flatnonzero((((quads.mean(1) - eye) * normals).sum(1) < 0) & (length[:, 0] > 1e-6))
    seen = seen[np.argsort(-quads[seen].mean(1)[:, 2], kind="stable")]
    palette = np.stack([paint, MATERIALS[GLASS], MATERIALS[TRIM]])
    gloss = np.array([0.55, 0.75, 0.05], np.float32)[material[seen]]
    colors = _shaded(canvas, quads[seen], smooth[seen], palette[material[seen]], gloss, lit)
    pixels = canvas.camera.project(quads)
    for face, color in zip(seen, colors, strict=True):
        canvas.fill(pixels[face], color, kind.label)
    for cap, way in ((grid[0], -1), (grid[-1], 1)):
        normal = place.world(np.array([0, 0, way], np.float32)) - place.world(np.zeros(3, np.float32))
        if float(((cap.mean(0) - eye) * normal).sum()) < 0:
            color = _shaded(canvas, cap[None], normal[None], paint[None], np.array([0.3], np.float32), lit)[0]
            canvas.fill(canvas.camera.project(cap), color, kind.label)


def _ring(x: float, y: float, z: float, radius: float, sides: int = 20) -> Floats:
    turn = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    return np.stack([np.full(sides, x), y + radius * np.sin(turn), z + radius * np.cos(turn)], 1).astype(np.float32)


def _paint_wheels(canvas: Canvas, kind: Kind, place: Place, lit: float, *, outside: bool) -> None:
    """The tyres below the body, or (outside) arches, tyres and rims on the side that faces the camera."""
    for axle in kind.wheels:
        z = (axle - 0.5) * kind.length
        for side in (-1, 1):
            rim = side * (kind.width / 2 - 0.015)
            if not outside:
                both = np.concatenate(
                    [_ring(rim, kind.radius, z, kind.radius), _ring(rim - side * 0.22, kind.radius, z, kind.radius)]
                )
                pixels = canvas.camera.project(place.world(both))
                canvas.fill(np.asarray(cv2.convexHull(pixels)[:, 0], np.float32), rgb(12, 12, 13), kind.label)
                continue
            center = place.world(np.array([rim, kind.radius, z], np.float32))
            normal = place.world(np.array([side, 0, 0], np.float32)) - place.world(np.zeros(3, np.float32))
            if float(center @ normal) > -0.02:
                continue
            for size, color in ((1.17, 8), (1.0, 22), (0.7, 120), (0.62, 70), (0.2, 130)):
                ring = place.world(_ring(rim, kind.radius + (size > 1) * 0.02, z, kind.radius * size))
                if size > 1:
                    ring[:, 1] = np.maximum(ring[:, 1], kind.radius)
                canvas.polygon(ring, rgb(color, color, color), kind.label, lit=lit)
            if canvas.scale(float(center[2])) > 60:
                _paint_spokes(canvas, kind, place, rim, z, lit)


def _paint_spokes(canvas: Canvas, kind: Kind, place: Place, rim: float, z: float, lit: float) -> None:
    for turn in np.linspace(0, 2 * np.pi, 5, endpoint=False):
        sin, cos = np.sin(turn) * kind.radius, np.cos(turn) * kind.radius
        spoke = [
            [rim, kind.radius + r * sin + w * cos, z + r * cos - w * sin]
            for r, w in ((0.1, -0.1), (0.66, -0.13), (0.66, 0.13), (0.1, 0.1))
        ]
        canvas.polygon(place.world(np.array(spoke, np.float32)), rgb(150, 152, 154), kind.label, lit=lit)


def _plate(
    canvas: Canvas,
    place: Place,
    box: tuple[float, float, float, float],
    z: float,
    color: Floats,
    label: int,
    lit: float = 1.0,
) -> None:
    """A rectangle across the vehicle: left, low, right, high in metres, at `z` along it."""
    left, low, right, high = box
    corners = [[left, low, z], [right, low, z], [right, high, z], [left, high, z]]
    canvas.polygon(place.world(np.array(corners, np.float32)), color, label, lit=lit)


def _paint_ends(canvas: Canvas, kind: Kind, place: Place, lit: float, *, parked: bool, braking: bool) -> None:
    """Lamps, number plate, grille and bumper of the end that faces the camera."""
    half, ahead = kind.width / 2 * 0.86, float(np.cos(place.yaw))
    if abs(ahead) < 0.25:
        return
    rear = ahead > 0
    z = -kind.length / 2 - 0.012 if rear else kind.length / 2 + 0.012
    tall = kind.belt > 1.2 or kind.label == BUS
    lamp = (0.78, 1.12) if rear and tall else (0.7, 0.88) if rear else (0.66, 0.84) if tall else (0.5, 0.64)
    _plate(canvas, place, (-half, 0.32, half, 0.46), z, rgb(26, 26, 27), kind.label, lit)
    if not rear:
        _plate(canvas, place, (-half * 0.6, 0.48, half * 0.6, lamp[1] - 0.02), z, rgb(18, 18, 19), kind.label, lit)
    for side in (-1, 1):
        box = (side * half * (0.72 if rear else 0.6), lamp[0], side * half, lamp[1])
        color = rgb(190, 24, 20) if rear and braking else rgb(112, 16, 16) if rear else rgb(128, 133, 138)
        _plate(canvas, place, box, z, color, kind.label, lit)
    middle_height, spot = sum(lamp) / 2, rgb(190, 110, 90) if rear else rgb(226, 228, 228)
    for side in (-1, 1):
        inner = (side * half * 0.78, middle_height - 0.035, side * half * 0.94, middle_height + 0.045)
        _plate(canvas, place, inner, z * 1.003, spot, kind.label, lit)
        # The glow comes last: it would take what is painted over it for something in between.
        on = not parked and (canvas.light.lamps or (rear and braking))
        middle = place.world(np.array([side * half * 0.86, middle_height, z], np.float32))
        if on and middle[2] > 0.5:
            shine = rgb(150, 12, 8) if rear else rgb(210, 205, 190)
            canvas.glow(middle, 0.28 if rear else 0.42, shine * (1.0 if canvas.light.lamps else 0.5))
    if kind.label == BUS and not rear:
        _plate(canvas, place, (-0.8, 2.52, 0.8, 2.74), z, rgb(214, 132, 34), kind.label)
    _plate(canvas, place, (-0.27, 0.5, 0.27, 0.62), z * 1.004, rgb(20, 20, 20), kind.label, lit)
    _plate(canvas, place, (-0.25, 0.51, 0.25, 0.61), z * 1.006, rgb(225, 226, 220), kind.label, lit)


def _paint_mirrors(canvas: Canvas, kind: Kind, place: Place, paint: Floats, lit: float) -> None:
    if kind.label != CAR:
        return
    for side in (-1, 1):
        mirror = [
            [side * (kind.width / 2 + d), kind.belt + u, (0.64 - 0.5) * kind.length]
            for d, u in ((-0.02, 0), (0.17, 0.01), (0.18, 0.14), (0, 0.13))
        ]
        canvas.polygon(place.world(np.array(mirror, np.float32)), paint * 0.5, kind.label, lit=lit)


def _paint_seams(canvas: Canvas, kind: Kind, place: Place, paint: Floats, lit: float) -> None:
    """Door gaps and handles: they tell a car from a box once it is near."""
    for side in (-1, 1):
        edge = side * (kind.width / 2 + 0.004)
        center = place.world(np.array([edge, 0.6, 0], np.float32))
        normal = place.world(np.array([side, 0, 0], np.float32)) - place.world(np.zeros(3, np.float32))
        if float(center @ normal) > 0 or kind.label != CAR or kind.belt > 1.2:
            continue
        for share in (0.27, 0.45, 0.65):
            z = (share - 0.5) * kind.length
            gap = [
                [edge, 0.36, z],
                [edge, 0.36, z + 0.02],
                [edge * 0.985, kind.belt - 0.03, z + 0.02],
                [edge * 0.985, kind.belt - 0.03, z],
            ]
            canvas.polygon(place.world(np.array(gap, np.float32)), paint * 0.35, kind.label, lit=lit)
        for share in (0.31, 0.48):
            z = (share - 0.5) * kind.length
            handle = [[edge, 0.82, z], [edge, 0.82, z + 0.17], [edge, 0.85, z + 0.17], [edge, 0.85, z]]
            canvas.polygon(place.world(np.array(handle, np.float32)), paint * 0.55 + 12, kind.label, lit=lit)


def paint_vehicle(canvas: Canvas, rng: Rng, name: str, place: Place, *, parked: bool) -> None:
    """Paint one vehicle; all of it carries its kind's label id.

    Args:
        canvas: what is painted on.
        rng: decides its colour and lamps.
        name: a key of KINDS.
        place: its centre, wholly ahead of the camera or cut off by the frame's edge.
        parked: its lamps are off.
    """
    kind = KINDS[name]
    paint = rgb(*PAINTS[rng.integers(len(PAINTS))])
    if kind.label == BUS:
        paint = rgb(*((200, 160, 30), (190, 190, 186), (150, 30, 30))[rng.integers(3)])
    elif kind.length > 5:
        paint = rgb(
            *(
                (206, 206, 202),
                (214, 214, 212),
                (60, 70, 96),
                (190, 150, 40),
                (196, 198, 196),
                (150, 40, 34),
                (120, 124, 126),
            )[rng.integers(7)]
        )
    braking = not parked and rng.random() < 0.4
    lit = canvas.lit_at(place.x, place.z - kind.length / 2 * abs(float(np.cos(place.yaw))) - 0.6)
    under = footprint(name, place, -0.12) + np.array([0, 0.24, 0], np.float32)
    canvas.polygon(np.maximum(under, [-1e4, 0, 0.5]), rgb(6, 6, 6), kind.label)
    _paint_wheels(canvas, kind, place, lit, outside=False)
    _paint_mirrors(canvas, kind, place, paint, lit)
    _paint_body(canvas, kind, place, paint, lit)
    _paint_wheels(canvas, kind, place, lit, outside=True)
    _paint_seams(canvas, kind, place, paint, lit)
    _paint_ends(canvas, kind, place, lit, parked=parked, braking=braking)
