"""The frames that are sent: generated streets with a camera's noise, as JPEG and as PNG."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from runtime import frames, scenes

WIDTH, HEIGHT = 2048, 1024
"""Cityscapes' own size."""
NOISE_SIGMA = 3.0
"""Grey levels. A generated scene is cleaner than a camera's frame, and a PNG of it would be too easy to unpack."""
JPEG_QUALITY = 90
PNG_LEVEL = 6
"""zlib's and Pillow's default."""

KINDS = {"jpeg": "image/jpeg", "png": "image/png"}
"""Kind to media type; also the files' endings."""

SIZES = 50
SMALLEST_WIDTH = 256
ASPECTS = (2.0, 16 / 9, 4 / 3, 1.0, 2.4)
"""Width by height: of street frames, screens, older cameras, crops and wide cameras."""

Frame = npt.NDArray[np.uint8]


def noisy(frame: Frame, seed: int) -> Frame:
    """A frame as a camera would give it; the same for the same seed."""
    noise = np.random.default_rng(seed).normal(0.0, NOISE_SIGMA, frame.shape)
    return np.clip(np.rint(frame + noise), 0, 255).astype(np.uint8)


def encode(frame: Frame, kind: str) -> bytes:
    """A frame as `jpeg` or `png`."""
    buffer = io.BytesIO()
    options = {"quality": JPEG_QUALITY} if kind == "jpeg" else {"compress_level": PNG_LEVEL}
    Image.fromarray(frame).save(buffer, kind, **options)
    return buffer.getvalue()


def write_frames(folder: Path, count: int) -> dict[str, list[str]]:
    """Writes `count` streets of 2048 x 1024 in each kind; their paths by kind."""
    paths: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for seed in range(count):
        frame = noisy(scenes.generate(seed, WIDTH, HEIGHT).frame, seed)
        for kind in KINDS:
            path = folder / f"frame{seed}.{kind}"
            path.write_bytes(encode(frame, kind))
            paths[kind].append(str(path))
    return paths


def sizes(count: int = SIZES) -> list[tuple[int, int]]:
    """(width, height) of different frames, from small to large; none has more pixels than 2048 x 1024."""
    found = []
    for i in range(count):
        aspect = ASPECTS[i % len(ASPECTS)]
        area = (SMALLEST_WIDTH**2 / 2) * (WIDTH * HEIGHT / (SMALLEST_WIDTH**2 / 2)) ** (i / (count - 1))
        found.append((int((area * aspect) ** 0.5), int((area / aspect) ** 0.5)))
    return found


def write_sizes(folder: Path, count: int = SIZES) -> list[str]:
    """Writes one street in `count` sizes, JPEG and PNG in turn; their paths from small to large."""
    scene = scenes.generate(0, WIDTH, HEIGHT).frame
    paths = []
    for i, (width, height) in enumerate(sizes(count)):
        kind = list(KINDS)[i % len(KINDS)]
        path = folder / f"size{i:02d}.{kind}"
        path.write_bytes(encode(noisy(frames.resize(scene, height, width), i), kind))
        paths.append(str(path))
    return paths
