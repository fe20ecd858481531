"""Encoded images to frames, and masks to palette PNG.

A frame is decoded in two steps: `probe` reads the header alone and holds the limits against it, and only then are
pixels unpacked. What comes out is always uint8 H x W x 3 RGB the way a person would see it: EXIF orientation applied,
alpha dropped, 16 bit scaled to 8, grey and palette and CMYK turned into RGB, the first frame of an animation.

Pillow reads every header, and every pixel that the fast ways do not cover: `simplejpeg` (libjpeg-turbo) for JPEG,
`runtime.png` for PNG and OpenCV for WebP. They give Pillow's pixels exactly, and are stricter: what is truncated or
fails a checksum is refused, where Pillow may show made-up pixels.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import logging
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import ExifTags, Image, UnidentifiedImageError, _imaging

from runtime import categories, jpeg_segments, png, png_chunks, png_writer, tiff
from runtime.errors import FrameTooLarge, FrameUndecodable

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
"""What is read, by Pillow's names; anything else is refused however well Pillow could read it."""

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
"""File names that are taken for frames in a folder."""

MAX_SCANS = 32
"""Of a progressive JPEG, which has about 10: each costs its sender a few bytes, and us a pass over the frame."""

MAX_RUN_LENGTH = 2**21
"""Pixels, and bytes, of a BMP in run-length encoding: a frame of 2048 x 1024. Cameras write none, and Pillow unpacks it
in Python, holding the interpreter's lock."""

_START_OF_SCAN, _END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"
_PADDED = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
_MAX_PADDING = 64
"""Zeros before the end marker that are taken for a camera's alignment: more may be a frame's lost rest."""

_RAW_EXIF = "Raw profile type exif"
"""The text chunk of a PNG in which ImageMagick keeps EXIF, in hexadecimal."""
_MAX_RAW_EXIF = 2**20
"""Characters, as many as Pillow unpacks of a compressed text: EXIF is under 64 KiB, which make 130,000."""

