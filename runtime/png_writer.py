"""PNG files of one channel, written fast: masks as palette indices, confidences as greys.

Each row is written as its difference from the row above: most rows of a mask repeat that one, so what is left is nearly
all zeros, which igzip packs at gigabytes a second.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from isal import isal_zlib

from runtime.png_chunks import IHDR, SIGNATURE, write_chunk

_GREY, _PALETTE = 0, 3
"""Colour types (PNG specification, 6.1)."""
_UP = 2
"""The row filter that takes differences from the row above (9.2)."""


def encode_indices(indices: npt.NDArray[np.uint8], palette: npt.NDArray[np.uint8]) -> bytes:
    """Palette indices as a PNG of 4 bits a pixel.

    Args:
        indices: uint8 H x W, values 0..15 and below `len(palette)`.
        palette: uint8 N x 3, RGB, N at most 16.
    """
    height, width = indices.shape
    if width % 2:
        indices = np.pad(indices, ((0, 0), (0, 1)))
    # Two pixels are read as one number, the left one in its low byte; in the file the left one has the high half.
    pairs = np.ascontiguousarray(indices).view("<u2")
    packed = ((pairs << 4) | (pairs >> 8)).astype(np.uint8)
    return _file(IHDR.pack(width, height, 4, _PALETTE, 0, 0, 0), packed, *write_chunk(b"PLTE", palette.tobytes()))


def encode_grey(values: npt.NDArray[np.uint8]) -> bytes:
    """Any values, uint8 H x W, as greyscale PNG.

    OpenCV takes five times as long for a confidence of 2048 x 1024, and makes it no smaller.
    """
    height, width = values.shape
    return _file(IHDR.pack(width, height, 8, _GREY, 0, 0, 0), values)


def _file(header: bytes, rows: npt.NDArray[np.uint8], *between: bytes | memoryview) -> bytes:
    """The whole file: `rows` are uint8 H x bytes of a row, `between` stands before the pixels."""
    filtered = np.empty((rows.shape[0], rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    return b"".join(
        [
            SIGNATURE,
            *write_chunk(b"IHDR", header),
            *between,
            *write_chunk(b"IDAT", isal_zlib.compress(filtered, 1)),
            *write_chunk(b"IEND"),
        ]
    )
