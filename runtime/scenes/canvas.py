"""What generated scenes are painted on: camera, light, and a frame and its labels that are filled together.

World coordinates are metres: x to the right of the camera, y up from the ground, z ahead along the camera's axis. The
camera does not tilt; the horizon is placed by the principal point, so verticals stay vertical. Colours are RGB, 0..255.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
Rng = np.random.Generator

SHIFT = 4
"""Fractional bits of the pixel coordinates that OpenCV gets: edges move by a sixteenth of a pixel."""


def rgb(*values: float) -> Floats:
    """float32 3: a colour."""
    return np.array(values, np.float32)


@dataclass(frozen=True)
class Light:
    """Daylight and weather of one scene."""

    name: str
    sky_top: Floats
    sky_low: Floats
    ambient: Floats
    """What diffuse light multiplies colours by, per channel."""
    sun: Floats
    """float32 3: direction towards the sun, length = its strength (0 without one)."""
    clouds: float
    """0 (clear) .. 1 (covered)."""
    visibility: float
    """Metres after which haze has taken 63 % of the contrast."""
    lamps: bool
    """Street lamps, windows and headlights are on."""
    wet: float
    """0 (dry) .. 1 (mirror): how much of the scene the road reflects."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera; all lengths in pixels but `eye`, which is its height over the ground in metres."""

    width: int
    height: int
    focal: float
    horizon: float
    eye: float

    @classmethod
    def for_size(cls, width: int, height: int, horizon: float, eye: float) -> Camera:
        """Cityscapes' field of view (a focal length of 2260 at 2048 x 1024), by area for other aspect ratios."""
        return cls(width, height, 1.1 * float(np.sqrt(2 * width * height)), horizon * height, eye)

    def project(self, points: npt.ArrayLike) -> Floats:
        """Pixel coordinates, float32 ... x 2, of world points ... x 3; z is held at 0.3 m or more."""
        world = np.asarray(points, np.float32)
        scale = self.focal / np.maximum(world[..., 2], 0.3)
        x = self.width / 2 + world[..., 0] * scale
        y = self.horizon + (self.eye - world[..., 1]) * scale
        return np.stack([x, y], -1).astype(np.float32)


def noise(rng: Rng, height: int, width: int, cells: tuple[float, ...], fade: float = 0.6) -> Floats:
    """float32 height x width of about zero mean and unit deviation.

    Args:
        rng: where the values come from.
        height: rows.
        width: columns.
        cells: the size in pixels of each octave's cells, coarse to fine.
        fade: each octave's weight against the one before.
    """
    total = np.zeros((height, width), np.float32)
    weight, power = 1.0, 0.0
    for cell in cells:
        rows, columns = max(2, int(height / cell) + 2), max(2, int(width / cell) + 2)
        grid = rng.standard_normal((min(rows, height + 2), min(columns, width + 2)), np.float32)
        total += weight * np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
        power += weight * weight
        weight *= fade
    # Interpolated noise has about 0.7 of its grid's deviation.
    return total / np.float32(0.7 * np.sqrt(power))


@dataclass(frozen=True)
class Glow:
    """A light; all lengths in pixels."""

    x: float
    y: float
    radius: float
    color: Floats
    painted: Bytes
    """uint8 3: the frame there when the light was painted; once it differs, something stands before the light."""