# Pillow keeps pixels in blocks of 16 MiB, which the C library's heaps, one a thread, hold on to when they are freed:
# gigabytes, after a few giant frames. Blocks of more than 32 MiB go back to the system at once (mallopt(3)).
_imaging.set_block_size(2**26)
# Pillow judges sizes by a global of its own, and only warns at first; ours are told per call, before decoding.
Image.MAX_IMAGE_PIXELS = None
# Pillow warns of odd metadata in a frame that it decodes all the same: nothing that anyone here could act on. Once for
# the process, because warnings.catch_warnings is not safe among threads.
warnings.filterwarnings("ignore", module=r"PIL\.")
# OpenCV writes a line to stderr for each file that it can't read.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
# The same for what Pillow logs, and for what libtiff writes to the process's stderr by itself: what is wrong with a
# stranger's file belongs into the answer. A Pillow that was built without libtiff, or hides it, has no such functions.
logging.getLogger("PIL").setLevel(logging.CRITICAL)
with contextlib.suppress(OSError, AttributeError):
    _libtiff = ctypes.CDLL(_imaging.__file__)
    for _set_handler in (_libtiff.TIFFSetErrorHandler, _libtiff.TIFFSetWarningHandler):
        _set_handler.argtypes, _set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
        _set_handler(None)


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
        FrameUndecodable: the bytes are not of one of FORMATS, or its metadata is out of all proportion.
        FrameTooLarge: too many bytes, or too many pixels by the header.
    """
    if len(data) > limits.max_bytes:
        raise FrameTooLarge(f"the image has {len(data)} bytes, the limit is {limits.max_bytes}")
    _check_structure(data, limits)
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
    is_run_length = any(tile.codec_name == "bmp_rle" for tile in image.tile)
    if is_run_length and max(image.width * image.height, len(data)) > MAX_RUN_LENGTH:
        raise FrameTooLarge(
            f"a BMP in run-length encoding has {MAX_RUN_LENGTH} pixels and bytes at most: send it plain"
        )
    return image


def _check_structure(data: bytes, limits: Limits) -> None:
    """Refuse what Pillow would look at for seconds before it has so much as the size; bytes of other formats pass."""
    if data.startswith(png_chunks.SIGNATURE):
        png_chunks.check_number(data)
    elif data.startswith(jpeg_segments.SIGNATURE):
        tiff.check_exif(jpeg_segments.read_exif(data))
    elif data.startswith(tiff.BYTE_ORDERS):
        tiff.check_file(data, limits.max_pixels)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode in ("I", "F", "I;16", "I;16B", "I;16L"):
        deep = np.asarray(image)
        if image.mode == "F":
            grey = np.clip(np.nan_to_num(deep), 0, 255)
        else:
            # Pillow hands out 16-bit grey as 16- or 32-bit integers: the high byte is the 8-bit value.
            grey = np.clip(deep, 0, 65535).astype(np.uint16) >> 8
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if image.mode in ("P", "PA", "LA", "RGBA", "La", "RGBa"):
        return image.convert("RGBA").convert("RGB")
    return image.convert("RGB")


Claim = Callable[[int], None]
"""Told how many pixels are about to be unpacked; what it raises ends the decoding."""


def decode(data: bytes, limits: Limits | None = None, claim: Claim | None = None) -> npt.NDArray[np.uint8]:
    """An encoded image as uint8 H x W x 3, RGB.

    Args:
        data: JPEG, PNG, WebP, BMP or TIFF.
        limits: Limits() if not given.
        claim: called once the header is read and found within the limits.

    Raises:
        FrameUndecodable: not an image, or a truncated or corrupt one.
        FrameTooLarge: over the limits.
        Exception: whatever `claim` raises.
    """
    image = probe(data, limits or Limits())
    if claim is not None:
        claim(image.width * image.height)
    try:
        frame = _FAST[image.format](data, image) if image.format in _FAST else None
        return _decode_by_pillow(image) if frame is None else _upright(frame, image)
    except FrameUndecodable:
        raise
    except Exception as error:
        raise FrameUndecodable(f"the {image.format} image is truncated or corrupt: {error}") from error


def _decode_by_pillow(image: Image.Image) -> npt.NDArray[np.uint8]:
    # Of a TIFF, loading alone turns the image, and takes the orientation off it. Pillow's exif_transpose would write
    # all of the metadata anew.
    image.load()
    return _upright(np.asarray(_to_rgb(image)), image)


def _decode_jpeg(data: bytes, image: Image.Image) -> npt.NDArray[np.uint8] | None:
    """The pixels as they are stored, or None where only Pillow can tell them."""
    if "progressive" in image.info and data.count(_START_OF_SCAN) > MAX_SCANS:
        raise FrameUndecodable(f"the JPEG image has more than {MAX_SCANS} scans")
    try:
        height, width, colour_space, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        # Chroma sampled in a way that libjpeg-turbo's simple interface has no name for.
        return None
    if (width, height) != image.size:
        raise FrameUndecodable(f"the JPEG image has two sizes: {image.width} x {image.height} and {width} x {height}")
    if colour_space in ("CMYK", "YCCK"):
        # Only Pillow knows Adobe's inverted inks, but it shows a file that ends too early as half grey.
        _decode_strictly(data, "CMYK")
        return None
    return _decode_strictly(data, "RGB")


def _decode_strictly(data: bytes, colour_space: str) -> npt.NDArray[np.uint8]:
    """The pixels; ValueError where libjpeg would warn that some are missing and make them up."""
    try:
        return np.asarray(simplejpeg.decode_jpeg(data, colour_space), np.uint8)
    except ValueError as error:
        # The message is that of the first warning. All pixels are there if it is of zeros that a camera padded with.
        padded = _PADDED.search(str(error))
        padding = int(padded[1]) if padded else _MAX_PADDING + 1
        if padding > _MAX_PADDING or bytes(padding) + _END_OF_IMAGE not in data:
            raise
        return np.asarray(simplejpeg.decode_jpeg(data, colour_space, strict=False), np.uint8)


def _decode_png(data: bytes, image: Image.Image) -> npt.NDArray[np.uint8] | None:
    """The pixels as they are stored, or None where Pillow is to read them."""
    decoded = png.decode(data)
    if decoded is None:
        return None
    if decoded.late_exif is not None:
        image.info["exif"] = b"Exif\0\0" + decoded.late_exif
    return decoded.pixels


def _decode_webp(data: bytes, _image: Image.Image) -> npt.NDArray[np.uint8] | None:
    """The pixels, or None where Pillow is to say what is wrong.

    Both ask libwebp. Pillow goes by way of its animations, with 18 bytes of memory for a pixel; here it is 7.
    """
    try:
        frame = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None
    return None if frame is None else np.asarray(frame, np.uint8)


_FAST: dict[str, Callable[[bytes, Image.Image], npt.NDArray[np.uint8] | None]] = {
    "JPEG": _decode_jpeg,
    "MPO": _decode_jpeg,
    "PNG": _decode_png,
    "WEBP": _decode_webp,
}
"""By Pillow's names; MPO is JPEG with further images behind the first."""


def _upright(frame: npt.NDArray[np.uint8], image: Image.Image) -> npt.NDArray[np.uint8]:
    """The frame as its EXIF orientation (1 to 8, EXIF 2.32 section 4.6.4) says that it is looked at."""
    if "exif" not in image.info and _RAW_EXIF in image.info:
        image.info["exif"] = _unpack_raw_exif(image.info[_RAW_EXIF])
    tiff.check_exif(image.info.get("exif", b""))
    # Not image.getexif(): of a PNG, that decodes the pixels to see what comes after them.
    orientation = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)
    if orientation in (5, 6, 7, 8):
        frame = np.asarray(cv2.transpose(frame), np.uint8)
    flip = _FLIPS.get(orientation)
    return np.asarray(frame if flip is None else cv2.flip(frame, flip), np.uint8)


def _unpack_raw_exif(text: str) -> bytes:
    if len(text) > _MAX_RAW_EXIF:
        raise FrameUndecodable(f"the PNG image's EXIF is a text of more than {_MAX_RAW_EXIF} characters")
    # Three lines of heading come first.
    return bytes.fromhex("".join(text.split("\n")[3:]))


_FLIPS = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}
"""From orientation to OpenCV's flip, the four that lie on their side being transposed first: 1 swaps left and right, 0
swaps top and bottom, -1 both."""


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


def encode_mask(mask: npt.NDArray[np.uint8]) -> bytes:
    """A mask as palette PNG: pixel value = category id, palette = category colours.

    Args:
        mask: uint8 H x W, ids 0..7.

    Returns:
        A PNG of 4 bits a pixel, compressed for speed.
    """
    return png_writer.encode_indices(mask, categories.PALETTE)


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
