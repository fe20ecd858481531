"""Labelled folders: pairs of a frame and its ground truth, read one at a time.

A folder is named `KIND:DIR`. Two kinds are known, by their published layouts:

    cityscapes:DIR   DIR/leftImg8bit/<split>/<city>/<key>_leftImg8bit.png
                     DIR/gtFine/<split>/<city>/<key>_gtFine_labelIds.png      Cityscapes label ids
    camvid:DIR       DIR/<split>/<key>.png  and  DIR/<split>annot/<key>.png   CamVid's 12 ids, SegNet's layout

numpy only: training, conversion, evaluation and serving all read through here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from runtime import categories, codecs
from runtime.errors import DataInvalid, FrameError
from runtime.frames import Frame, Mask

KINDS = ("cityscapes", "camvid")


@dataclass(frozen=True)
class Pair:
    """A frame's file and its ground truth's file."""

    frame: Path
    truth: Path
    kind: str

    @property
    def key(self) -> str:
        """The frame's name, without folder and ending."""
        return self.frame.stem.removesuffix("_leftImg8bit")


@dataclass(frozen=True)
class Source:
    """One labelled folder, as named on a command line."""

    kind: str
    folder: Path

    @classmethod
    def parse(cls, text: str) -> Source:
        """`KIND:DIR`; a bare `DIR` is recognised by its layout.

        Raises:
            DataInvalid: an unknown kind, no such folder, or a layout that is neither.
        """
        kind, colon, folder = text.partition(":")
        if colon and kind in KINDS:
            path = Path(folder)
        else:
            path = Path(text)
            kind = "cityscapes" if (path / "leftImg8bit").is_dir() else "camvid"
            if not (path / "leftImg8bit").is_dir() and not list(path.glob("*annot")):
                raise DataInvalid(f"{text}: no data set; give {' or '.join(f'{k}:DIR' for k in KINDS)}")
        if not path.is_dir():
            raise DataInvalid(f"{text}: there is no folder {path}")
        return cls(kind, path)

    def __str__(self) -> str:
        return f"{self.kind}:{self.folder}"

    def splits(self) -> tuple[str, ...]:
        """The splits that are there, by name."""
        if self.kind == "cityscapes":
            return tuple(sorted(path.name for path in (self.folder / "leftImg8bit").glob("*") if path.is_dir()))
        return tuple(sorted(path.name.removesuffix("annot") for path in self.folder.glob("*annot") if path.is_dir()))

    def pairs(self, split: str) -> list[Pair]:
        """All pairs of a split, by name.

        Raises:
            DataInvalid: the split is missing or empty, or a frame has no ground truth.
        """
        found = list(self._cityscapes(split) if self.kind == "cityscapes" else self._camvid(split))
        if not found:
            there = ", ".join(self.splits()) or "none"
            raise DataInvalid(f"{self}: no frames in the split '{split}' (splits there: {there})")
        for pair in found:
            if not pair.truth.is_file():
                raise DataInvalid(f"{pair.frame} has no mask: {pair.truth} is missing")
        return found

    def _cityscapes(self, split: str) -> Iterator[Pair]:
        for frame in sorted((self.folder / "leftImg8bit" / split).glob("*/*_leftImg8bit.*")):
            key = frame.stem.removesuffix("_leftImg8bit")
            truth = self.folder / "gtFine" / split / frame.parent.name / f"{key}_gtFine_labelIds.png"
            yield Pair(frame, truth, self.kind)

    def _camvid(self, split: str) -> Iterator[Pair]:
        for frame in sorted((self.folder / split).glob("*.png")):
            yield Pair(frame, self.folder / f"{split}annot" / frame.name, self.kind)


def named(texts: Iterable[str]) -> dict[str, Source]:
    """The sources that a command line names, each once: by kind, or by kind and folder where a kind comes twice.

    Raises:
        DataInvalid: as `Source.parse`.
    """
    sources = list(dict.fromkeys(Source.parse(text) for text in texts))
    kinds = [source.kind for source in sources]
    return {
        source.kind if kinds.count(source.kind) == 1 else f"{source.kind}-{source.folder.name}": source
        for source in sources
    }


def read(pair: Pair, *, scored_only: bool = False) -> tuple[Frame, Mask]:
    """The frame, uint8 H x W x 3 RGB, and its ground truth, uint8 H x W category ids.

    Args:
        pair: what to read.
        scored_only: turn the labels that Cityscapes' evaluation leaves out into void.

    Raises:
        DataInvalid: a file is broken, the sizes differ, or the mask holds an id that its kind does not know.
    """
    try:
        frame = codecs.read_frame(pair.frame)
        raw = codecs.decode_mask(pair.truth.read_bytes())
    except (FrameError, OSError) as error:
        raise DataInvalid(f"{pair.key}: {error}") from error
    if frame.shape[:2] != raw.shape:
        raise DataInvalid(
            f"{pair.truth}: the mask is {raw.shape[1]} x {raw.shape[0]}, its frame {frame.shape[1]} x {frame.shape[0]}"
        )
    return frame, to_categories(raw, pair, scored_only=scored_only)


def to_categories(raw: npt.NDArray[np.uint8], pair: Pair, *, scored_only: bool) -> Mask:
    """The file's ids as category ids.

    Raises:
        DataInvalid: an id that the kind does not know.
    """
    if pair.kind == "camvid":
        table = categories.FROM_CAMVID_ID
    else:
        table = categories.SCORED_FROM_LABEL_ID if scored_only else categories.FROM_LABEL_ID
    mask = table[raw]
    if mask.max() == categories.UNKNOWN:
        unknown = sorted({int(value) for value in np.unique(raw[mask == categories.UNKNOWN])})
        raise DataInvalid(f"{pair.truth}: ids {unknown} are unknown to {pair.kind}")
    return mask


def spread(pairs: list[Pair], count: int) -> list[Pair]:
    """At most `count` of the pairs, evenly spread over the list: the same ones every time."""
    if count >= len(pairs):
        return pairs
    return [pairs[int(i)] for i in np.linspace(0, len(pairs) - 1, count).round()]