@dataclass
class Canvas:
    """The frame, its label ids, and what belongs to both."""

    camera: Camera
    light: Light
    frame: Bytes = field(init=False)
    """uint8 H x W x 3, RGB."""
    labels: Bytes = field(init=False)
    """uint8 H x W, Cityscapes label ids."""
    shade: Floats = field(init=False)
    """float32 H x W: what direct light leaves on the ground, 1 where nothing is in the way."""
    glows: list[Glow] = field(default_factory=list)
    """Lights, added once everything is painted."""

    def __post_init__(self) -> None:
        size = (self.camera.height, self.camera.width)
        self.frame = np.zeros((*size, 3), np.uint8)
        self.labels = np.zeros(size, np.uint8)
        self.shade = np.ones(size, np.float32)

    def scale(self, z: float) -> float:
        """Pixels a metre at distance `z`."""
        return self.camera.focal / max(z, 0.3)

    def tone(self, color: Floats, z: float | Floats, lit: float | Floats = 1.0) -> Floats:
        """A surface's colour (... x 3) as the camera sees it: light falls on it, haze lies before it.

        Args:
            color: the surface's own colour.
            z: distance in metres.
            lit: how much of the light it gets, 1 being the open ground's.
        """
        z, lit = np.asarray(z, np.float32)[..., None], np.asarray(lit, np.float32)[..., None]
        clear = np.exp(-z / self.light.visibility)
        return np.asarray(color * (lit * clear * self.light.ambient) + self.light.sky_low * (1 - clear), np.float32)

    def lit_at(self, x: float, z: float) -> float:
        """What an object standing at (x, z) gets of the light, from the shade on the ground there."""
        px, py = self.camera.project([x, 0.0, z])
        column = int(np.clip(px, 0, self.camera.width - 1))
        row = int(np.clip(py, 0, self.camera.height - 1))
        return 0.35 + 0.65 * float(self.shade[row, column])

    def fill(self, pixels: Floats, color: Floats, label: int, *, smooth: bool = True) -> None:
        """Fill one polygon in both images.

        Args:
            pixels: float32 N x 2.
            color: as painted, `tone` already applied.
            label: Cityscapes label id.
            smooth: blend the frame's edge; off for the facets of one body, between which nothing may shine through.
        """
        low, high = pixels.min(0), pixels.max(0)
        if high[0] < 0 or high[1] < 0 or low[0] > self.camera.width or low[1] > self.camera.height:
            return
        points = np.round(np.clip(pixels, -30000, 30000) * 2**SHIFT).astype(np.int32)
        # A polygon below half a pixel would blend to nothing, yet be labelled: it is painted whole.
        line = cv2.LINE_AA if smooth and float((high - low).min()) > 0.5 else cv2.LINE_8
        red, green, blue = np.clip(color, 0, 255).tolist()
        cv2.fillPoly(self.frame, [points], (red, green, blue), line, SHIFT)
        cv2.fillPoly(self.labels, [points], (label,), cv2.LINE_8, SHIFT)

    def polygon(self, points: npt.ArrayLike, color: Floats, label: int, *, lit: float = 1.0) -> None:
        """Fill a polygon of world points N x 3; its distance is its points' mean."""
        world = np.asarray(points, np.float32)
        if world[:, 2].min() > 0.3:
            self.fill(self.camera.project(world), self.tone(color, float(world[:, 2].mean()), lit), label)

    def warp(self, picture: Floats, corners: npt.ArrayLike, label: int) -> None:
        """Lay a picture over a quadrilateral of world points.

        Args:
            picture: float32 h x w x 3, `tone` already applied.
            corners: 4 x 3, those of the picture's top left, top right, bottom right and bottom left.
            label: Cityscapes label id.
        """
        height, width = picture.shape[:2]
        target = self.camera.project(corners)
        low = np.maximum(np.floor(target.min(0)).astype(int), 0)
        high = np.minimum(np.ceil(target.max(0)).astype(int) + 1, [self.camera.width, self.camera.height])
        if (high - low).min() < 1:
            return
        source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        matrix = cv2.getPerspectiveTransform(source, (target - low).astype(np.float32))
        size = (int(high[0] - low[0]), int(high[1] - low[1]))
        laid = cv2.warpPerspective(
            np.clip(picture, 0, 255).astype(np.uint8),
            matrix,
            size,
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        mask = np.zeros((size[1], size[0]), np.uint8)
        cv2.fillPoly(mask, [np.round((target - low) * 2**SHIFT).astype(np.int32)], (1,), cv2.LINE_8, SHIFT)
        window = (slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0])))
        np.copyto(self.frame[window], np.asarray(laid, np.uint8), where=mask[..., None] > 0)
        self.labels[window][mask > 0] = label

    def blend(self, picture: Floats, alpha: Floats, left: int, top: int, label: int) -> None:
        """Lay a picture (h x w x 3) over the frame by `alpha` (h x w, 0..1), labelled where that is over a half."""
        height, width = alpha.shape
        y0, x0 = max(0, -top), max(0, -left)
        y1, x1 = min(height, self.camera.height - top), min(width, self.camera.width - left)
        if y1 <= y0 or x1 <= x0:
            return
        window = (slice(top + y0, top + y1), slice(left + x0, left + x1))
        part = alpha[y0:y1, x0:x1]
        under = self.frame[window].astype(np.float32)
        over = np.clip(picture[y0:y1, x0:x1], 0, 255)
        self.frame[window] = (under + (over - under) * part[..., None]).astype(np.uint8)
        self.labels[window][part > 0.5] = label

    def shadow(self, points: npt.ArrayLike, strength: float, *, soft: bool = False) -> None:
        """Darken the ground inside a polygon of world points N x 3, down to 1 - strength.

        Args:
            points: on the ground, z over 0.3 m.
            strength: 0 (none) .. 1 (black).
            soft: fade out over the polygon's outer third.
        """
        world = np.asarray(points, np.float32)
        world = np.maximum(world, [-1e4, 0.0, 0.5])
        middle = world.mean(0)
        steps = 5 if soft else 1
        for step in range(steps):
            grown = middle + (world - middle) * (1.3 - 0.1 * step if soft else 1.0)
            points_2d = np.clip(self.camera.project(grown), -30000, 30000)
            mask = np.round(points_2d * 2**SHIFT).astype(np.int32)
            low = np.clip(points_2d.min(0).astype(int), 0, None)
            high = np.minimum(points_2d.max(0).astype(int) + 2, [self.camera.width, self.camera.height])
            if (high - low).min() < 1:
                return
            window = self.shade[low[1] : high[1], low[0] : high[0]]
            inside = np.zeros(window.shape, np.uint8)
            offset = np.round(low * 2**SHIFT).astype(np.int32)
            cv2.fillPoly(inside, [mask - offset], (1,), cv2.LINE_8, SHIFT)
            level = 1 - strength * (step + 1) / steps
            np.copyto(window, np.minimum(window, np.float32(level)), where=inside > 0)

    def glow(self, point: npt.ArrayLike, radius: float, color: Floats) -> None:
        """A light at a world point, shining `radius` metres around."""
        world = np.asarray(point, np.float32)
        x, y = map(float, self.camera.project(world))
        if 0 <= x < self.camera.width and 0 <= y < self.camera.height:
            painted = self.frame[int(y), int(x)].copy()
            self.glows.append(Glow(x, y, radius * self.scale(float(world[2])), color, painted))

    def shining(self) -> list[Glow]:
        """The lights that nothing was painted over."""
        return [glow for glow in self.glows if np.array_equal(self.frame[int(glow.y), int(glow.x)], glow.painted)]
