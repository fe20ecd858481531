"""Which of several processes segments which frame.

A frame belongs to the shard that the hash of its mask's path tells, and not to every n-th of a sorted list: a folder or
a listing may grow between a process' death and its successor's start, and what was done must not move to another shard
by that. The price is balance: of a million frames in 8 shards the largest has about half a percent too many. It is the
mask's path, not the frame's, so that two processes never write one file, whatever the frames are called.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from runtime.errors import DataInvalid

MAX_COUNT = 99_999
"""As many as the five digits of a manifest's name tell apart."""

_SHARD = re.compile(r"([0-9]{1,9})/([0-9]{1,9})", re.ASCII)


@dataclass(frozen=True)
class Shard:
    """One part of all frames."""

    index: int = 0
    """0 to count - 1, as Kubernetes numbers the pods of an indexed Job."""
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Of `2/8`: the third of eight.

        Raises:
            DataInvalid: it is not written so, or there is no such shard.
        """
        found = _SHARD.fullmatch(text)
        if not found:
            raise DataInvalid(f"--shard is INDEX/COUNT, such as 0/8 for the first of eight, not '{text}'")
        index, count = int(found[1]), int(found[2])
        if not 1 <= count <= MAX_COUNT:
            raise DataInvalid(f"--shard is '{text}': there can be 1 to {MAX_COUNT} shards")
        if index >= count:
            raise DataInvalid(f"--shard is '{text}': shards count from 0, the last of {count} is {count - 1}/{count}")
        return cls(index, count)

    def has(self, mask: str) -> bool:
        """Whether the frame whose mask has this path, relative to the output folder, is one of this shard's."""
        if self.count == 1:
            return True
        digest = hashlib.blake2b(mask.encode("utf-8", "surrogateescape"), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.count == self.index

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"
