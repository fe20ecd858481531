"""Ground-truth images to category ids, whichever of the usual ways they are coded in.

| kind           | what a pixel holds             | as in                    |
|----------------|--------------------------------|--------------------------|
| `category_ids` | a category id, 0 to 7          | our masks                |
| `label_ids`    | a Cityscapes label id, 0 to 33 | Cityscapes' `*_labelIds` |
| `colors`       | a Cityscapes label's colour    | Cityscapes' `*_color`    |

Which one it is, is told from the image itself:

- Three or four channels are colours; alpha is dropped.
- One channel holds ids: label ids if any of them is above 7, else category ids. So label ids of a frame that shows
  nothing but void and road (0 to 7) are taken for category ids: `Truth.kind` tells what was understood.
- A palette image holds ids too, unless all the palette's colours that are used are Cityscapes' and contradict the ids,
  be they read as category ids or as label ids: then the colours count. A palette of greys that repeat the ids, or of
  black alone, contradicts nothing.

Labels that Cityscapes does not score become void, whether they come as ids or as colours: what is compared with the
outcome is scored as Cityscapes does. 255 is no id: license plate, label -1, is in no label image of Cityscapes
(`createLabels.py` draws no negative id), and where 255 stands it says "ignore" in train ids. Train ids without any 255
can't be told from label ids.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from runtime import categories, codecs
from runtime.codecs import Claim, Limits
from runtime.errors import DataInvalid, FrameUndecodable
from runtime.frames import Mask

Kind = Literal["category_ids", "label_ids", "colors"]

LABELS: Final[tuple[tuple[str, int, tuple[int, int, int]], ...]] = (
    ("unlabeled", 0, (0, 0, 0)),
    ("ego vehicle", 1, (0, 0, 0)),
    ("rectification border", 2, (0, 0, 0)),
    ("out of roi", 3, (0, 0, 0)),
    ("static", 4, (0, 0, 0)),
    ("dynamic", 5, (111, 74, 0)),
    ("ground", 6, (81, 0, 81)),
    ("road", 7, (128, 64, 128)),
    ("sidewalk", 8, (244, 35, 232)),
    ("parking", 9, (250, 170, 160)),
    ("rail track", 10, (230, 150, 140)),
    ("building", 11, (70, 70, 70)),
    ("wall", 12, (102, 102, 156)),
    ("fence", 13, (190, 153, 153)),
    ("guard rail", 14, (180, 165, 180)),
    ("bridge", 15, (150, 100, 100)),
    ("tunnel", 16, (150, 120, 90)),
    ("pole", 17, (153, 153, 153)),
    ("polegroup", 18, (153, 153, 153)),
    ("traffic light", 19, (250, 170, 30)),
    ("traffic sign", 20, (220, 220, 0)),
    ("vegetation", 21, (107, 142, 35)),
    ("terrain", 22, (152, 251, 152)),
    ("sky", 23, (70, 130, 180)),
    ("person", 24, (220, 20, 60)),
    ("rider", 25, (255, 0, 0)),
    ("car", 26, (0, 0, 142)),
    ("truck", 27, (0, 0, 70)),
    ("bus", 28, (0, 60, 100)),
    ("caravan", 29, (0, 0, 90)),
    ("trailer", 30, (0, 0, 110)),
    ("train", 31, (0, 80, 100)),
    ("motorcycle", 32, (0, 0, 230)),
    ("bicycle", 33, (119, 11, 32)),
    ("license plate", -1, (0, 0, 142)),
)
"""Name, id and RGB colour of every Cityscapes label (cityscapesScripts, `cityscapesscripts/helpers/labels.py`).

