from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime import datasets
from runtime.datasets import Pair, Source
from runtime.errors import DataInvalid
from train.cluster import Cluster
from train.loader import AHEAD, Loader
from train.settings import Augmentation, Settings

SETTINGS = Settings(data=(), batch=2, augmentation=Augmentation(crop=(32, 64)))


@pytest.fixture
def pairs(streets: Path) -> list[Pair]:
    return Source.parse(f"cityscapes:{streets}").pairs("train")


def test_an_epoch_gives_whole_batches_of_frames_and_masks(pairs: list[Pair]) -> None:
    batches = list(Loader(pairs[:7], SETTINGS).epoch(0))
    assert len(batches) == 3
    for frames, truths in batches:
        assert (frames.shape, frames.dtype) == ((2, 32, 64, 3), np.uint8)
        assert (truths.shape, truths.dtype) == ((2, 32, 64), np.uint8)


def test_the_same_seed_and_epoch_give_the_same_batches_in_any_process(pairs: list[Pair]) -> None:
    first, again = (list(Loader(pairs, SETTINGS).epoch(3)) for _ in range(2))
    assert all((a[0] == b[0]).all() and (a[1] == b[1]).all() for a, b in zip(first, again, strict=True))


def test_epochs_and_seeds_differ(pairs: list[Pair]) -> None:
    base = next(Loader(pairs, SETTINGS).epoch(0))[0]
    assert (base != next(Loader(pairs, SETTINGS).epoch(1))[0]).any()
    assert (base != next(Loader(pairs, replace(SETTINGS, seed=1)).epoch(0))[0]).any()


def test_only_a_few_batches_are_read_ahead(pairs: list[Pair]) -> None:
    """Of a thousand pairs all but the first batches' files are missing: they are not touched before their turn."""
    order = np.random.default_rng((SETTINGS.seed, 0)).permutation(1000)
    gone = Pair(Path("gone.png"), Path("gone.png"), "camvid")
    many = [gone] * 1000
    for index in order[: (AHEAD + 2) * SETTINGS.batch]:
        many[index] = pairs[index % len(pairs)]
    loader = Loader(many, SETTINGS)
    batches = loader.epoch(0)
    next(batches)
    next(batches)
    with pytest.raises(DataInvalid, match="gone"):
        list(batches)


def test_fewer_frames_than_a_batch_are_refused(pairs: list[Pair]) -> None:
    with pytest.raises(DataInvalid, match="1 frames are fewer than one batch of 2"):
        Loader(pairs[:1], SETTINGS)


def test_workers_read_together_what_one_reads_and_no_more(pairs: list[Pair], monkeypatch: pytest.MonkeyPatch) -> None:
    some = replace(SETTINGS, batch=4)
    whole = list(Loader(pairs, some).epoch(1))
    opened: list[Pair] = []
    read = datasets.read
    monkeypatch.setattr(datasets, "read", lambda pair: opened.append(pair) or read(pair))
    shares = [list(Loader(pairs, some, Cluster(index, 2), readers=1).epoch(1)) for index in (0, 1)]
    assert len(opened) == len(pairs)
    for batch, *parts in zip(whole, *shares, strict=True):
        for which in (0, 1):
            assert [len(part[which]) for part in parts] == [2, 2]
            assert (batch[which] == np.concatenate([part[which] for part in parts])).all()


def test_a_batch_that_the_workers_can_t_share_is_refused(pairs: list[Pair]) -> None:
    with pytest.raises(DataInvalid, match="a batch of 2 can't be shared evenly by 4 workers"):
        Loader(pairs, SETTINGS, Cluster(1, 4))
