"""Masks to the bodies of answers."""

from __future__ import annotations

import base64
import io
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg

from api.errors import NotAcceptable
from runtime import categories, codecs, metrics
from runtime.frames import Frame, Mask

JPEG_QUALITY = 90
"""The overlay is looked at, not measured: no artefact is seen, at a third of the size of 100."""

JPEG_MAX_SIDE = 65_500
"""libjpeg's JPEG_MAX_DIMENSION."""

_COLOUR_MAP = np.zeros((256, 1, 3), np.uint8)
"""OpenCV's colour maps have 256 entries; the order of the channels stays as it is given, RGB."""
_COLOUR_MAP[: categories.COUNT, 0] = categories.PALETTE


def encode_npy(pixels: npt.NDArray[np.uint8]) -> bytes:
    """A mask, uint8 H x W, or mask and confidence, uint8 H x W x 2, as `.npy`.

    As `numpy.save` writes it, but that the pixels are copied once: of 4 MB that takes a tenth of the time.
    """
    pixels = np.ascontiguousarray(pixels)
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, np.lib.format.header_data_from_array_1_0(pixels))
    return b"".join((head.getvalue(), pixels.data))


def as_base64(data: bytes) -> str:
    """How JSON holds bytes."""
    return base64.b64encode(data).decode("ascii")


def encode_overlay(frame: Frame, mask: Mask, opacity: float) -> bytes:
    """The frame under the categories' colours, as JPEG.

    Args:
        frame: uint8 H x W x 3, RGB.
        mask: uint8 H x W, of the same frame.
        opacity: of the colours, 0 (the frame alone) to 1 (the colours alone).

    Raises:
        NotAcceptable: a frame that is too long for a JPEG.
    """
    if max(mask.shape) > JPEG_MAX_SIDE:
        raise NotAcceptable(f"a JPEG's sides are at most {JPEG_MAX_SIDE} pixels: take png, json or npy")
    colours = cv2.applyColorMap(mask, _COLOUR_MAP)
    blended = np.asarray(cv2.addWeighted(frame, 1 - opacity, colours, opacity, 0), np.uint8)
    body: bytes = simplejpeg.encode_jpeg(blended, quality=JPEG_QUALITY, colorspace="RGB", colorsubsampling="420")
    return body


def describe(mask: Mask) -> dict[str, Any]:
    """What the JSON answer says of a mask: its size, each category's pixels and share (0..1), and itself as PNG."""
    counts = metrics.pixels(mask).tolist()
    return {
        "width": mask.shape[1],
        "height": mask.shape[0],
        "categories": [
            {
                "id": category.id,
                "name": category.name,
                "color": list(category.color),
                "pixels": counts[category.id],
                "share": counts[category.id] / mask.size,
            }
            for category in categories.CATEGORIES
        ],
        "mask": as_base64(codecs.encode_mask(mask)),
    }
