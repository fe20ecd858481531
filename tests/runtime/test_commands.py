"""`python -m runtime` as a person calls it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from runtime import categories, datasets
from runtime.datasets import Source
from runtime.metrics import Confusion
from runtime.segmenter import Segmenter


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "runtime", *map(str, arguments)], capture_output=True, text=True, timeout=120
    )


@pytest.fixture
def frame_file(tmp_path: Path) -> Path:
    path = tmp_path / "frames" / "street.png"
    path.parent.mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 70, 3), np.uint8)).save(path)
    return path


def test_segment_writes_a_mask_a_frame(toy_file: Callable[..., Path], frame_file: Path, tmp_path: Path) -> None:
    model = toy_file()
    done = run("segment", frame_file.parent, "-o", tmp_path / "masks", "--model", model)
    assert done.returncode == 0, done.stderr
    expected = Segmenter.load(model).segment(np.asarray(Image.open(frame_file)))
    assert (np.asarray(Image.open(tmp_path / "masks" / "street.png")) == expected).all()
    assert [path.name for path in (tmp_path / "masks").iterdir()] == ["street.png"]


def test_evaluate_scores_every_pair(toy_file: Callable[..., Path], streets: Path) -> None:
    model = toy_file()
    done = run("evaluate", model, "--data", f"cityscapes:{streets}", "--json")
    assert done.returncode == 0, done.stderr
    segmenter, confusion = Segmenter.load(model), Confusion()
    for pair in Source.parse(f"cityscapes:{streets}").pairs("val"):
        frame, truth = datasets.read(pair, scored_only=True)
        confusion.add(truth, segmenter.segment(frame))
    (row,) = json.loads(done.stdout)["data"].values()
    assert row["frames"] == 4
    assert row["mean_iou"] == pytest.approx(confusion.mean_iou(), abs=1e-12)
    assert row["iou"] == pytest.approx(confusion.iou(), abs=1e-12)


def test_evaluate_shows_people_a_table(toy_file: Callable[..., Path], streets: Path) -> None:
    done = run("evaluate", toy_file(), "--data", streets, "--limit", 1)
    assert done.returncode == 0, done.stderr
    assert all(categories.NAMES[i] in done.stdout for i in categories.SCORED)
    assert "mean" in done.stdout


def test_scenes_are_a_data_set(tmp_path: Path) -> None:
    done = run("scenes", "-o", tmp_path / "made", "--count", 2, "--size", "160x96")
    assert done.returncode == 0, done.stderr
    pairs = Source.parse(f"cityscapes:{tmp_path / 'made'}").pairs("val")
    assert len(pairs) == 2
    assert datasets.read(pairs[0])[0].shape == (96, 160, 3)


def test_a_frame_is_never_overwritten_by_its_mask(toy_file: Callable[..., Path], frame_file: Path) -> None:
    before = frame_file.read_bytes()
    done = run("segment", frame_file, "-o", frame_file.parent, "--model", toy_file())
    assert done.returncode == 2
    assert "would overwrite it" in done.stderr
    assert frame_file.read_bytes() == before


def test_a_mask_that_cannot_be_written_leaves_nothing(
    toy_file: Callable[..., Path], frame_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "masks" / "street.png").mkdir(parents=True)
    done = run("segment", frame_file, "-o", tmp_path / "masks", "--model", toy_file())
    assert done.returncode == 2
    assert "can't be written" in done.stderr
    assert [path.name for path in (tmp_path / "masks").iterdir()] == ["street.png"]


def test_a_picture_shows_frame_and_mask(toy_file: Callable[..., Path], tmp_path: Path) -> None:
    assert run("picture", "-o", tmp_path / "street.jpg", "--model", toy_file()).returncode == 0
    with Image.open(tmp_path / "street.jpg") as picture:
        assert picture.size == (2048, 512)


def test_bad_input_is_one_line_and_status_2(toy_file: Callable[..., Path], frame_file: Path, tmp_path: Path) -> None:
    model, out = toy_file(), tmp_path / "out"
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "street.jpg").write_text("same name")
    for arguments, named in (
        (("segment", tmp_path / "absent.png", "-o", out, "--model", model), "no file"),
        (("segment", tmp_path / "empty", "-o", out, "--model", model), "no image"),
        (("segment", tmp_path / "text.jpg", "-o", out, "--model", model), "not an image"),
        (("segment", frame_file, tmp_path / "street.jpg", "-o", out, "--model", model), "called street"),
        (("segment", frame_file, "-o", out, "--model", "nosuch"), "no model 'nosuch'"),
        (("segment", frame_file, "-o", out, "--model", model, "--providers", "tensorrt"), "not installed"),
        (("segment", frame_file, "-o", out, "--model", model, "--threads", 0), "threads"),
        (("evaluate", model, "--data", tmp_path / "absent"), "no data set"),
        (("evaluate", model, "--data", f"cityscapes:{tmp_path / 'empty'}"), "no frames"),
        (("evaluate", model, "--data", f"cityscapes:{tmp_path / 'empty'}", "--limit", 0), "at least 1"),
        (("scenes", "-o", out, "--size", "big"), "WxH"),
        (("scenes", "-o", out, "--count", 0), "at least 1"),
        (("scenes", "-o", out, "--size", "8x8"), ""),
        (("scenes", "-o", out, "--size", "90000x90000"), "pixels"),
        (("scenes", "-o", out, "--seed", -1), "--seed"),
        (("picture", "-o", out, "--model", model), ".png or .jpg"),
        (("providers", "--providers", "cuda"), "about a model: name one"),
        (("providers", "--threads", 0), "about a model: name one"),
        (("providers", model, "--providers", "auto,cpu"), "auto is no provider: it stands in place of a whole list"),
        (("providers", model, "--providers", "cpu\ngpu"), "no provider 'cpu gpu'"),
        (("segment",), "required"),
        (("paint",), "invalid choice"),
    ):
        done = run(*arguments)
        assert done.returncode == 2, (arguments, done)
        assert named in done.stderr, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert not list(out.glob("*")), arguments


def children(pid: int) -> list[str]:
    """Processes that a process has started and that run, as Linux tells them."""
    try:
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="tells processes as Linux does")
def test_ctrl_c_is_one_line_and_leaves_no_process_and_no_file(toy_file: Callable[..., Path], tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "frame.png")
    more = ("--threads", "1", "--rounds", "10000", "--providers", "cpu", "--frames", str(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-m", "runtime", "bench", str(toy_file()), *more],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"TMPDIR": str(scratch)},
    ) as process:
        give_up = time.monotonic() + 60
        while not (workers := children(process.pid)):
            assert process.poll() is None
            assert time.monotonic() < give_up
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said == "runtime bench: interrupted\n"
    assert not list(scratch.iterdir())
    give_up = time.monotonic() + 10  # they were told at the same moment, and end in theirs
    while [pid for pid in workers if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < give_up
        time.sleep(0.02)


@pytest.mark.parametrize(
    "command", [(), ("segment",), ("evaluate",), ("scenes",), ("picture",), ("providers",), ("bench",)]
)
def test_help_has_an_example(command: tuple[str, ...]) -> None:
    done = run(*command, "--help")
    assert done.returncode == 0
    assert "python -m runtime" in done.stdout.partition("example")[2]
