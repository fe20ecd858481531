"""Four of the common corruptions: the lens out of focus, frosted glass, a moving camera, a moving zoom.

`runtime.corruptions` has their source and their constants.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from runtime.frames import Frame

Values = npt.NDArray[np.float32]


def defocus_blur(frame: Frame, constants: tuple[int, float], _: np.random.Generator) -> Values:
    """Blurred by a disk; `constants` are its radius and the sigma that softens its edge, both in pixels."""
    radius, softness = constants
    reach = max(8, radius)
    x, y = np.meshgrid(np.arange(-reach, reach + 1), np.arange(-reach, reach + 1))
    disk = (x**2 + y**2 <= radius**2).astype(np.float32)
    side = 3 if radius <= 8 else 5
    kernel = cv2.GaussianBlur(disk / disk.sum(), (side, side), softness)
    return np.asarray(cv2.filter2D(frame.astype(np.float32), -1, kernel), np.float32)


def glass_blur(frame: Frame, constants: tuple[float, int, int], rng: np.random.Generator) -> Values:
    """Pixels change places within a small square, between two Gaussian blurs.

    `constants` are the blurs' sigma, how far a pixel goes at most (both in pixels), and how many times all do.
    """
    sigma, reach, times = constants
    height, width = frame.shape[:2]
    made = _gaussian(frame.astype(np.float32), sigma).astype(np.uint8)
    for _ in range(times):
        steps = rng.integers(-reach, reach, (2, max(0, height - 2 * reach), max(0, width - 2 * reach)), np.int32)
        made = made.reshape(-1, 3)[shuffled(height, width, reach, steps)].reshape(made.shape)
    return _gaussian(made.astype(np.float32), sigma)


def shuffled(height: int, width: int, reach: int, steps: npt.NDArray[np.int32]) -> npt.NDArray[np.intp]:
    """Where each pixel comes from in one pass of the authors' shuffle, as flat indices of `height` x `width`.

    Their loop goes from the last pixel to the first, at least `reach` from the border, and gives each pixel the value
    that stands at its step from it by then. (It is written as a swap, but numpy's views make a copy of it, and that is
    what the published images have.) A pixel thus takes an old value where its step leads forward in the loop, and else
    what that place has taken already. These chains are followed here all at once, each round doubling the way.

    Args:
        height: of the frame.
        width: of the frame.
        reach: the largest step.
        steps: down and right, 2 x (height - 2 reach) x (width - 2 reach), from -reach to reach - 1; [:, y, x] is
            for the pixel at (y + reach + 1, x + reach + 1).
    """
    place = np.arange(height * width).reshape(height, width)
    source = place.copy()
    inner = (slice(reach + 1, height - reach + 1), slice(reach + 1, width - reach + 1))
    source[inner] += steps[0] * width + steps[1]
    visited = np.zeros((height, width), bool)
    visited[inner] = True
    # A pixel's chain goes on where its source was visited before it, that is, has the larger index.
    following = np.where(visited.ravel()[source] & (source > place), source, place).ravel()
    while True:
        further = following[following]
        if np.array_equal(further, following):
            return np.asarray(source.ravel()[following])
        following = further


def motion_blur(frame: Frame, constants: tuple[int, float], rng: np.random.Generator) -> Values:
    """A camera that moves; `constants` as those of `streaked`."""
    return streaked(frame.astype(np.float32), *constants, angle=rng.uniform(-45, 45))


def streaked(values: Values, radius: int, sigma: float, angle: float) -> Values:
    """A one-sided Gaussian blur along a line, as ImageMagick's motion blur; beyond the edge, its values go on.

    Args:
        values: float32 H x W or H x W x 3.
        radius: half the line's length, in pixels.
        sigma: of the Gaussian, in pixels.
        angle: of the line, in degrees, clockwise from the right.
    """
    along = np.arange(2 * radius + 1)
    weights = np.exp(-(along**2) / (2 * sigma**2))
    right = np.ceil(along * np.cos(np.deg2rad(angle)) - 0.5).astype(int)
    down = np.ceil(along * np.sin(np.deg2rad(angle)) - 0.5).astype(int)
    anchor = (-int(right.min()), -int(down.min()))
    kernel = np.zeros((int(np.ptp(down)) + 1, int(np.ptp(right)) + 1), np.float32)
    np.add.at(kernel, (down + anchor[1], right + anchor[0]), weights / weights.sum())
    return np.asarray(cv2.filter2D(values, -1, kernel, anchor=anchor, borderType=cv2.BORDER_REPLICATE), np.float32)


def zoom_blur(frame: Frame, factors: npt.NDArray[np.float64], _: np.random.Generator) -> Values:
    """A camera that rushes forward: the mean of the frame and of its enlargements by `factors`."""
    values = frame.astype(np.float32)
    total = values.copy()
    for factor in factors:
        total += zoomed(values, float(factor))
    return total / np.float32(len(factors) + 1)


def zoomed(values: Values, factor: float) -> Values:
    """The middle of an image, enlarged to the image's size, bilinear.

    The middle is cut out at whole pixels and its corners stay corners, as in the authors' `clipped_zoom`.

    Args:
        values: float32 H x W or H x W x 3.
        factor: at least 1.
    """
    height, width = values.shape[:2]
    matrix = np.zeros((2, 3))
    for axis, side in enumerate((width, height)):
        cut = int(np.ceil(side / factor))
        enlarged = round(cut * factor)
        scale = (cut - 1) / max(enlarged - 1, 1)
        matrix[axis, axis] = scale
        matrix[axis, 2] = (side - cut) // 2 + (enlarged - side) // 2 * scale
    return np.asarray(
        cv2.warpAffine(
            values,
            matrix,
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.float32,
    )


def _gaussian(values: Values, sigma: float) -> Values:
    """As scikit-image's default: cut off at four sigma, the edge's values go on."""
    side = 2 * int(4 * sigma + 0.5) + 1
    return np.asarray(cv2.GaussianBlur(values, (side, side), sigma, borderType=cv2.BORDER_REPLICATE), np.float32)