Of labels that share a colour the first one counts (pole before polegroup, car before license plate): it is the one that
is scored, and that occurs.
"""

MAX_TRAIN_ID = 18
"""Train ids number the 19 scored labels; 255 is the rest."""

_STRIP_PIXELS = 2**16
"""Colours are packed so many at a time, which stays in the cache: twice as fast as a whole frame at once."""

_SCORED = categories.SCORED_FROM_LABEL_ID
_CATEGORY_IDS = np.full(256, categories.UNKNOWN, np.uint8)
_CATEGORY_IDS[: categories.COUNT] = np.arange(categories.COUNT)


@dataclass(frozen=True)
class Truth:
    """A ground-truth image that was understood."""

    mask: Mask
    """uint8 H x W, category ids 0..7; what is not scored is void."""
    kind: Kind
    """How it was coded."""


def read(data: bytes, limits: Limits | None = None, claim: Claim | None = None) -> Truth:
    """The ground truth in an encoded image, EXIF orientation applied.

    Args:
        data: PNG, BMP, TIFF or lossless WebP of 8 bits a channel.
        limits: Limits() if not given.
        claim: as of `runtime.codecs.decode`.

    Raises:
        FrameUndecodable: not an image, or a truncated or corrupt one.
        FrameTooLarge: over the limits; told before a pixel is decoded.
        Exception: whatever `claim` raises.
        DataInvalid: a lossy or 16-bit image, or an id or a colour that means nothing; says which, and where.
    """
    limits = limits or Limits()
    image = codecs.probe(data, limits)
    depth = data[24] if image.format == "PNG" and len(data) > 24 else 8  # of the IHDR chunk
    _check_coding(image, depth)
    if claim is not None:
        claim(image.width * image.height)
    if image.mode in ("RGB", "RGBA", "RGBX"):
        return _from_colors(codecs.decode(data, limits))
    try:
        image.load()
        image = ImageOps.exif_transpose(image)
        ids = _ids(image, depth)
    except Exception as error:
        raise FrameUndecodable(f"the {image.format} image is truncated or corrupt: {error}") from error
    return _from_palette(ids, _packed_palette(image)) if image.mode in ("P", "PA") else _from_ids(ids)


def _check_coding(image: Image.Image, depth: int) -> None:
    if image.format == "JPEG" or image.info.get("compression") == "jpeg":
        raise DataInvalid("a truth in JPEG is of no use, because its ids and colours are smeared: send a PNG")
    if depth == 16 or image.mode.startswith(("I", "F")):
        raise DataInvalid(
            "a truth has 8 bits a channel, this one has more: send label ids (*_labelIds.png), not instance ids"
        )
    if image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX"):
        raise DataInvalid(f"a truth holds ids, or RGB colours, this image is {image.mode}")


def _ids(image: Image.Image, depth: int) -> npt.NDArray[np.uint8]:
    """The pixel values as they are in the file, uint8 H x W."""
    channel = np.asarray(image.getchannel(0) if len(image.getbands()) > 1 else image, np.uint8)
    if image.mode == "L" and depth in (2, 4):
        channel = channel // np.uint8(255 // (2**depth - 1))  # Pillow spreads the greys of such a PNG over 0..255
    return np.ascontiguousarray(channel)


def _used(ids: npt.NDArray[np.uint8]) -> npt.NDArray[np.intp]:
    """The values that occur, ascending."""
    return np.flatnonzero(cv2.calcHist([ids], [0], None, [256], [0, 256]))


def _from_ids(ids: npt.NDArray[np.uint8]) -> Truth:
    used = _used(ids)
    if used[-1] < categories.COUNT:
        return Truth(ids, "category_ids")
    if used[-1] == 255 and all(value <= MAX_TRAIN_ID for value in used[:-1]):
        x, y = _first(ids == 255)
        raise DataInvalid(
            f"255 at x {x}, y {y} is no id here, these look like train ids: send label ids (*_labelIds.png), "
            "category ids with void as 0, or Cityscapes' colours"
        )
    return _from_label_ids(ids)


def _from_label_ids(ids: npt.NDArray[np.uint8]) -> Truth:
    mask = np.asarray(cv2.LUT(ids, _SCORED), np.uint8)
    unknown = mask == categories.UNKNOWN
    if unknown.any():
        x, y = _first(unknown)
        raise DataInvalid(f"{ids[y, x]} at x {x}, y {y} is no Cityscapes label id: they are 0 to 33")
    return Truth(mask, "label_ids")


def _packed_palette(image: Image.Image) -> npt.NDArray[np.int64]:
    """int64 256: the palette's colours, packed; -1 beyond its end."""
    rgb = np.array(image.getpalette("RGB") or [], np.int64).reshape(-1, 3)[:256]
    packed = np.full(256, -1, np.int64)
    packed[: len(rgb)] = rgb @ (1, 2**8, 2**16)
    return packed


