"""Which process segments which frame."""

from __future__ import annotations

import pytest

from runtime.errors import DataInvalid
from runtime.shards import Shard

MASKS = [f"city{i % 7}/frame_{i:06d}.png" for i in range(8000)]


def test_every_frame_has_exactly_one_shard() -> None:
    shards = [Shard(index, 8) for index in range(8)]
    assert all(sum(shard.has(mask) for shard in shards) == 1 for mask in MASKS)
    assert all(Shard().has(mask) for mask in MASKS)


def test_shards_are_of_about_one_size() -> None:
    sizes = [sum(Shard(index, 8).has(mask) for mask in MASKS) for index in range(8)]
    assert max(sizes) < 1.15 * 1000
    assert min(sizes) > 0.85 * 1000


def test_a_shard_is_the_same_in_every_version() -> None:
    # Jobs that an update interrupts go on: these values must not change.
    of_eight = {mask: next(i for i in range(8) if Shard(i, 8).has(mask)) for mask in ("street.png", "a/b.png", "é.png")}
    assert of_eight == {"street.png": 6, "a/b.png": 4, "é.png": 6}


def test_names_that_are_no_text_have_a_shard() -> None:
    assert sum(Shard(index, 3).has("\udcff.png") for index in range(3)) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("8/8", "the last of 8 is 7/8"),
        ("1/1", "the last of 1 is 0/1"),
        ("0/0", "1 to 99999 shards"),
        ("0/100000", "1 to 99999 shards"),
        ("3", "INDEX/COUNT, such as 0/8"),
        ("$(INDEX)/8", "INDEX/COUNT, such as 0/8"),
        ("-1/8", "INDEX/COUNT, such as 0/8"),
        ("٣/٨", "INDEX/COUNT, such as 0/8"),
        ("", "INDEX/COUNT, such as 0/8"),
    ],
)
def test_what_is_no_shard_is_told(text: str, said: str) -> None:
    with pytest.raises(DataInvalid, match=said):
        Shard.parse(text)


def test_a_shard_is_read_as_it_is_shown() -> None:
    assert Shard.parse("7/8") == Shard(7, 8)
    assert str(Shard.parse("0/12")) == "0/12"
