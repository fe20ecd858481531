"""Masks to the bodies of answers."""

from __future__ import annotations

import base64
import io
from typing import Any

import cv2
import numpy as np
from PIL import Image

from api.errors import NotAcceptable
from runtime import categories, codecs
from runtime.frames import Frame, Mask

JPEG_QUALITY = 90
"""The overlay is looked at, not measured: no artefact is seen, at a third of the size of 100."""

JPEG_MAX_SIDE = 65_500
"""libjpeg's JPEG_MAX_DIMENSION."""


def encode_npy(mask: Mask) -> bytes:
    """The mask as `.npy`: uint8 H x W."""
    buffer = io.BytesIO()
    np.save(buffer, mask, allow_pickle=False)
    return buffer.getvalue()


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
    blended = cv2.addWeighted(frame, 1 - opacity, categories.PALETTE[mask], opacity, 0)
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(blended, np.uint8)).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def describe(mask: Mask) -> dict[str, Any]:
    """What the JSON answer says of a mask: its size, each category's pixels and share (0..1), and itself as PNG."""
    counts = np.bincount(mask.ravel(), minlength=categories.COUNT)
    return {
        "width": mask.shape[1],
        "height": mask.shape[0],
        "categories": [
            {
                "id": category.id,
                "name": category.name,
                "color": list(category.color),
                "pixels": int(counts[category.id]),
                "share": float(counts[category.id] / mask.size),
            }
            for category in categories.CATEGORIES
        ],
        "mask": base64.b64encode(codecs.encode_mask(mask)).decode("ascii"),
    }
