"""The only code that fits frames to the network and brings masks back.

A frame is scaled, its aspect ratio kept, to the largest size whose network input stays within the pixel budget; what is
missing to a multiple of the stride is padded at the right and at the bottom by repeating the last column and row. Small
frames are enlarged the same way, up to `max_upscale`, because the network knows the world at that scale. The mask is
cut to the content and brought back to the frame's own size by the pixel whose centre is nearest.

The one distortion is that the content's sides are whole pixels: each is off by at most half a pixel of the network's
input (so 0.1 % for a side of 512), and never below one pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

Frame = npt.NDArray[np.uint8]
"""uint8 H x W x 3, RGB."""
Mask = npt.NDArray[np.uint8]
"""uint8 H x W, category ids."""


@dataclass(frozen=True)
class Geometry:
    """What sizes a network takes: part of a model file's contract."""

    stride: int = 32
    """Both sides of the input are multiples of it: the deepest features of the network are that much smaller."""
    pixel_budget: int = 1024 * 512
    """The input has at most this many pixels: it bounds cost and latency whatever the camera sends."""
    max_upscale: float = 2.0
    """A frame is enlarged at most this much: beyond it there is cost and no detail."""
    fixed: tuple[int, int] | None = None
    """(height, width) where the file takes just one size, None where it takes every multiple of the stride."""


@dataclass(frozen=True)
class Fit:
    """How frames of one size lie in the network's input; all sizes in pixels."""

    frame_height: int
    frame_width: int
    content_height: int
    content_width: int
    height: int
    width: int


def _content(frame_height: int, frame_width: int, scale: float) -> tuple[int, int]:
    return max(1, round(frame_height * scale)), max(1, round(frame_width * scale))


def _padded(side: int, stride: int) -> int:
    return -(-side // stride) * stride


@lru_cache(maxsize=256)
def plan(frame_height: int, frame_width: int, geometry: Geometry) -> Fit:
    """Where a frame of this size lies in the network's input.

    Of all scales at which the padded input stays in the budget (exactly `geometry.fixed` where that is set), the
    largest one, but at most `max_upscale`. Deterministic, and cached by size.

    Raises:
        ValueError: a side below 1, or a budget that does not hold one stride x stride block.
    """
    if frame_height < 1 or frame_width < 1:
        raise ValueError(f"a frame of {frame_width} x {frame_height} has no pixels")
    stride = geometry.stride
    if geometry.fixed is not None:
        height, width = geometry.fixed
        scale = min(height / frame_height, width / frame_width, geometry.max_upscale)
        content_height, content_width = _content(frame_height, frame_width, scale)
        return Fit(frame_height, frame_width, content_height, content_width, height, width)
    blocks = geometry.pixel_budget // (stride * stride)
    if blocks < 1:
        raise ValueError(f"a budget of {geometry.pixel_budget} pixels does not hold one block of {stride} x {stride}")
    # For each number of block rows, the columns that the budget leaves: the largest scale that fits one of these boxes.
    scale = max(
        min(rows * stride / frame_height, (blocks // rows) * stride / frame_width) for rows in range(1, blocks + 1)
    )
    content_height, content_width = _content(frame_height, frame_width, min(scale, geometry.max_upscale))
    return Fit(
        frame_height,
        frame_width,
        content_height,
        content_width,
        _padded(content_height, stride),
        _padded(content_width, stride),
    )


def resize(frame: Frame, height: int, width: int) -> Frame:
    """A frame at another size: area average where it shrinks (no aliasing), bilinear where it grows."""
    if frame.shape[:2] == (height, width):
        return frame
    shrinks = height <= frame.shape[0] and width <= frame.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(frame, (width, height), interpolation=method), np.uint8)


def resize_mask(mask: Mask, height: int, width: int) -> Mask:
    """A mask at another size: each pixel takes the id at its own centre, so ids never blend and nothing shifts."""
    if mask.shape == (height, width):
        return mask
    if (height, width) == (2 * mask.shape[0], 2 * mask.shape[1]):
        # What a frame of 2048 x 1024 asks for: each id twice in a row, each row twice; ten times as fast, and the same.
        return np.repeat((mask.astype(np.uint16, order="C") * 257).view(np.uint8), 2, axis=0)
    return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)


def fit(frame: Frame, where: Fit) -> Frame:
    """The network's input, uint8 `where.height` x `where.width` x 3; the frame has the size that `where` is for."""
    content = resize(frame, where.content_height, where.content_width)
    bottom, right = where.height - where.content_height, where.width - where.content_width
    if bottom or right:
        content = np.asarray(cv2.copyMakeBorder(content, 0, bottom, 0, right, cv2.BORDER_REPLICATE), np.uint8)
    return np.ascontiguousarray(content)


def restore(mask: Mask, where: Fit) -> Mask:
    """The mask at the frame's own size, uint8 `where.frame_height` x `where.frame_width`, from the network's output."""
    content = np.ascontiguousarray(mask[: where.content_height, : where.content_width])
    return resize_mask(content, where.frame_height, where.frame_width)
