"""Sky and ground of generated scenes: asphalt, markings, kerbs, pavement and grass, computed pixel by pixel.

Every pixel below the horizon is a point of the ground, so its label is that of the strip its centre lies in.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from runtime.scenes.canvas import Canvas, Floats, Rng, noise, rgb

ROAD, SIDEWALK, TERRAIN, SKY = 7, 8, 22, 23


@dataclass(frozen=True)
class Side:
    """One side of the street, outwards from the kerb; metres."""

    verge: float
    """Grass strip between kerb and pavement, 0 for none."""
    walk: float
    built: bool
    """Buildings line it; else it is a park."""
    parking: float
    """Width of the parking lane, inside the road; 0 for none."""


@dataclass(frozen=True)
class Street:
    """A street in the camera's coordinates: x across, z along, both in metres."""

    left: float
    """x of the left kerb where z is 0 (negative)."""
    right: float
    lines: tuple[tuple[float, bool], ...]
    """x of each line between lanes, and whether it is dashed."""
    bend: float
    """How far the street is off to the right, per square metre of distance."""
    sides: tuple[Side, Side]
    """Left and right."""
    crossing: float
    """z of the middle of a street that crosses, 0 for none."""
    across: float
    """Width of that street."""

    def shift(self, z: float) -> float:
        """How far to the right the street has got at distance `z`."""
        return self.bend * z * z

    def facade(self, side: int) -> float:
        """x of the building line where z is 0; `side` is 0 for left, 1 for right."""
        depth = self.sides[side].verge + self.sides[side].walk
        return self.right + depth if side else self.left - depth

    def crosses(self, start: float, end: float) -> bool:
        """Whether the crossing street and its pavements touch the stretch from `start` to `end`."""
        reach = self.across / 2 + 2.5
        return bool(self.crossing and start < self.crossing + reach and end > self.crossing - reach)


def draw_street(rng: Rng) -> Street:
    """One to two lanes each way, parking lanes, pavements; buildings or a park beside them."""
    built = [rng.random() < 0.78, rng.random() < 0.78]
    sides = []
    for has_buildings in built:
        verge = rng.uniform(1.2, 2.6) if rng.random() < 0.35 else 0.0
        parking = 2.15 if rng.random() < 0.6 else 0.0
        sides.append(Side(verge, rng.uniform(2.2, 4.6), bool(has_buildings), parking))
    lane, extra = rng.uniform(3.1, 3.6), rng.random()
    right, left = lane / 2 + sides[1].parking + 0.2, -lane * 1.5 - sides[0].parking - 0.2
    lines = [(-lane / 2, bool(rng.random() < 0.75))]
    if extra < 0.2:
        left -= lane
        lines.append((-lane * 1.5, True))
    elif extra < 0.4:
        right += lane
        lines.append((lane / 2, True))
    if sides[1].parking and rng.random() < 0.5:
        lines.append((right - sides[1].parking, False))
    bend = float(rng.choice([0.0, rng.uniform(-0.0011, 0.0011)]))
    crossing = float(rng.uniform(24, 70)) if rng.random() < 0.5 else 0.0
    return Street(left, right, tuple(lines), bend, (sides[0], sides[1]), crossing, rng.uniform(7, 11))


def paint_sky(canvas: Canvas, rng: Rng) -> None:
    """Fill everything above the horizon with a gradient and clouds."""
    light, width = canvas.light, canvas.camera.width
    rows = min(int(canvas.camera.horizon) + 2, canvas.camera.height)
    height = np.linspace(0, 1, rows, dtype=np.float32)[:, None, None] ** 0.8
    sky = light.sky_top + (light.sky_low - light.sky_top) * height
    cell = max(4.0, width / 5)
    wisps = noise(rng, rows, width, (cell, cell / 2.3, cell / 5, cell / 11, cell / 24, cell / 50), 0.6)
    cover = np.clip(0.6 * wisps - 0.4 + 1.4 * light.clouds, 0, 1)[..., None]
    white = light.sky_low * 1.04 + 6
    canvas.frame[:rows] = np.clip(sky + (white - sky) * cover * 0.85 + 2.5 * wisps[..., None], 0, 255)
    canvas.labels[:rows] = SKY


