"""The segments in front of a JPEG's pixels (ITU-T T.81, annex B.1)."""

from __future__ import annotations

import re

from runtime.errors import FrameUndecodable

SIGNATURE = b"\xff\xd8\xff"

MAX_SEGMENTS = 1000
"""A file of empty ones costs its sender 4 bytes each, and Pillow 3 microseconds; 32 MiB of full ones are 512."""

MAX_EXIF_SEGMENTS = 16
"""One is what EXIF allows (64 KiB). Pillow joins them, and copies what it has each time."""

_MAX_FILL = 2**16
"""Bytes of 0xFF between segments, in all: Pillow takes them one by one."""

_MARKER = re.compile(rb"\xff(\xff*)([\x01-\xfe])", re.DOTALL)
_STANDALONE = frozenset((0x01, *range(0xD0, 0xDA)))
"""Markers with no segment behind them."""
_START_OF_SCAN = 0xDA
_UNKNOWN = frozenset((*range(0x02, 0xC0), 0xC8, 0xDE, 0xDF, *range(0xF0, 0xFE)))
"""Reserved, or of hierarchical JPEG: libjpeg refuses them, Pillow takes what is behind them for further markers."""
_APP1 = 0xE1


def read_exif(data: bytes) -> bytes:
    """The EXIF in front of the pixels, its segments joined as Pillow joins them: empty if there is none.

    Raises:
        FrameUndecodable: the segments do not follow one another, are truncated, or too many.
    """
    place, fill = 2, 0
    exif: list[bytes] = []
    for _ in range(MAX_SEGMENTS):
        found = _MARKER.match(data, place, place + _MAX_FILL + 2)
        if found is None:
            raise FrameUndecodable("the JPEG image is truncated or corrupt: its header's segments are broken")
        fill += len(found[1])
        marker, place = found[2][0], found.end()
        if marker == _START_OF_SCAN:
            return b"".join(exif)
        if marker in _UNKNOWN or fill > _MAX_FILL:
            raise FrameUndecodable("the JPEG image is corrupt: its header has a marker that no reader knows")
        if marker in _STANDALONE:
            continue
        length = int.from_bytes(data[place : place + 2], "big")
        if length < 2 or place + length > len(data):
            raise FrameUndecodable("the JPEG image is truncated or corrupt: its header's segments are broken")
        if marker == _APP1 and data.startswith(b"Exif\0\0", place + 2):
            exif.append(data[place + (8 if exif else 2) : place + length])
        place += length
        if len(exif) > MAX_EXIF_SEGMENTS:
            raise FrameUndecodable(f"the JPEG image's EXIF has more than {MAX_EXIF_SEGMENTS} segments")
    raise FrameUndecodable(f"the JPEG image has more than {MAX_SEGMENTS} segments in front of its pixels")
