"""What a bulk run remembers of the one before it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from runtime import manifest
from runtime.errors import DataInvalid
from runtime.manifest import Header, Manifest
from runtime.shards import Shard

HEADER = Header("0.1.0", "toy-fp32", "0123456789ab", "1/4")
Opener = Callable[..., Manifest]


def refuse(path: Path) -> None:
    raise DataInvalid(f"{path} is held")


@pytest.fixture
def opened(tmp_path: Path) -> Opener:
    def make(
        header: Header = HEADER,
        *,
        shard: Shard = Shard(1, 4),  # noqa: B008
        overwrite: bool = False,
        wait: Callable[[Path], None] = refuse,
    ) -> Manifest:
        return Manifest(tmp_path, shard, header, overwrite=overwrite, wait=wait)

    return make


def test_what_was_done_is_known_again(opened: Opener, tmp_path: Path) -> None:
    with opened() as first:
        assert first.done == {}
        first.add({"frame": "a.jpg", "mask": "a.png", "bytes": 10})
        first.add({"frame": "b.jpg", "mask": "b.png", "error": "broken"})
        first.add({"frame": "\udcff.jpg", "mask": "\udcff.png", "bytes": 12})
    with opened() as second:
        assert second.done == {"a.png": 10, "\udcff.png": 12}
    assert second.path == tmp_path / "manifest-00001-of-00004.jsonl"
    assert json.loads(second.path.read_text().splitlines()[0]) == vars(HEADER)


def test_a_frame_s_last_line_counts(opened: Opener) -> None:
    with opened() as first:
        first.add({"mask": "a.png", "error": "503"})
        first.add({"mask": "a.png", "bytes": 10})
        first.add({"mask": "b.png", "bytes": 10})
        first.add({"mask": "b.png", "error": "gone"})
    with opened() as second:
        assert second.done == {"a.png": 10}


def test_lines_are_there_before_the_end(opened: Opener) -> None:
    with opened() as made:
        made.add({"mask": "a.png", "bytes": 1})
        assert len(made.path.read_text().splitlines()) == 2


def test_every_torn_end_is_dropped(opened: Opener) -> None:
    with opened() as first:
        first.add({"frame": "a.jpg", "mask": "a.png", "bytes": 10})
        first.add({"frame": "b.jpg", "mask": "b.png", "bytes": 11})
    whole = first.path.read_bytes()
    for length in range(len(whole)):
        first.path.write_bytes(whole[:length])
        with opened() as again:
            assert set(again.done) == {"a.png", "b.png"} if length == len(whole) else set(again.done) <= {"a.png"}
            again.add({"frame": "b.jpg", "mask": "b.png", "bytes": 11})
        lines = [json.loads(line) for line in again.path.read_text().splitlines()]
        assert lines[0] == vars(HEADER), length
        assert lines[-1]["mask"] == "b.png"


def test_lines_that_promise_nothing_are_passed_over(opened: Opener) -> None:
    with opened() as first:
        first.add({"mask": "a.png", "bytes": 10})
    with first.path.open("ab") as file:
        file.write(b'\0\0\0\0\n[]\n{"mask": 3}\nnull\n{"mask": "c.png", "bytes": "many"}\n')
    with opened() as second:
        second.add({"mask": "b.png", "bytes": 10})
    with opened() as third:
        assert third.done == {"a.png": 10, "b.png": 10}


@pytest.mark.parametrize("other", [replace(HEADER, version="ba9876543210"), replace(HEADER, model="accurate-int8")])
def test_another_model_is_refused_unless_all_is_to_be_done_again(opened: Opener, other: Header) -> None:
    with opened() as first:
        first.add({"mask": "a.png", "bytes": 10})
    before = first.path.read_bytes()
    with pytest.raises(DataInvalid, match=r"is of toy-fp32 \(SHA-256 0123456789ab...\), this is .* --overwrite"):
        opened(other)
    assert first.path.read_bytes() == before
    with opened(other, overwrite=True) as second:
        assert second.done == {}
    with opened(other) as third:
        assert third.done == {}


def test_another_version_of_the_program_goes_on(opened: Opener) -> None:
    with opened() as first:
        first.add({"mask": "a.png", "bytes": 10})
    with opened(replace(HEADER, roadmask="9.9.9")) as second:
        assert second.done == {"a.png": 10}


def test_another_number_of_shards_is_refused(opened: Opener) -> None:
    with opened():
        pass
    with pytest.raises(DataInvalid, match=r"holds manifest-00001-of-00004\.jsonl, and this is one of 8: keep the num"):
        opened(shard=Shard(1, 8))
    with opened(shard=Shard(2, 4)):
        pass


def test_what_is_no_manifest_is_left_alone(opened: Opener, tmp_path: Path) -> None:
    path = manifest.path_of(tmp_path, Shard(1, 4))
    path.write_text("dear diary\n")
    with pytest.raises(DataInvalid, match="is no manifest"):
        opened()
    assert path.read_text() == "dear diary\n"


def test_one_process_at_a_time_has_it(opened: Opener) -> None:
    first = opened()
    asked: list[Path] = []

    def let_go(path: Path) -> None:
        asked.append(path)
        first.add({"mask": "a.png", "bytes": 10})
        first.__exit__(None, None, None)

    with opened(wait=let_go) as second:
        assert asked == [second.path]
        assert second.done == {"a.png": 10}
        with pytest.raises(DataInvalid, match="is held"):
            opened()


def test_a_full_disk_is_told() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no /dev/full: Linux has one")

    class OnFull(Manifest):
        def __init__(self) -> None:
            self.path = full
            self._file = full.open("a+b")

    with OnFull() as made, pytest.raises(DataInvalid, match="can't be written: No space left"):
        made.add({"mask": "a.png"})
