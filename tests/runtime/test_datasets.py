from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from runtime import categories, datasets
from runtime.datasets import Source
from runtime.errors import DataInvalid

FRAME = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


def write_camvid(folder: Path, frame: np.ndarray = FRAME, ids: np.ndarray | None = None) -> Path:
    for name, pixels in (("val", frame), ("valannot", np.full((20, 30), 3, np.uint8) if ids is None else ids)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / name / "0001.png")
    return folder


def test_cityscapes_pairs_are_read_as_categories(cityscapes_pair: Callable[..., Path]) -> None:
    label_ids = np.random.default_rng(1).integers(0, 34, (20, 30)).astype(np.uint8)
    source = Source.parse(f"cityscapes:{cityscapes_pair(FRAME, label_ids)}")
    (pair,) = source.pairs("val")
    frame, truth = datasets.read(pair)
    assert pair.key == "town_000000_000000"
    assert (frame == FRAME).all()
    assert (truth == categories.FROM_LABEL_ID[label_ids]).all()
    assert (datasets.read(pair, scored_only=True)[1] == categories.SCORED_FROM_LABEL_ID[label_ids]).all()


def test_camvid_pairs_are_read_as_categories(tmp_path: Path) -> None:
    ids = np.random.default_rng(1).integers(0, 12, (20, 30)).astype(np.uint8)
    source = Source.parse(f"camvid:{write_camvid(tmp_path / 'camvid', ids=ids)}")
    frame, truth = datasets.read(source.pairs("val")[0])
    assert (frame == FRAME).all()
    assert (truth == categories.FROM_CAMVID_ID[ids]).all()


def test_a_bare_folder_is_recognised_by_its_layout(cityscapes_pair: Callable[..., Path], tmp_path: Path) -> None:
    assert Source.parse(str(cityscapes_pair(FRAME, np.zeros((20, 30), np.uint8)))).kind == "cityscapes"
    assert Source.parse(str(write_camvid(tmp_path / "camvid"))).kind == "camvid"


def test_real_camvid_is_read_whole(camvid: Path) -> None:
    source = Source.parse(f"camvid:{camvid}")
    assert source.splits() == ("train", "val")
    assert (len(source.pairs("train")), len(source.pairs("val"))) == (367, 101)
    frame, truth = datasets.read(source.pairs("val")[0])
    assert frame.shape == (360, 480, 3)
    assert set(np.unique(truth)) <= set(range(8))


@pytest.mark.parametrize("text", ["cityscapes:/nowhere/at/all", "/nowhere/at/all", "kitti:/tmp"])
def test_a_folder_that_is_missing_or_of_no_known_kind_is_told(text: str) -> None:
    with pytest.raises(DataInvalid, match=r"no folder|no data set"):
        Source.parse(text)


def test_an_empty_folder_is_told_with_the_splits_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "leftImg8bit" / "test").mkdir(parents=True)
    with pytest.raises(DataInvalid, match=r"no frames in the split 'val' \(splits there: test\)"):
        Source.parse(f"cityscapes:{tmp_path}").pairs("val")


def test_a_frame_without_its_mask_is_named(cityscapes_pair: Callable[..., Path]) -> None:
    folder = cityscapes_pair(FRAME, np.zeros((20, 30), np.uint8))
    next(folder.glob("gtFine/val/*/*.png")).unlink()
    with pytest.raises(DataInvalid, match=r"town_000000_000000_leftImg8bit\.png has no mask"):
        Source.parse(f"cityscapes:{folder}").pairs("val")


def test_a_mask_of_another_size_is_told(cityscapes_pair: Callable[..., Path]) -> None:
    folder = cityscapes_pair(FRAME, np.zeros((20, 31), np.uint8))
    with pytest.raises(DataInvalid, match="the mask is 31 x 20, its frame 30 x 20"):
        datasets.read(Source.parse(f"cityscapes:{folder}").pairs("val")[0])


def test_unknown_ids_are_told(cityscapes_pair: Callable[..., Path], tmp_path: Path) -> None:
    label_ids = np.zeros((20, 30), np.uint8)
    label_ids[0, :2] = 77, 255
    folder = cityscapes_pair(FRAME, label_ids)
    with pytest.raises(DataInvalid, match=r"ids \[77, 255\] are unknown to cityscapes"):
        datasets.read(Source.parse(f"cityscapes:{folder}").pairs("val")[0])
    other = write_camvid(tmp_path / "camvid", ids=np.full((20, 30), 12, np.uint8))
    with pytest.raises(DataInvalid, match=r"ids \[12\] are unknown to camvid"):
        datasets.read(Source.parse(f"camvid:{other}").pairs("val")[0])


def test_a_coloured_or_broken_mask_is_told(cityscapes_pair: Callable[..., Path]) -> None:
    folder = cityscapes_pair(FRAME, FRAME)
    with pytest.raises(DataInvalid, match="one channel"):
        datasets.read(Source.parse(f"cityscapes:{folder}").pairs("val")[0])
    next(folder.glob("gtFine/val/*/*.png")).write_bytes(b"no image")
    with pytest.raises(DataInvalid, match="not an image"):
        datasets.read(Source.parse(f"cityscapes:{folder}").pairs("val")[0])


def test_sources_are_named_by_kind_and_by_folder_where_a_kind_comes_twice(tmp_path: Path) -> None:
    first, second = write_camvid(tmp_path / "first"), write_camvid(tmp_path / "second")
    assert list(datasets.named([f"camvid:{first}", f"camvid:{first}"])) == ["camvid"]
    both = datasets.named([f"camvid:{first}", f"camvid:{second}"])
    assert {name: source.folder for name, source in both.items()} == {"camvid-first": first, "camvid-second": second}


def test_spread_takes_the_first_and_the_last() -> None:
    pairs = [datasets.Pair(Path(str(i)), Path(str(i)), "camvid") for i in range(10)]
    assert [pair.frame.name for pair in datasets.spread(pairs, 4)] == ["0", "3", "6", "9"]
    assert datasets.spread(pairs, 10) == pairs
