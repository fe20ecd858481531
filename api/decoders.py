"""Bytes to frames: encoded images, and uncompressed frames as numpy's `.npy`."""

from __future__ import annotations

import io
import re

import numpy as np
import numpy.typing as npt

from runtime import codecs
from runtime.codecs import Claim, Limits
from runtime.errors import FrameTooLarge, FrameUndecodable

_NPY_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}

_LENGTH_BYTES = {(1, 0): 2, (2, 0): 4}
"""Of the header's length, which follows magic and version."""

_ODD_SOURCE = re.compile(rb"[\\#]|[\d.]\s*[A-Za-z_]")
"""What no header of a frame has and Python's parser warns of: Python 2's `10L`, escapes, `1or 2`. Warnings are lines in
the server's log."""

MAX_NPY_HEADER = 1024
"""numpy writes 128 bytes; the header is Python source that has to be parsed, so none that is long is looked at."""


def decode(data: bytes, limits: Limits, claim: Claim) -> npt.NDArray[np.uint8]:
    """The frame, uint8 H x W x 3, RGB, of an encoded image or of a `.npy` file: the first bytes tell which.

    Args:
        data: the file.
        limits: on its bytes and pixels.
        claim: as of `runtime.codecs.decode`; a `.npy` file is no larger than its pixels, which are not unpacked.

    Raises:
        FrameUndecodable: it is neither, or a broken one.
        FrameTooLarge: over the limits; told before a pixel is decoded.
        Exception: whatever `claim` raises.
    """
    if not data:
        raise FrameUndecodable("there is no image: the body is empty")
    if data.startswith(np.lib.format.MAGIC_PREFIX):
        return decode_npy(data, limits)
    return codecs.decode(data, limits, claim)


def decode_npy(data: bytes, limits: Limits) -> npt.NDArray[np.uint8]:
    """The frame of a `.npy` file: uint8 H x W x 3, RGB, in C or Fortran order.

    Raises:
        FrameUndecodable: another dtype or shape, a broken header, or not as many bytes as the header says.
        FrameTooLarge: too many pixels by the header.
    """
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read_header = _NPY_HEADERS[version]
        _check_source(data, _LENGTH_BYTES[version])
        shape, is_fortran, dtype = read_header(stream, max_header_size=MAX_NPY_HEADER)
    except Exception as error:  # a header is Python source: what a broken one raises can be anything
        raise FrameUndecodable("the .npy header is broken, or not of version 1 or 2") from error
    if dtype != np.uint8 or len(shape) != 3 or shape[2] != 3 or min(shape) < 1:
        raise FrameUndecodable(f"a frame is uint8 H x W x 3, the .npy file is {dtype} {_shown(shape)}")
    height, width, _ = shape
    if height * width > limits.max_pixels:
        raise FrameTooLarge(f"the frame has {width} x {height} pixels, the limit is {limits.max_pixels} in all")
    there = len(data) - stream.tell()
    if there != height * width * 3:
        raise FrameUndecodable(f"a .npy file of {_shown(shape)} has {height * width * 3} bytes of pixels, not {there}")
    pixels = np.frombuffer(data, np.uint8, offset=stream.tell())
    return np.ascontiguousarray(pixels.reshape(shape, order="F" if is_fortran else "C"))


def _check_source(data: bytes, length_bytes: int) -> None:
    start = len(np.lib.format.MAGIC_PREFIX) + 2 + length_bytes
    length = int.from_bytes(data[start - length_bytes : start], "little")
    if _ODD_SOURCE.search(data, start, start + min(length, MAX_NPY_HEADER)):
        raise ValueError("the header is no plain dictionary")


def _shown(shape: tuple[int, ...]) -> str:
    return " x ".join(str(side)[:20] for side in shape[:8]) or "a single number"