@dataclass(frozen=True)
class _Plane:
    """The ground under each pixel; all float32 h x W unless said otherwise."""

    x: Floats
    """Metres right of the street's axis (its bend taken out)."""
    z: Floats
    """Metres ahead."""
    pixel: Floats
    """Metres across a pixel, h x 1."""
    depth: Floats
    """Metres ahead across a pixel, h x 1."""
    fine: Floats
    """Grain of about zero mean, fading with distance."""
    coarse: Floats
    """Patches of some metres."""

    def stripe(self, x: float, half: float) -> Floats:
        """How much of each pixel lies within `half` of the line at `x`, 0..1."""
        within = np.clip((half - np.abs(self.x - x)) / self.pixel + 0.5, 0, 1)
        return np.asarray(within * np.minimum(1, 2 * half / self.pixel), np.float32)

    def bar(self, z: float, half: float) -> Floats:
        """The same for a line across the street at `z`."""
        within = np.clip((half - np.abs(self.z - z)) / self.depth + 0.5, 0, 1)
        return np.asarray(within * np.minimum(1, 2 * half / self.depth), np.float32)

    def dashes(self, period: float, length: float) -> Floats:
        """1 on dashes along z, 0 between them, their mean where they blur."""
        phase = np.abs((self.z % period) - period / 2)
        sharp = np.clip((length / 2 - phase) / self.depth + 0.5, 0, 1)
        return np.asarray(sharp + (length / period - sharp) * np.clip(self.depth / period, 0, 1), np.float32)


def _sampled(texture: Floats, x: Floats, z: Floats, density: float) -> Floats:
    side = texture.shape[0]
    # Mirrored by hand: remap takes no coordinates beyond 32767.
    u, v = ((np.abs((c * density) % (2 * side - 2) - (side - 1))).astype(np.float32) for c in (x, z))
    return np.asarray(cv2.remap(texture, u, v, cv2.INTER_LINEAR), np.float32)


def _plane(canvas: Canvas, street: Street, rng: Rng, first: int) -> _Plane:
    camera = canvas.camera
    rows = np.arange(first, camera.height, dtype=np.float32)[:, None] + 0.5 - np.float32(camera.horizon)
    ahead = (camera.focal * camera.eye / np.maximum(rows, 0.5)).astype(np.float32)
    columns = np.arange(camera.width, dtype=np.float32)[None] + 0.5 - np.float32(camera.width / 2)
    z = np.broadcast_to(ahead, (len(ahead), camera.width))
    x = columns * (ahead / camera.focal) - street.bend * ahead * ahead
    depth = ahead * ahead / (camera.focal * camera.eye)
    grain = noise(rng, 512, 512, (4, 2, 1), 1.0)
    patches = noise(rng, 256, 256, (48, 16, 6), 0.7)
    fine = _sampled(grain, x, z, 100) * np.exp(-depth / 0.08)
    return _Plane(x, z, ahead / camera.focal, depth, fine, _sampled(patches, x, np.asarray(z * 0.4, np.float32), 7))


def _asphalt(plane: _Plane, street: Street, rng: Rng) -> Floats:
    base = rgb(100, 101, 102) * rng.uniform(0.82, 1.12)
    tone = 1 + 0.055 * plane.fine + 0.035 * plane.coarse
    tracks = np.cos((plane.x - 0.05) * (2 * np.pi / 1.65)) * np.exp(-((plane.x / 2.5) ** 2))
    tone += 0.03 * tracks
    for _ in range(int(rng.integers(1, 5))):
        x, z, half, reach = (
            rng.uniform(street.left, street.right),
            rng.uniform(6, 45),
            rng.uniform(0.4, 1.2),
            rng.uniform(1, 6),
        )
        patch = plane.stripe(x, half) * plane.bar(z, reach)
        tone += patch * float(rng.choice([-0.13, -0.09, 0.07])) - 0.08 * (
            plane.stripe(x - half, 0.03) + plane.stripe(x + half, 0.03)
        ) * plane.bar(z, reach)
    for _ in range(int(rng.integers(0, 3))):
        x, swing, pace = rng.uniform(street.left, street.right), rng.uniform(0.05, 0.3), rng.uniform(0.1, 0.4)
        wiggle = swing * np.sin(plane.z * pace) + 0.05 * np.sin(plane.z * 1.1)
        seam = np.clip((0.018 - np.abs(plane.x - x - wiggle)) / plane.pixel + 0.5, 0, 1) * np.minimum(
            1, 0.036 / plane.pixel
        )
        tone -= 0.13 * seam
    for edge in (street.left, street.right):
        tone -= 0.1 * np.exp(-np.abs(plane.x - edge) / 0.35)
    return np.asarray(base * tone[..., None], np.float32)


