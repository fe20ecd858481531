"""What is where in a generated scene: light and weather, the street, and everything that stands or drives along it.

Nothing is painted here but shadows on the ground; things are put into lists together with their distance.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np

from runtime.scenes import buildings, figures, foliage
from runtime.scenes.bodies import KINDS, Place, footprint
from runtime.scenes.canvas import Canvas, Floats, Light, Rng, rgb
from runtime.scenes.ground import Street
from runtime.scenes.vehicles import paint_vehicle

CLOSED = 170.0
"""Metres ahead at which houses and trees close the view."""

Item = tuple[float, Callable[[Canvas], None]]
"""Distance in metres, and what paints the thing that stands there."""


def draw_light(rng: Rng) -> Light:
    """Daylight (overcast, sunny, dusk, night) and weather (clear, fog, rain)."""
    day, weather = rng.random(), rng.random()
    fog, rain = weather < 0.12, 0.12 <= weather < 0.27
    visibility = rng.uniform(60, 130) if fog else rng.uniform(260, 420) if rain else rng.uniform(500, 1400)
    wet = rng.uniform(0.05, 0.12) if rain else 0.0
    strength = rng.uniform(0.9, 1.15)
    side = rng.choice([-1.0, 1.0])
    if day < 0.5 or (day < 0.8 and (fog or rain)):
        grey = rgb(222, 228, 226) * rng.uniform(0.9, 1.05)
        ambient = rgb(0.8, 0.835, 0.785) * strength
        return Light("overcast", grey * 0.9, grey, ambient, rgb(0.03 * side, 0.12, -0.06), 0.8, visibility, rain, wet)
    if day < 0.8:
        sun = rgb(side * rng.uniform(0.3, 0.8), rng.uniform(0.8, 1.1), rng.uniform(-0.8, 0.3))
        sun *= 0.62 / np.linalg.norm(sun)
        blue, low = rgb(118, 158, 206), rgb(212, 224, 230)
        ambient = rgb(1.1, 1.08, 1.0) * strength
        return Light("sunny", blue, low, ambient, sun, rng.uniform(0.15, 0.5), visibility, False, wet)
    if day < 0.92:
        low = rgb(*((222, 176, 140), (196, 170, 168), (160, 170, 190))[rng.integers(3)])
        ambient = rgb(0.54, 0.52, 0.55) * strength
        return Light("dusk", rgb(92, 108, 146), low, ambient, rgb(0.05 * side, 0.1, 0.1), 0.45, visibility, True, wet)
    ambient = rgb(0.3, 0.3, 0.34) * strength
    return Light("night", rgb(24, 28, 44), rgb(70, 68, 74), ambient, rgb(0, 0.05, 0), 0.4, visibility, True, wet)


class Layout:
    """Places everything that stands on the ground, and lays its shadow."""

    def __init__(self, canvas: Canvas, street: Street, rng: Rng) -> None:
        self.canvas, self.street, self.rng = canvas, street, rng
        self.backdrop: list[Item] = []
        """Buildings, and the trees behind the pavements: behind everything else."""
        self.items: list[Item] = []

    def populate(self) -> None:
        """Fill `backdrop` and `items`, and the canvas's shade."""
        for side in (0, 1):
            (self.buildings if self.street.sides[side].built else self.park)(side)
            self.roadside(side)
        self.far_end()
        self.traffic()
        self.people()
        self.signals()

    def seed(self) -> Rng:
        """Each thing draws from its own stream, so that one more detail on it changes nothing else."""
        return np.random.default_rng(int(self.rng.integers(2**62)))

    def cast(self, corners: Floats, height: float) -> None:
        """The shadow on the ground of an upright thing with that footprint (N x 3)."""
        sun, strength = self.canvas.light.sun, float(np.linalg.norm(self.canvas.light.sun))
        if strength < 0.4:
            return
        reach = height / max(float(sun[1]), 0.2)
        tip = corners - np.array([sun[0] * reach, 0, sun[2] * reach], np.float32)
        hull = cv2.convexHull(np.concatenate([corners, tip])[:, [0, 2]].astype(np.float32))[:, 0]
        self.canvas.shadow(np.stack([hull[:, 0], np.zeros(len(hull)), hull[:, 1]], 1), 0.46)

    def buildings(self, side: int) -> None:
        street, rng, way = self.street, self.rng, 1 if side else -1
        line, z, before = street.facade(side), 4.0, 0.0
        lit = 1.0 + 0.45 * float(np.clip(-way * self.canvas.light.sun[0], -0.6, 1))
        while z < CLOSED:
            width, height = rng.uniform(8, 22), rng.uniform(9, 20)
            if street.crosses(z, z + width):
                reach = street.across / 2 + 2.5
                width = street.crossing - reach - z
                if width < 4:
                    z, before = street.crossing + reach, 0.0
                    continue
            end = z + width
            x0, x1 = line + street.shift(z), line + street.shift(end)
            foot = (x0, z, x1, end) if side else (x1, end, x0, z)
            gable = (x0, z, x0 + 14, z) if side else (x0 - 14, z, x0, z)
            front = 1.0 + 0.4 * float(np.clip(-self.canvas.light.sun[2], -0.6, 1))
            if height > before:
                self.backdrop.append(
                    (
                        z + 0.2,
                        partial(buildings.paint_wall, rng=self.seed(), foot=gable, height=height, lit=front),
                    )
                )
            self.backdrop.append((z, partial(buildings.paint_wall, rng=self.seed(), foot=foot, height=height, lit=lit)))
            block = np.array([[x0, 0, z], [x1, 0, end], [x1 + way * 12, 0, end], [x0 + way * 12, 0, z]], np.float32)
            self.cast(block, height)
            gap = rng.uniform(2, 7) if rng.random() < 0.12 else 0.0
            z, before = end + gap, 0.0 if gap else height

    def park(self, side: int) -> None:
        street, rng, way = self.street, self.rng, 1 if side else -1
        for row in range(3):
            z = 8.0 + row
            while z < CLOSED:
                x = street.facade(side) + way * (1.0 + 4.5 * row + rng.uniform(0, 2)) + street.shift(z)
                if not street.crosses(z - 2, z + 2):
                    self.tree(x, z, rng.uniform(7, 14), self.backdrop)
                    if rng.random() < 0.6:
                        size = (rng.uniform(3, 7), -0.3, rng.uniform(1.2, 2.8))
                        self.backdrop.append(
                            (
                                z + 0.1,
                                partial(
                                    foliage.paint_foliage,
                                    rng=self.seed(),
                                    x=x + way * 2,
                                    z=z + 0.1,
                                    size=size,
                                    lit=0.8,
                                ),
                            )
                        )
                z += rng.uniform(4, 9) * (1 + z / 60)

    def tree(self, x: float, z: float, height: float, items: list[Item]) -> None:
        half = height * 0.28
        self.cast(np.array([[x - half, 0, z], [x + half, 0, z], [x, 0, z + half]], np.float32), height)
        items.append((z, partial(foliage.paint_tree, rng=self.seed(), x=x, z=z, height=height)))

    def far_end(self) -> None:
        rng, x = self.rng, self.street.shift(CLOSED) - 90
        while x < self.street.shift(CLOSED) + 90:
            wide = rng.uniform(12, 24)
            if rng.random() < 0.7:
                foot = (x, CLOSED + 12, x + wide, CLOSED + 12)
                self.backdrop.append(
                    (
                        CLOSED + 12,
                        partial(buildings.paint_wall, rng=self.seed(), foot=foot, height=rng.uniform(7, 15)),
                    )
                )
            size = (wide * 1.5, -0.5, rng.uniform(5, 11))
            self.backdrop.append(
                (CLOSED, partial(foliage.paint_foliage, rng=self.seed(), x=x + wide / 2, z=CLOSED, size=size))
            )
            x += wide

    def vehicle(self, kind: str, x: float, z: float, yaw: float, *, parked: bool) -> None:
        place = Place(x, z, yaw)
        # What stands at the kerb beside a vehicle is hidden by it: its nearest point decides the order.
        nearest = float(footprint(kind, place)[:, 2].min())
        self.canvas.shadow(footprint(kind, place, 0.18), 0.72, soft=True)
        self.cast(footprint(kind, place), 0.8 * KINDS[kind].profile[4][1])
        self.items.append((nearest, partial(paint_vehicle, rng=self.seed(), name=kind, place=place, parked=parked)))

    def lane(
        self, x: float, start: float, yaw: float, gaps: tuple[float, float], share: float, *, parked: bool
    ) -> None:
        """Vehicles one behind the other along a lane."""
        street, rng, z = self.street, self.rng, start
        names = ["hatchback", "saloon", "estate", "suv", "hatchback", "estate", "saloon", "suv", "van"]
        while z < 140:
            kind = names[rng.integers(len(names))]
            if not parked and rng.random() < 0.1:
                kind = str(rng.choice(["bus", "lorry", "van"]))
            middle = z + KINDS[kind].length / 2
            clear = not street.crosses(z - 1, z + KINDS[kind].length + 1) or not parked
            if rng.random() < share and clear and middle - KINDS[kind].length / 2 > 2.2:
                turn = yaw + np.arctan(2 * street.bend * middle) + rng.normal(0, 0.015)
                off = rng.normal(0, 0.1)
                self.vehicle(kind, x + off + street.shift(middle), middle, float(turn), parked=parked)
            z += KINDS[kind].length + rng.uniform(*gaps)

    def traffic(self) -> None:
        street, rng = self.street, self.rng
        busy = rng.uniform(0.15, 0.7)
        for side, edge in enumerate((street.left, street.right)):
            if street.sides[side].parking:
                x = edge + (1.1 if side == 0 else -1.1)
                self.lane(
                    x, rng.uniform(3, 9), 0.0 if side else np.pi, (0.7, 2.0), rng.uniform(0.55, 0.95), parked=True
                )
        lane = -2 * street.lines[0][0]
        self.lane(0.0, rng.uniform(11, 30), 0.0, (10, 40), busy, parked=False)
        self.lane(-lane, rng.uniform(8, 24), np.pi, (10, 40), busy, parked=False)
        for x, _ in street.lines[1:]:
            if abs(x) < lane:
                self.lane(lane, rng.uniform(6, 20), 0.0, (6, 22), busy, parked=False)
            elif x < 0:
                self.lane(-2 * lane, rng.uniform(8, 24), np.pi, (8, 26), busy, parked=False)
        if street.crossing and rng.random() < 0.6:
            x = rng.uniform(-9, 9) + street.shift(street.crossing)
            self.vehicle(
                str(rng.choice(["saloon", "estate", "suv"])), x, street.crossing + 1.6, np.pi / 2, parked=False
            )

    def roadside(self, side: int) -> None:
        """Trees, lamps, signs and bollards along one kerb."""
        street, rng, way = self.street, self.rng, 1 if side else -1
        edge, strip = (street.right if side else street.left), street.sides[side]
        if strip.verge or rng.random() < 0.4:
            z, step = rng.uniform(12, 24), rng.uniform(9, 20)
            while z < 130:
                if not street.crosses(z - 1, z + 1):
                    self.tree(
                        edge + way * (0.5 * strip.verge + 0.6) + street.shift(z), z, rng.uniform(6.5, 11.5), self.items
                    )
                z += step * rng.uniform(0.8, 1.4)
        lamps = np.arange(rng.uniform(10, 25), 130, rng.uniform(24, 34))
        for z in map(float, lamps):
            x = edge + way * 0.5 + street.shift(z)
            self.items.append((z, partial(figures.paint_lamp, rng=self.seed(), x=x, z=z, reach=-way * 1.8)))
        for _ in range(int(rng.integers(1, 5))):
            z = rng.uniform(9, 60)
            self.items.append(
                (z, partial(figures.paint_sign, rng=self.seed(), x=edge + way * 0.55 + street.shift(z), z=z))
            )
        if rng.random() < 0.2:
            z = rng.uniform(8, 30)
            end, x = z + rng.uniform(5, 14), edge + way * 0.4 + street.shift(z)
            self.items.append((end, partial(figures.paint_fence, x=x, start=z, end=end)))
        elif rng.random() < 0.35:
            for z in np.arange(rng.uniform(6, 12), 45, 2.5).tolist():
                self.items.append((z, partial(figures.paint_bollard, x=edge + way * 0.35 + street.shift(z), z=z)))

    def person(self, x: float, z: float, *, across: bool, rides: bool = False) -> None:
        box = np.array(
            [[x - 0.3, 0, z - 0.15], [x + 0.3, 0, z - 0.15], [x + 0.3, 0, z + 0.15], [x - 0.3, 0, z + 0.15]], np.float32
        )
        self.canvas.shadow(box, 0.4, soft=True)
        self.cast(box, 1.5)
        paint = figures.paint_rider if rides else figures.paint_person
        self.items.append((z, partial(paint, rng=self.seed(), x=x, z=z, across=across)))

    def people(self) -> None:
        street, rng = self.street, self.rng
        for side, edge in enumerate((street.left, street.right)):
            strip, way = street.sides[side], 1 if side else -1
            for _ in range(int(rng.integers(1, 8))):
                z = float(rng.uniform(9, 32) if rng.random() < 0.6 else rng.uniform(30, 90))
                x = edge + way * (strip.verge + rng.uniform(0.7, strip.walk - 0.4)) + street.shift(z)
                self.person(x, z, across=bool(rng.random() < 0.35))
                if rng.random() < 0.3:
                    self.person(x + 0.6, z + 0.2, across=False)
        if rng.random() < 0.4:
            z = float(street.crossing - street.across / 2 - 3 if street.crossing else rng.uniform(14, 40))
            for _ in range(int(rng.integers(1, 4))):
                self.person(
                    rng.uniform(street.left, street.right) + street.shift(z), z + rng.uniform(-0.8, 0.8), across=True
                )
        for _ in range(int(rng.integers(0, 3))):
            z = float(rng.uniform(10, 45))
            x = rng.choice([street.right - street.sides[1].parking - 0.7, street.left + street.sides[0].parking + 0.7])
            self.person(float(x) + street.shift(z), z, across=bool(rng.random() < 0.25), rides=True)

    def signals(self) -> None:
        street, rng = self.street, self.rng
        if not street.crossing or rng.random() < 0.3:
            return
        z, lit = street.crossing - street.across / 2 - 5, int(rng.integers(3))
        reach = -(street.right + 0.4) if rng.random() < 0.4 else 0.0
        shift = street.shift(z)
        self.items.append(
            (z, partial(figures.paint_traffic_light, x=street.right + 0.4 + shift, z=z, lit=lit, reach=reach))
        )
        self.items.append((z, partial(figures.paint_traffic_light, x=street.left - 0.4 + shift, z=z, lit=lit)))
        far = street.crossing + street.across / 2 + 1
        self.items.append((far, partial(figures.paint_traffic_light, x=street.left - 0.4 + shift, z=far, lit=lit)))
