"""How many pixels may be under way at a time: what keeps a server that is sent giant frames inside its memory.

A frame's memory can't be told from its body: 300 KB of PNG are 50 megapixels. So each frame claims its pixels once its
header is read, before any is unpacked, and gives them back when its request is over; what finds no room is refused like
what finds the queue full. There is room for one frame of the largest size beside one of 4K in every other place of the
queue, so that frames as cameras send them never notice.
"""

from __future__ import annotations

import threading

from runtime.errors import QueueFull

USUAL_PIXELS = 3840 * 2160
"""What each place but one can hold at any time."""

BYTES_PER_PIXEL = 16
"""Of memory, at most, between header and answer. Measured at 50 megapixels: PNG and JPEG of 8 bits 3 to 9, WebP 7, TIFF
and palettes 10 to 12, inverted CMYK and 16 bits with alpha 14; the overlay as JPEG 11."""


class Room:
    """Pixels that are under way. Safe to share between threads."""

    def __init__(self, max_pixels: int, places: int) -> None:
        """Room for as many as the module says.

        Args:
            max_pixels: of one frame.
            places: of the queue.
        """
        self.pixels = max_pixels + (places - 1) * min(max_pixels, USUAL_PIXELS)
        """At a time."""
        self._taken = 0
        self._lock = threading.Lock()

    @property
    def taken(self) -> int:
        """Pixels that are claimed now."""
        return self._taken

    @property
    def bytes(self) -> int:
        """Of memory that they may take."""
        return self.pixels * BYTES_PER_PIXEL

    def take(self, pixels: int, beside: int = 0) -> None:
        """Claim so many.

        Args:
            pixels: how many.
            beside: those that the same job has already. A job that is alone has room: a frame and its truth are two.

        Raises:
            QueueFull: there is no room for them now.
        """
        with self._lock:
            if self._taken > beside and self._taken + pixels > self.pixels:
                raise QueueFull(f"frames of {self._taken / 1e6:.0f} megapixels are being worked on: no room for more")
            self._taken += pixels

    def give_back(self, pixels: int) -> None:
        """End a claim."""
        with self._lock:
            self._taken -= pixels


class Claim:
    """What one job has of the room: taken by calling it, given back when the job is over and its work has ended.

    A job can be over, because its client left, while a thread still unpacks its frame: that is memory all the same.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self._pixels = 0
        self._holders = 1
        self._lock = threading.Lock()

    def __call__(self, pixels: int) -> None:
        """Take so many pixels more. Raises QueueFull as `Room.take`."""
        self._room.take(pixels, self._pixels)
        self._pixels += pixels

    def __enter__(self) -> Claim:
        """A thread works on it."""
        with self._lock:
            self._holders += 1
        return self

    def __exit__(self, *_error: object) -> None:
        self.end()

    def end(self) -> None:
        """One that held it, the job or a thread, is through."""
        with self._lock:
            self._holders -= 1
            is_last = self._holders == 0
        if is_last:
            self._room.give_back(self._pixels)
