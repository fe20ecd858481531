"""The bodies of generated vehicles as surfaces in space.

A body is a profile seen from the side (height over length, rear to front) swept by a cross-section. Local coordinates:
lateral (right of the driver), height, forward; in metres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from runtime.scenes.canvas import Floats

CAR, TRUCK, BUS = 26, 27, 28

BODY, GLASS, TRIM = 0, 1, 2
"""Materials of facets."""


@dataclass(frozen=True)
class Kind:
    """The shape of one kind of vehicle; lengths in metres."""

    label: int
    length: float
    width: float
    belt: float
    """Height of the lower edge of the windows."""
    profile: tuple[tuple[float, float, str], ...]
    """Share of the length from the rear, height there, and what follows: trunk, rear, roof, screen, hood."""
    wheels: tuple[float, ...]
    """Where the axles are, as a share of the length."""
    radius: float = 0.32
    windows: tuple[float, float] = (0.0, 1.0)
    """Between which shares of the length there is glass at the sides."""


KINDS: dict[str, Kind] = {
    "hatchback": Kind(CAR, 4.1, 1.76, 0.96,
        ((0, 0.9, "trunk"), (0.02, 1.0, "rear"), (0.15, 1.38, "roof"), (0.24, 1.45, "roof"), (0.42, 1.48,
        "roof"), (0.55, 1.43, "screen"), (0.73, 1.03, "hood"), (0.82, 0.96, "hood"), (0.95, 0.82, "hood"), (1,
        0.66, "hood")), (0.17, 0.81), windows=(0.08, 1)),
    "saloon": Kind(CAR, 4.7, 1.82, 0.95,
        ((0, 0.88, "trunk"), (0.02, 0.98, "trunk"), (0.14, 1.03, "rear"), (0.28, 1.37, "roof"), (0.36, 1.43,
        "roof"), (0.47, 1.44, "roof"), (0.56, 1.39, "screen"), (0.71, 1.0, "hood"), (0.82, 0.92, "hood"), (0.95,
        0.79, "hood"), (1, 0.64, "hood")), (0.2, 0.81), windows=(0.16, 1)),
    "estate": Kind(CAR, 4.6, 1.8, 0.96,
        ((0, 0.92, "trunk"), (0.02, 1.0, "rear"), (0.1, 1.37, "roof"), (0.17, 1.45, "roof"), (0.42, 1.48,
        "roof"), (0.56, 1.42, "screen"), (0.72, 1.02, "hood"), (0.82, 0.94, "hood"), (0.95, 0.8, "hood"), (1,
        0.65, "hood")), (0.2, 0.81), windows=(0.05, 1)),
    "suv": Kind(CAR, 4.5, 1.86, 1.08,
        ((0, 0.98, "trunk"), (0.02, 1.1, "rear"), (0.11, 1.55, "roof"), (0.2, 1.65, "roof"), (0.42, 1.68,
        "roof"), (0.57, 1.62, "screen"), (0.72, 1.17, "hood"), (0.84, 1.1, "hood"), (0.96, 0.95, "hood"), (1,
        0.76, "hood")), (0.19, 0.81), 0.36, windows=(0.06, 1)),
    "van": Kind(CAR, 5.4, 1.98, 1.32,
        ((0, 1.35, "rear"), (0.015, 2.2, "roof"), (0.04, 2.45, "roof"), (0.4, 2.5, "roof"), (0.7, 2.48, "roof"),
        (0.77, 2.36, "screen"), (0.89, 1.48, "hood"), (0.96, 1.25, "hood"), (1, 0.85, "hood")), (0.2, 0.83),
        0.34, windows=(0.64, 1)),
    "bus": Kind(BUS, 12.0, 2.55, 1.15,
        ((0, 1.2, "rear"), (0.004, 2.75, "roof"), (0.015, 3.0, "roof"), (0.3, 3.05, "roof"), (0.6, 3.05,
        "roof"), (0.97, 3.0, "roof"), (0.985, 2.9, "screen"), (1, 1.0, "hood")), (0.27, 0.77), 0.48),
    "lorry": Kind(TRUCK, 8.0, 2.45, 1.6,
        ((0, 1.2, "trunk"), (0.002, 3.3, "trunk"), (0.01, 3.4, "roof"), (0.35, 3.42, "roof"), (0.7, 3.4,
        "roof"), (0.72, 2.75, "roof"), (0.76, 2.8, "roof"), (0.93, 2.7, "screen"), (0.985, 1.5, "hood"), (1,
        0.9, "hood")), (0.22, 0.84), 0.46, windows=(0.8, 1)),
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where a vehicle stands and how it is turned."""

    x: float
    z: float
    yaw: float
    """Radians, 0 = driving away from the camera, clockwise from above."""

    def world(self, local: Floats) -> Floats:
        """World points ... x 3 of local ones (lateral, height, forward)."""
        sin, cos = np.sin(self.yaw), np.cos(self.yaw)
        lateral, forward = local[..., 0], local[..., 2]
        x = self.x + lateral * cos + forward * sin
        z = self.z - lateral * sin + forward * cos
        return np.stack([x, local[..., 1], z], -1).astype(np.float32)


def footprint(kind: str, place: Place, margin: float = 0.0) -> Floats:
    """The four corners of a vehicle on the ground, world 4 x 3."""
    half, reach = KINDS[kind].width / 2 + margin, KINDS[kind].length / 2 + margin
    corners = [[-half, 0, -reach], [half, 0, -reach], [half, 0, reach], [-half, 0, reach]]
    return place.world(np.array(corners, np.float32))


