"""Which frames a run takes, and what their masks are called."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runtime import frame_lists
from runtime.errors import DataInvalid
from runtime.frame_lists import Listed
from runtime.shards import Shard


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def masks(*paths: Path, output: Path = Path("masks")) -> list[str]:
    return [frame.mask for frame in frame_lists.from_paths(paths, output)]


def lines(*text: str, root: str) -> list[Listed]:
    return list(frame_lists.from_lines(text, root))


def test_cities_may_have_frames_of_one_name(tmp_path: Path) -> None:
    touch(tmp_path, "aachen/0001.png", "bonn/0001.jpg", "top.JPEG", "bonn/notes.txt")
    assert masks(tmp_path) == ["top.png", "aachen/0001.png", "bonn/0001.png"]


def test_masks_inside_the_folder_of_frames_are_no_frames(tmp_path: Path) -> None:
    touch(tmp_path, "street.jpg", "masks/street.png")
    assert masks(tmp_path, output=tmp_path / "masks") == ["street.png"]


def test_linked_folders_are_walked_once(tmp_path: Path) -> None:
    touch(tmp_path, "frames/a.png", "elsewhere/b.png")
    (tmp_path / "frames/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "frames")
    assert masks(tmp_path / "frames") == ["a.png", "linked/b.png"]


def test_a_folder_that_is_closed_is_not_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.png", "closed/b.png")
    scan = os.scandir

    def scan_open(path: str) -> object:  # root, as tests may run, could read every real folder
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", scan_open)
    with pytest.raises(DataInvalid, match="closed can't be read: Permission denied"):
        masks(tmp_path)


def test_a_listing_has_paths_below_its_root() -> None:
    found = lines("aachen/a.jpg\n", "./bonn//b.png", "/frames/c.webp\r\n", "  d.bmp ", root="/frames")
    assert found == [
        Listed("/frames/aachen/a.jpg", "aachen/a.png"),
        Listed("/frames/bonn/b.png", "bonn/b.png"),
        Listed("/frames/c.webp", "c.png"),
        Listed("/frames/d.bmp", "d.png"),
    ]


def test_what_lies_elsewhere_keeps_its_whole_path_and_never_leaves_the_output() -> None:
    found = lines("/other/a.jpg", "../up.jpg", "../../../../up.jpg", "/framesets/x.jpg", root="/frames/set")
    assert [frame.mask for frame in found] == ["other/a.png", "frames/up.png", "up.png", "framesets/x.png"]


def test_only_an_image_s_ending_is_replaced() -> None:
    assert [frame.mask for frame in lines("frame.0001", "frame.0002.tif", root="/f")] == [
        "frame.0001.png",
        "frame.0002.png",
    ]


def test_empty_lines_and_folders_of_a_bucket_are_passed_over() -> None:
    assert lines("", "  \n", "2024/", "https://bucket.example/2024/", root="/frames") == []


def test_urls_are_called_by_host_and_path_or_by_what_is_below_the_root() -> None:
    signed = "https://user:word@bucket.example:8443/2024/caf%C3%A9%20a.jpg?X-Signature=secret"
    (frame,) = lines(signed, root="/frames")
    assert frame == Listed(signed, "bucket.example/2024/café a.png")
    assert frame.shown == "https://bucket.example:8443/2024/caf%C3%A9%20a.jpg"
    (below,) = lines(signed, root="https://bucket.example:8443/2024/")
    assert below.mask == "café a.png"


def test_keys_of_a_bucket_are_below_a_url() -> None:
    assert lines("2024/a b.jpg", root="https://bucket.example/cam1") == [
        Listed("https://bucket.example/cam1/2024/a%20b.jpg", "2024/a b.png")
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("s3://bucket/a.jpg", r"s3:// is not read; paths .* and https:// URLs are"),
        ("file:///etc/passwd", "file:// is not read"),
        ("https:///a.jpg", "no host"),
        ("https://[::1/a.jpg", "no host"),
        ("https://host", "path is empty"),
        ("https://host/a/%2e%2e/%2e%2e/b.jpg", r"has '\.\.'"),
        ("https://host/a%5Cb.jpg", "backslash"),
        ("https://host/a%00.jpg", "NUL"),
        ("a\0.jpg", "NUL"),
        ("x" * 250 + ".jpg", "more than 249 bytes"),
    ],
)
def test_a_line_that_is_no_frame_is_told_with_its_number(line: str, said: str) -> None:
    with pytest.raises(DataInvalid, match=f"line 2 of the listing.*{said}") as told:
        lines("good.jpg", line, root="/frames")
    assert len(str(told.value)) < 400


def test_what_is_told_of_a_line_has_no_key() -> None:
    with pytest.raises(DataInvalid) as told:
        lines("https://user:word@host/../a.jpg?signature=secret", root="/frames")
    assert "secret" not in str(told.value)
    assert "word" not in str(told.value)


def test_a_frame_that_is_named_twice_is_done_once(tmp_path: Path) -> None:
    listed = [Listed("/f/a.jpg", "a.png"), Listed("/f/b.jpg", "b.png"), Listed("/f/a.jpg", "a.png")]
    assert frame_lists.choose(listed, tmp_path, Shard()) == listed[:2]


def test_two_frames_of_one_mask_are_told(tmp_path: Path) -> None:
    listed = [Listed("/f/a.jpg", "a.png"), Listed("/f/a.bmp", "a.png")]
    with pytest.raises(DataInvalid, match=r"/f/a\.jpg and /f/a\.bmp are both called a"):
        frame_lists.choose(listed, tmp_path, Shard())


def test_a_mask_never_overwrites_a_frame_of_any_shard(tmp_path: Path) -> None:
    touch(tmp_path, "out/a.png", "in/a.jpg")
    (tmp_path / "way").symlink_to(tmp_path / "out")
    # The frame out/a.png has the mask way/a.png of another shard than in/a.jpg.
    listed = [Listed(str(tmp_path / "way/a.png"), "way/a.png"), Listed(str(tmp_path / "in/a.jpg"), "a.png")]
    mine = next(Shard(i, 8) for i in range(8) if Shard(i, 8).has("a.png"))
    assert not mine.has("way/a.png")
    with pytest.raises(DataInvalid, match="would overwrite it"):
        frame_lists.choose(listed, tmp_path / "out", mine)


def test_an_empty_shard_is_no_error_and_an_empty_list_is(tmp_path: Path) -> None:
    listed = [Listed("/f/a.jpg", "a.png")]
    assert sum(len(frame_lists.choose(listed, tmp_path, Shard(i, 5))) for i in range(5)) == 1
    with pytest.raises(DataInvalid, match="no frame to segment"):
        frame_lists.choose([], tmp_path, Shard())