def _markings(color: Floats, plane: _Plane, street: Street, rng: Rng) -> None:
    """Lay lines, a stop line and a zebra crossing over the asphalt, worn where the road is."""
    paint = np.zeros(plane.x.shape, np.float32)
    for x, dashed in street.lines:
        line = plane.stripe(x, 0.065)
        paint = np.maximum(paint, line * plane.dashes(9, 3.4) if dashed else line)
    if street.crossing:
        near = street.crossing - street.across / 2
        clear = (np.abs(plane.z - street.crossing) < street.across / 2 + 0.5) | (plane.bar(near - 3.2, 2.1) > 0)
        paint[clear] = 0
        inside = (plane.x > street.left + 0.3) & (plane.x < street.right - 0.3)
        if rng.random() < 0.5:
            bars = np.clip((0.25 - np.abs(plane.x % 1.0 - 0.5)) / plane.pixel + 0.5, 0, 1)
            paint = np.maximum(paint, bars * plane.bar(near - 3.2, 1.8) * inside)
        lane = inside & (plane.x > street.lines[0][0] if street.lines else inside)
        paint = np.maximum(paint, plane.bar(near - 6.0, 0.22) * lane)
    worn = np.clip(0.85 + 0.14 * plane.coarse + 0.1 * plane.fine, 0.25, 0.95)
    color += (rgb(196, 197, 192) - color) * (paint * worn)[..., None]


def _pavement(plane: _Plane, rng: Rng) -> Floats:
    base = rgb(*((134, 130, 124), (122, 121, 119), (140, 128, 118))[rng.integers(3)]) * rng.uniform(0.85, 1.05)
    slab = float(rng.choice([0.3, 0.5, 0.8]))
    joint_x = np.clip((0.012 - np.abs(plane.x % slab - slab / 2)) / plane.pixel + 0.5, 0, 1) * np.minimum(
        1, 0.024 / plane.pixel
    )
    joint_z = np.clip((0.012 - np.abs(plane.z % slab - slab / 2)) / plane.depth + 0.5, 0, 1) * np.minimum(
        1, 0.024 / plane.depth
    )
    tone = 1 + 0.05 * plane.fine + 0.05 * plane.coarse - 0.22 * np.maximum(joint_x, joint_z)
    return np.asarray(base * tone[..., None], np.float32)


def _grass(plane: _Plane) -> Floats:
    tone = 1 + 0.26 * plane.fine + 0.12 * plane.coarse
    return np.asarray(rgb(74, 90, 38) * tone[..., None] + rgb(8, 2, 0) * plane.coarse[..., None], np.float32)


def paint_ground(canvas: Canvas, street: Street, rng: Rng) -> None:
    """Fill everything below the horizon, in the shade that has been laid on it before."""
    first = max(0, int(np.ceil(canvas.camera.horizon)))
    if first >= canvas.camera.height:
        return
    plane = _plane(canvas, street, rng, first)
    crossing = np.zeros(plane.x.shape, bool)
    if street.crossing:
        crossing = np.abs(plane.z - street.crossing) < street.across / 2
    road = crossing | ((plane.x > street.left) & (plane.x < street.right))
    labels = np.where(road, ROAD, SIDEWALK).astype(np.uint8)
    beyond = np.where(plane.x < 0, street.left - plane.x, plane.x - street.right)
    corner = np.abs(plane.z - street.crossing) < street.across / 2 + 3 if street.crossing else crossing
    for index, strip in enumerate(street.sides):
        here = ~road & ((plane.x >= street.right) if index else (plane.x <= street.left))
        grass = (beyond > 0.16) & (beyond < strip.verge + 0.16)
        if not strip.built:
            grass |= beyond > strip.verge + strip.walk
        labels[here & grass & ~corner] = TERRAIN
    color = _asphalt(plane, street, rng)
    _markings(color, plane, street, rng)
    np.copyto(color, _pavement(plane, rng), where=(labels == SIDEWALK)[..., None])
    if (labels == TERRAIN).any():
        np.copyto(color, _grass(plane), where=(labels == TERRAIN)[..., None])
    open_kerb = ~crossing
    for edge, way in ((street.left, -1), (street.right, 1)):
        kerb = plane.stripe(edge + way * 0.09, 0.08) * open_kerb
        face = plane.stripe(edge, 0.03) * open_kerb
        color += (rgb(150, 148, 142) * (1 + 0.08 * plane.coarse[..., None]) - color) * kerb[..., None]
        color *= (1 - 0.45 * face)[..., None]
    for side, strip in enumerate(street.sides):
        if strip.built:
            # Light hardly gets to where the pavement meets a wall.
            color *= (1 - 0.3 * np.exp(-np.abs(plane.x - street.facade(side)) / 0.7) * open_kerb)[..., None]
    shade = canvas.shade[first:]
    canvas.frame[first:] = np.clip(canvas.tone(color, plane.z[:, :1], shade), 0, 255)
    canvas.labels[first:] = labels