def stations(kind: Kind) -> tuple[Floats, Floats, list[str]]:
    """Shares of the length, heights there, and what each stretch between two of them is."""
    shares: list[float] = []
    tags: list[str] = []
    for (start, _, tag), (end, _, _) in zip(kind.profile[:-1], kind.profile[1:], strict=True):
        pieces = max(1, round((end - start) * kind.length / 0.22))
        shares += [start + (end - start) * i / pieces for i in range(pieces)]
        tags += [tag] * pieces
    shares.append(1.0)
    at = np.array(shares, np.float32)
    return at, np.interp(at, [p[0] for p in kind.profile], [p[1] for p in kind.profile]).astype(np.float32), tags


def sections(kind: Kind, at: Floats, top: Floats) -> Floats:
    """The lofted surface, local S x 17 x 3: per station the section from left sill over roof to right sill."""
    boxy = kind.belt > 1.1 and kind.length > 5
    end = np.minimum(at, 1 - at) * kind.length
    half = kind.width / 2 * (1 - (0.05 if boxy else 0.17) * np.clip(1 - end / 0.55, 0, 1) ** 2)
    sill = 0.22 + kind.radius * 0.15 + 0.1 * np.clip(1 - end / 0.5, 0, 1)
    belt = np.minimum(kind.belt, top - 0.05)
    rise = np.clip((top - belt - 0.05) / max(float(top.max()) - kind.belt, 0.1), 0, 1)
    hood = np.array([0.95, 0.89, 0.76, 0.45, 0.0], np.float32)
    roof = np.array([0.985, 0.95, 0.9, 0.5, 0.0] if boxy else [0.93, 0.78, 0.71, 0.42, 0.0], np.float32)
    upper = hood + (roof - hood) * rise[:, None]
    lateral = np.concatenate([np.broadcast_to([0.91, 0.975, 1.0, 0.975], (len(at), 4)), upper], 1) * half[:, None]
    heights = [sill, sill + 0.14, (sill + belt) / 2 + 0.08, belt - 0.04, belt]
    heights += [belt + (top - belt) * 0.86, top - 0.03, top, top + 0.02]
    height = np.stack(heights, 1)
    forward = np.broadcast_to(((at - 0.5) * kind.length)[:, None], height.shape)
    right = np.stack([lateral, height, forward], -1)
    left = right * np.array([-1, 1, 1], np.float32)
    return np.concatenate([left, right[:, -2::-1]], 1).astype(np.float32)


def materials(kind: Kind, at: Floats, tags: list[str]) -> npt.NDArray[np.int64]:
    """BODY, GLASS or TRIM for each facet, (S - 1) x 16."""
    material = np.full((len(tags), 16), BODY)
    material[:, [0, 15]] = TRIM
    middle = (at[1:] + at[:-1]) / 2
    roofs = [p[0] for p in kind.profile if p[2] == "roof"]
    pillars = (
        (np.linspace(*kind.windows, 8)[1:-1] if kind.length > 6 else [min(roofs[-1] - 0.06, 0.44)]) if roofs else []
    )
    for i, tag in enumerate(tags):
        seen = kind.windows[0] < middle[i] < kind.windows[1]
        if tag in ("roof", "rear", "screen") and seen:
            is_pillar = any(abs(middle[i] - pillar) < 0.11 / kind.length for pillar in pillars)
            # The front end of the screen is too low for a side window: it stays a pillar.
            low = tag != "roof" and i + 1 < len(tags) and tags[i + 1] in ("hood",)
            material[i, [4, 11]] = TRIM if is_pillar else BODY if low else GLASS
        if tag in ("rear", "screen"):
            material[i, 5:11] = GLASS
    return material


def refined(grid: Floats, finer: int) -> tuple[Floats, Floats]:
    """The surface cut `finer` times as fine both ways, and its facets' normals, N x 3, blended over the edges."""
    normals = np.zeros_like(grid)
    faces = np.cross(grid[1:, :-1] - grid[:-1, 1:], grid[1:, 1:] - grid[:-1, :-1])
    faces /= np.maximum(np.linalg.norm(faces, axis=-1, keepdims=True), 1e-6)
    for i in (0, 1):
        for j in (0, 1):
            normals[i : i + faces.shape[0], j : j + faces.shape[1]] += faces
    rows, columns = (np.linspace(0, n - 1, (n - 1) * finer + 1) for n in grid.shape[:2])
    r, c = np.minimum(rows.astype(int), len(grid) - 2), np.minimum(columns.astype(int), grid.shape[1] - 2)
    fr, fc = (rows - r)[:, None, None], (columns - c)[None, :, None]

    def between(values: Floats) -> Floats:
        low = values[r][:, c] * (1 - fc) + values[r][:, c + 1] * fc
        high = values[r + 1][:, c] * (1 - fc) + values[r + 1][:, c + 1] * fc
        return np.asarray(low * (1 - fr) + high * fr, np.float32)

    fine, smooth = between(grid), between(normals)
    smooth = (smooth[:-1, :-1] + smooth[:-1, 1:] + smooth[1:, 1:] + smooth[1:, :-1]).reshape(-1, 3)
    flat = faces.repeat(finer, 0).repeat(finer, 1).reshape(-1, 3)
    smooth = 0.75 * smooth / np.maximum(np.linalg.norm(smooth, axis=1, keepdims=True), 1e-6) + 0.25 * flat
    return fine, np.asarray(smooth / np.maximum(np.linalg.norm(smooth, axis=1, keepdims=True), 1e-6), np.float32)
