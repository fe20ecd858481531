"""What a TIFF file's directory, or a block of EXIF (which is one), would cost its reader: told before it is read.

Pillow makes a Python object of each value of a tag that it looks at, 20 microseconds and 200 bytes for a fraction: four
million of them hold a thread for a minute. Here only the directories' entries are looked at, not their values.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from runtime.errors import FrameTooLarge, FrameUndecodable

BYTE_ORDERS = (b"II", b"MM")
"""What a file begins with, little-endian and big-endian (TIFF 6.0, section 2)."""

MAX_VALUES = 4096
"""Values, and entries, of all directories together, but for strings of bytes and strips: those of a picture have a few
hundred."""

MAX_STRIPS = 16_384
"""Strips or tiles: a strip a row for the tallest frame, 50 megapixels in tiles of 64 x 64 (Pillow: 13 microseconds)."""

_STRIPS = {273: "strips", 279: "strips", 324: "tiles", 325: "tiles"}
"""Tags of their offsets and byte counts."""
_TILE_WIDTH, _TILE_LENGTH = 322, 323
_SUBDIRECTORIES = (34665, 34853, 40965)
"""Tags that point to the directories of EXIF, GPS and interoperability: of a TIFF, Pillow reads all that is in them."""

_BYTES_OF = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""From the type of a tag's values to the bytes of one (TIFF 6.0, section 2; 13 and up: libtiff's tiff.h)."""
_STRINGS = (1, 2, 7)
"""BYTE, ASCII and UNDEFINED, which are read as they are, whatever their length."""
_INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}


class _Entry(NamedTuple):
    tag: int
    first: int | None
    """The first value, where it is an integer."""


def check_exif(block: bytes) -> None:
    """Hold a block of EXIF, with or without the identifiers in front, against what a picture's has.

    Raises:
        FrameUndecodable: more than MAX_VALUES values in its first directory, the one that has the orientation.
    """
    for _ in range(2):  # as Pillow does: some cameras write it twice
        block = block.removeprefix(b"Exif\0\0")
    layout = _Layout.of(block)
    if layout is not None:
        list(_entries(block, layout, layout.first_directory, _Budget()))


def check_file(data: bytes, max_pixels: int) -> None:
    """Hold the first directory of a TIFF file, and those that it points to, against what a picture's have.

    Raises:
        FrameUndecodable: more than MAX_VALUES values or MAX_STRIPS strips or tiles.
        FrameTooLarge: a single tile has more than `max_pixels`; it is unpacked as a whole, whatever the frame shows of
            it. (A strip is not: readers take none to be higher than the frame.)
    """
    layout = _Layout.of(data)
    if layout is None:
        return
    budget, places, seen = _Budget(), [layout.first_directory], set[int]()
    sides = {_TILE_WIDTH: 0, _TILE_LENGTH: 0}
    while places:
        place = places.pop()
        if place in seen:
            continue
        seen.add(place)
        for entry in _entries(data, layout, place, budget):
            if entry.tag in _SUBDIRECTORIES and entry.first is not None:
                places.append(entry.first)
            if entry.tag in sides:
                # Where a tag is there twice, readers differ in which one they take.
                sides[entry.tag] = max(sides[entry.tag], entry.first or 0)
    width, height = sides.values()
    if width * height > max_pixels:
        raise FrameTooLarge(f"the TIFF image has tiles of {width} x {height} pixels, the limit is {max_pixels} in all")


class _Layout(NamedTuple):
    """How the directories of a file are written."""

    order: str
    """As `struct` has it."""
    number: str
    """Of entries, in a directory."""
    entry: str
    """Tag, type, number of values; what follows is the values, or where they are."""
    place: str
    first_directory: int

    @staticmethod
    def of(data: bytes) -> _Layout | None:
        """None: no TIFF, or its header is truncated."""
        if data[:2] not in BYTE_ORDERS or len(data) < 8:
            return None
        order = "<" if data.startswith(b"II") else ">"
        # Pillow takes big-endian BigTIFF for classic, and can't read it; to look for what it reads, so does this.
        is_big = data[2] == 43
        if is_big and len(data) < 16:
            return None
        first = struct.unpack_from(order + ("Q" if is_big else "I"), data, 8 if is_big else 4)[0]
        return _Layout(order, "Q", "HHQ", "Q", first) if is_big else _Layout(order, "H", "HHI", "I", first)


class _Budget:
    """Counts what all directories hold."""

    def __init__(self) -> None:
        self._left = MAX_VALUES

    def spend(self, tag: int, kind: int, count: int) -> None:
        if tag in _STRIPS and count > MAX_STRIPS:
            raise FrameUndecodable(f"the image has {count} {_STRIPS[tag]}, the limit is {MAX_STRIPS}")
        is_cheap = kind in _STRINGS or (tag in _STRIPS and kind in _INTEGERS)
        self._left -= 1 if is_cheap else max(1, count)
        if self._left < 0:
            raise FrameUndecodable(f"the image's metadata holds more than {MAX_VALUES} values: send the frame without")


def _entries(data: bytes, layout: _Layout, place: int, budget: _Budget) -> Iterator[_Entry]:
    """Of one directory, as far as it goes, those that have values; each is spent from the budget."""
    number = struct.Struct(layout.order + layout.number)
    head = struct.Struct(layout.order + layout.entry)
    inline = struct.calcsize(layout.order + layout.place)
    if place + number.size > len(data):
        return
    (left,) = number.unpack_from(data, place)
    place += number.size
    while left and place + head.size + inline <= len(data):
        tag, kind, count = head.unpack_from(data, place)
        size = count * _BYTES_OF.get(kind, 0)
        # Of a type that nobody knows, or longer than the file: readers pass over it.
        is_read = 0 < size <= len(data)
        budget.spend(tag, kind, count if is_read else 0)
        if is_read:
            start = place + head.size
            if size > inline:
                (start,) = struct.unpack_from(layout.order + layout.place, data, start)
            yield _Entry(tag, _integer(data, layout.order, kind, start))
        place += head.size + inline
        left -= 1


def _integer(data: bytes, order: str, kind: int, start: int) -> int | None:
    if kind not in _INTEGERS or start + _BYTES_OF[kind] > len(data):
        return None
    value: int = struct.unpack_from(order + _INTEGERS[kind], data, start)[0]
    return max(0, value)
