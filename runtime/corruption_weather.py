"""Three of the common corruptions: snow, frost on the lens, fog.

`runtime.corruptions` has their source and their constants.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from runtime.corruption_blurs import streaked, zoomed
from runtime.frames import Frame

Values = npt.NDArray[np.float32]


def snow(frame: Frame, constants: tuple[float, ...], rng: np.random.Generator) -> Values:
    """Falling flakes, once from either side, over a whitened frame.

    `constants` are the noise's mean and standard deviation, how much it is enlarged, the threshold of a flake, radius
    and sigma of the streaks in pixels, and the weight of the frame that is not whitened.
    """
    mean, deviation, enlarged, threshold, radius, sigma, weight = constants
    noise = rng.standard_normal(frame.shape[:2], np.float32) * np.float32(deviation) + np.float32(mean)
    noise = zoomed(noise, enlarged)
    noise[noise < threshold] = 0
    flakes = streaked(np.clip(noise, 0, 1), int(radius), sigma, angle=rng.uniform(-135, -45))
    # To 256 levels, as the image that the authors hand over to ImageMagick and back.
    flakes = np.round(255 * flakes)
    values = frame.astype(np.float32)
    grey = np.asarray(cv2.cvtColor(values, cv2.COLOR_RGB2GRAY)).reshape(*frame.shape[:2], 1)
    white = np.maximum(values, 1.5 * grey + np.float32(0.5 * 255))
    return np.float32(weight) * values + np.float32(1 - weight) * white + (flakes + np.rot90(flakes, 2))[..., None]


def fog(frame: Frame, constants: tuple[float, float], rng: np.random.Generator) -> Values:
    """A plasma fractal over the frame; `constants` are its thickness and how fast its detail fades."""
    thickness, decay = constants
    height, width = frame.shape[:2]
    # At least 4, or the fractal would be the one corner that it begins with.
    side = 2 ** (max(height, width, 4) - 1).bit_length()
    brightest = np.float32(frame.max()) / 255
    cloud = np.float32(thickness) * plasma(side, decay, rng)[:height, :width, None]
    return (frame + 255 * cloud) * (brightest / (brightest + np.float32(thickness)))


def plasma(side: int, decay: float, rng: np.random.Generator) -> Values:
    """A height map by the diamond-square algorithm, float32 `side` x `side`, from 0 to 1.

    Args:
        side: a power of two, at least 2.
        decay: how much smaller the random part is at each halving of the step: the less, the rougher.
        rng: what is drawn from.
    """
    heights = np.zeros((side, side), np.float32)
    step, wobble = side, 100.0
    while step >= 2:
        half = step // 2

        def disturbed(total: Values, amplitude: float = wobble) -> Values:
            # The amplitude counts twice in the authors' code, once as the factor and once as the range.
            drawn = rng.uniform(-amplitude, amplitude, total.shape)
            return np.asarray(total / 4 + amplitude * drawn, np.float32)

        corners = heights[::step, ::step]
        total = corners + np.roll(corners, -1, axis=0)
        heights[half::step, half::step] = disturbed(total + np.roll(total, -1, axis=1))
        middles = heights[half::step, half::step]
        above = middles + np.roll(middles, 1, axis=0) + corners + np.roll(corners, -1, axis=1)
        heights[::step, half::step] = disturbed(above)
        beside = middles + np.roll(middles, 1, axis=1) + corners + np.roll(corners, -1, axis=0)
        heights[half::step, ::step] = disturbed(beside)
        step, wobble = half, wobble / decay
    heights -= heights.min()
    return np.asarray(heights / heights.max(), np.float32)


def frost(frame: Frame, constants: tuple[float, float], rng: np.random.Generator) -> Values:
    """Ice on the lens, a random piece of one of `PANES`; `constants` are the weights of the frame and of the ice."""
    ours, ice = constants
    height, width = frame.shape[:2]
    pane = frozen_pane(int(rng.integers(len(PANES))))
    # As Michaelis et al. fit a photo: enlarged where the frame is larger, and by a tenth, to have something to choose.
    scale = 1.1 * max(1.0, height / pane.shape[0], width / pane.shape[1])
    size = (int(np.ceil(pane.shape[1] * scale)), int(np.ceil(pane.shape[0] * scale)))
    large = np.asarray(cv2.resize(pane, size, interpolation=cv2.INTER_CUBIC))
    top, left = (int(rng.integers(0, large.shape[i] - side)) for i, side in enumerate((height, width)))
    made = np.float32(ours) * frame + np.float32(ice) * large[top : top + height, left : left + width]
    return np.asarray(made, np.float32)


PANE_SIZE = (480, 720)
"""Height and width of a pane, about those of the authors' photos."""

