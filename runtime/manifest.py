"""What a bulk run has done: one JSON object a line, so that whoever is killed goes on where it was.

The first line tells the model: `{"roadmask", "model", "version", "shard"}`, `version` being the first 12 hexadecimal
digits of the model file's SHA-256. Each further line is a frame:

    {"frame", "mask", "width", "height", "provider", "pixels": {category: count}, "bytes", "timings_ms"}
    {"frame", "mask", "error"}

`mask` is below the output folder, `bytes` its size, `timings_ms` as in the API's answers. A frame may occur several
times, broken at first and whole in a later run: its last line counts. A mask is written before its line, so a line is a
promise, and a mask without one is made again.
"""

from __future__ import annotations

import contextlib
import errno
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from runtime.errors import DataInvalid
from runtime.shards import Shard

if sys.platform != "win32":
    import fcntl

PATTERN = "manifest-*-of-*.jsonl"


def path_of(output: Path, shard: Shard) -> Path:
    """`OUTPUT/manifest-00002-of-00008.jsonl`."""
    return output / f"manifest-{shard.index:05d}-of-{shard.count:05d}.jsonl"


@dataclass(frozen=True)
class Header:
    """What all masks of a manifest have in common."""

    roadmask: str
    """The version that began it."""
    model: str
    version: str
    shard: str

    @property
    def shown(self) -> str:
        """The model as a person is told of it."""
        return f"{self.model} (SHA-256 {self.version}...)"


class Manifest:
    """One shard's, open for more lines, and held against other processes."""

    def __init__(self, output: Path, shard: Shard, header: Header, *, overwrite: bool, wait: Callable[[Path], None]):
        """Read what is there, drop a line that a killed process left torn, and begin where there is nothing.

        Args:
            output: an existing folder.
            shard: whose manifest.
            header: of this run.
            overwrite: begin anew whatever is there.
            wait: called again and again while another process holds the manifest; it pauses, or raises to give up.

        Raises:
            DataInvalid: it can't be read or written, is no manifest, or is of another model or number of shards.
        """
        self.path = path_of(output, shard)
        self.done: dict[str, int] = {}
        """Masks of earlier runs, with their size in bytes."""
        _check_count(output, shard)
        try:
            self._file: BinaryIO = self.path.open("a+b")
        except OSError as error:
            raise DataInvalid(f"{self.path} can't be written: {error.strerror}") from error
        try:
            while not _lock(self._file):
                wait(self.path)
            self._begin(header, overwrite=overwrite)
        except OSError as error:
            self._file.close()
            raise DataInvalid(f"{self.path} can't be used: {error.strerror}") from error
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Manifest:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(OSError):  # what `add` could not write, it has told
            self._file.close()

    def add(self, line: dict[str, Any]) -> None:
        """Append a line; it is the operating system's before this returns.

        Raises:
            DataInvalid: it can't be written.
        """
        try:
            self._file.write(json.dumps(line).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise DataInvalid(f"{self.path} can't be written: {error.strerror}") from error

    def _begin(self, header: Header, *, overwrite: bool) -> None:
        self._file.seek(0)
        kept = 0
        there: Header | None = None
        # What has no line's end was torn when its writer was killed.
        for line in () if overwrite else self._file:
            if not line.endswith(b"\n"):
                break
            kept += len(line)
            if there is None:
                there = _read_header(line, self.path)
            else:
                self._take(line)
        self._file.truncate(kept)
        if there is None:
            self.add(vars(header))
        elif (there.model, there.version) != (header.model, header.version):
            raise DataInvalid(
                f"{self.path} is of {there.shown}, this is {header.shown}: "
                "take that --model, another -o, or --overwrite to begin anew"
            )

    def _take(self, line: bytes) -> None:
        """A line that can't be read promises nothing: its frame is segmented again."""
        try:
            told = json.loads(line)
            mask, size = told["mask"], told.get("bytes")
        except (ValueError, KeyError, TypeError, AttributeError):
            return
        if isinstance(mask, str) and isinstance(size, int):
            self.done[mask] = size
        elif isinstance(mask, str):
            self.done.pop(mask, None)


def _read_header(line: bytes, path: Path) -> Header:
    try:
        return Header(**json.loads(line))
    except (ValueError, TypeError) as error:
        raise DataInvalid(f"{path} is no manifest: give another -o, or --overwrite to begin anew") from error


def _check_count(output: Path, shard: Shard) -> None:
    """Frames that were done as one of 8 would be done again as one of 16, and stand in two manifests."""
    for path in sorted(output.glob(PATTERN)):
        count = path.stem.rpartition("-")[2]
        if count.isdecimal() and int(count) != shard.count:
            raise DataInvalid(
                f"{output} holds {path.name}, and this is one of {shard.count}: "
                f"keep the number of shards, give another -o, or delete the manifests to do all frames again"
            )


def _lock(file: BinaryIO) -> bool:
    """Whether this process has it now. A pod that is believed dead may still write beside its successor."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # File systems without locks are mounted on purpose; the Job's podReplacementPolicy has to do there.
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
    return True