def _from_palette(ids: npt.NDArray[np.uint8], palette: npt.NDArray[np.int64]) -> Truth:
    used = _used(ids)
    colors = palette[used]
    says_nothing = not colors.any() or bool(np.all(colors == used * 0x010101))
    if says_nothing or (colors < 0).any():
        return _from_ids(ids)
    seen = _category_of_color()[colors]
    if (seen == categories.UNKNOWN).any() or np.array_equal(seen, _CATEGORY_IDS[used]):
        return _from_ids(ids)
    if np.array_equal(seen, _by_color_of_label()[used]):
        return _from_label_ids(ids)
    of_index = np.full(256, categories.UNKNOWN, np.uint8)
    of_index[used] = seen
    return Truth(np.asarray(cv2.LUT(ids, of_index), np.uint8), "colors")


@lru_cache(maxsize=1)
def _by_color_of_label() -> npt.NDArray[np.uint8]:
    """uint8 256: label id to the category that its colour says, or UNKNOWN; polegroup's colour says pole."""
    table = np.full(256, categories.UNKNOWN, np.uint8)
    for _, label_id, color in LABELS:
        if label_id >= 0:
            table[label_id] = _category_of_color()[_packed(color)]
    return table


def _from_colors(pixels: npt.NDArray[np.uint8]) -> Truth:
    """Of uint8 H x W x 3, RGB."""
    height, width, _ = pixels.shape
    table = _category_of_color()
    row = np.ascontiguousarray(pixels).reshape(1, -1, 3)
    ids = np.empty(height * width, np.uint8)
    for first in range(0, ids.size, _STRIP_PIXELS):
        strip = np.asarray(cv2.cvtColor(row[:, first : first + _STRIP_PIXELS], cv2.COLOR_RGB2RGBA), np.uint8)
        ids[first : first + _STRIP_PIXELS] = table[strip.view("<u4").ravel() & 0xFFFFFF]
    mask = ids.reshape(height, width)
    unknown = mask == categories.UNKNOWN
    if unknown.any():
        x, y = _first(unknown)
        red, green, blue = (int(value) for value in pixels[y, x])
        advice = "send ids as one channel" if red == green == blue else "send it losslessly compressed, as PNG"
        raise DataInvalid(f"the colour ({red}, {green}, {blue}) at x {x}, y {y} is none of Cityscapes': {advice}")
    return Truth(mask, "colors")


def _packed(color: tuple[int, int, int]) -> int:
    """A colour as the first three bytes of a little-endian number."""
    return color[0] | color[1] << 8 | color[2] << 16


@lru_cache(maxsize=1)
def _category_of_color() -> npt.NDArray[np.uint8]:
    """uint8 2^24: packed colour to category id, or UNKNOWN. 16 MiB, made when it is first needed."""
    table = np.full(2**24, categories.UNKNOWN, np.uint8)
    for _, label_id, color in reversed(LABELS):
        if label_id >= 0:
            table[_packed(color)] = _SCORED[label_id]
    return table


def _first(where: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """x and y of the first True, row by row."""
    y, x = divmod(int(np.argmax(where)), where.shape[1])
    return x, y