PANES = (
    ((78, 149, 166), 18, 2.0),
    ((201, 205, 214), 22, 2.0),
    ((201, 205, 214), 22, 3.0),
    ((138, 153, 165), 29, 1.0),
    ((112, 123, 135), 43, 1.5),
    ((71, 95, 105), 41, 3.0),
)
"""The mean colour (RGB) and the standard deviation of the brightness of the authors' six photos of frost, which can't
be part of this package, and how long our crystals are, 1 being 40 pixels at most."""


@lru_cache(maxsize=len(PANES))
def frozen_pane(which: int) -> npt.NDArray[np.uint8]:
    """Frost as generated feathers of ice over a cloudy film, uint8 `PANE_SIZE` x 3, RGB, the same each time.

    Where the photos have crystals of one kind each, ours differ in length alone. Colour and contrast are the photos',
    and so is the effect: at severity 3, on 48 frames each of Cityscapes and of CamVid, an int8 model kept 0.27 and 0.45
    of its IoU with these panes, and 0.26 and 0.43 with the photos.
    """
    color, deviation, length = PANES[which]
    rng = np.random.default_rng([which])
    height, width = PANE_SIZE
    side = 2 ** (max(PANE_SIZE) - 1).bit_length()
    film, growth, wind = (plasma(side, 2.2, rng)[:height, :width] for _ in range(3))
    ice = np.zeros(PANE_SIZE, np.float32)
    for _ in range(int(9000 / length)):
        y, x = int(rng.integers(height)), int(rng.integers(width))
        # Neighbours grow much alike: along the wind, one way or the other, and more of them where frost has set in.
        if rng.random() < 0.1 + growth[y, x]:
            angle = 6 * wind[y, x] + rng.normal(0, 0.7)
            _feather(ice, (x, y), angle, 40 * length * rng.beta(1, 2), rng.uniform(-1, 1))
    grains = rng.standard_normal(PANE_SIZE, np.float32)
    shape = _standard(cv2.GaussianBlur(ice, (3, 3), 0.6)) + 0.7 * _standard(film) + 0.2 * grains
    shape = float(deviation) * _standard(shape)
    return np.asarray(np.clip(shape[..., None] + np.array(color, np.float32), 0, 255), np.uint8)


def _standard(values: Values) -> Values:
    return np.asarray((values - values.mean()) / values.std(), np.float32)


def _feather(ice: Values, root: tuple[int, int], angle: float, length: float, bright: float) -> None:
    """Draw a needle with barbs at 60 degrees, as ice grows; below 0 it is a dark gap between bright ones."""
    # A pair of barbs every three pixels, and at least one.
    parts = np.repeat(np.arange(0.15, 0.95, 3 / max(length, 3)), 2)[:, None]
    sides = angle + np.resize([-np.pi / 3, np.pi / 3], len(parts))
    along = length * np.array([np.cos(angle), np.sin(angle)])
    starts = root + parts * along
    ends = starts + 0.3 * length * (1 - parts) * np.stack([np.cos(sides), np.sin(sides)], axis=1)
    needle = np.array([[root, root + along]])
    lines = np.concatenate([needle, np.stack([starts, ends], axis=1)])
    cv2.polylines(ice, list(np.round(16 * lines).astype(np.int32)), False, bright, 1, cv2.LINE_8, 4)
