"""Encoded images to frames, and masks to palette PNG.

A frame is decoded in two steps: `probe` reads the header alone and holds the limits against it, and only then are
pixels unpacked. What comes out is always uint8 H x W x 3 RGB the way a person would see it: EXIF orientation applied,
alpha dropped, 16 bit scaled to 8, grey and palette and CMYK turned into RGB, the first frame of an animation.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from runtime import categories
from runtime.errors import FrameTooLarge, FrameUndecodable

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
"""What is read, by Pillow's names; anything else is refused however well Pillow could read it."""

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
"""File names that are taken for frames in a folder."""

# Pillow judges sizes by a global of its own, and only warns at first; ours are told per call, before decoding.
Image.MAX_IMAGE_PIXELS = None
# Pillow warns of odd metadata in a frame that it decodes all the same: nothing that anyone here could act on. Once for
# the process, because warnings.catch_warnings is not safe among threads.
warnings.filterwarnings("ignore", module=r"PIL\.")


@dataclass(frozen=True)
class Limits:
    """What a frame may cost before a pixel of it is unpacked."""

    max_bytes: int = 32 * 2**20
    """32 MiB hold an uncompressed 8-bit RGB frame of 11 megapixels."""
    max_pixels: int = 50_000_000
    """50 megapixels are 150 MB unpacked: more than any road camera sends, less than hurts a small board."""


def probe(data: bytes, limits: Limits) -> Image.Image:
    """An image whose header has been read and found within the limits; no pixel is decoded yet.

    Raises:
        FrameUndecodable: the bytes are not of one of FORMATS.
        FrameTooLarge: too many bytes, or too many pixels by the header.
    """
    if len(data) > limits.max_bytes:
        raise FrameTooLarge(f"the image has {len(data)} bytes, the limit is {limits.max_bytes}")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise FrameUndecodable("not an image that is read here: send JPEG, PNG, WebP, BMP or TIFF") from None
    except Exception as error:
        raise FrameUndecodable(f"the image's header is broken: {error}") from error
    if image.width * image.height > limits.max_pixels:
        raise FrameTooLarge(
            f"the image has {image.width} x {image.height} pixels, the limit is {limits.max_pixels} in all"
        )
    return image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode in ("I", "F", "I;16", "I;16B", "I;16L"):
        deep = np.asarray(image)
        # Pillow hands out 16-bit grey as 16- or 32-bit integers: the high byte is the 8-bit value.
        grey = np.clip(deep, 0, 65535).astype(np.uint16) >> 8 if image.mode != "F" else np.clip(deep, 0, 255)
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if image.mode in ("P", "PA", "LA", "RGBA", "La", "RGBa"):
        return image.convert("RGBA").convert("RGB")
    return image.convert("RGB")


def decode(data: bytes, limits: Limits | None = None) -> npt.NDArray[np.uint8]:
    """An encoded image as uint8 H x W x 3, RGB.

    Args:
        data: JPEG, PNG, WebP, BMP or TIFF.
        limits: Limits() if not given.

    Raises:
        FrameUndecodable: not an image, or a truncated or corrupt one.
        FrameTooLarge: over the limits.
    """
    image = probe(data, limits or Limits())
    try:
        image.load()
        return np.asarray(_to_rgb(ImageOps.exif_transpose(image)))
    except Exception as error:
        raise FrameUndecodable(f"the {image.format} image is truncated or corrupt: {error}") from error


def read_frame(path: Path, limits: Limits | None = None) -> npt.NDArray[np.uint8]:
    """The frame of a file, as `decode` gives it; its errors name the file.

    Raises:
        FrameUndecodable: the file is missing, or as `decode` says.
        FrameTooLarge: as `decode` says.
    """
    try:
        return decode(path.read_bytes(), limits)
    except OSError as error:
        raise FrameUndecodable(f"{path}: {error.strerror or error}") from error
    except (FrameUndecodable, FrameTooLarge) as error:
        raise type(error)(f"{path}: {error}") from error


_FLAT_PALETTE = categories.PALETTE.ravel().tolist()


def encode_mask(mask: npt.NDArray[np.uint8]) -> bytes:
    """A mask as palette PNG: pixel value = category id, palette = category colours.

    Args:
        mask: uint8 H x W, ids 0..7.

    Returns:
        A PNG of 4 bits a pixel, compressed for speed (zlib level 1).
    """
    image = Image.fromarray(mask, "L")
    image.putpalette(_FLAT_PALETTE)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", bits=4, compress_level=1)
    return buffer.getvalue()


def decode_mask(data: bytes) -> npt.NDArray[np.uint8]:
    """The raw pixel values, uint8 H x W, of a single-channel image: palette indices stay indices.

    Raises:
        FrameUndecodable: not an image, a broken one, or one with several channels.
    """
    image = probe(data, Limits())
    if image.mode not in ("L", "P", "1"):
        raise FrameUndecodable(f"a mask has one channel of 8 bits, this image is {image.mode}")
    try:
        return np.array(image, np.uint8)
    except Exception as error:
        raise FrameUndecodable(f"the mask is truncated or corrupt: {error}") from error
