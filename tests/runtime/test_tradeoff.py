"""`python -m runtime tradeoff`: figures and picture of several models in one run."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from runtime import evaluate, tradeoff, tradeoff_picture
from runtime.datasets import Source
from runtime.segmenter import Segmenter
from runtime.tradeoff import Point

Toy = Callable[..., Path]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "runtime", "tradeoff", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.fixture
def frames_folder(tmp_path: Path) -> Path:
    """Two small frames, so that nothing of 2048 x 1024 is drawn and timed."""
    folder = tmp_path / "timed"
    folder.mkdir()
    for seed in range(2):
        values = np.random.default_rng(seed).integers(0, 256, (64, 96, 3), np.uint8)
        Image.fromarray(values).save(folder / f"{seed}.png")
    return folder


def point(name: str, precision: str, ms: float, iou: float | None) -> Point:
    return Point(name, precision, 4.28, [ms, ms], {"street": iou})


def test_all_models_are_scored_and_timed_in_one_run(toy_file: Toy, streets: Path, frames_folder: Path) -> None:
    first = toy_file()
    second = first.with_name("other-fp32.onnx")
    shutil.copy(first, second)
    picture = frames_folder.parent / "tradeoff.png"
    arguments = ("--data", f"cityscapes:{streets}", "--frames", frames_folder, "--rounds", 3, "--threads", 1)
    done = run(first, second, *arguments, "--json", "--picture", picture)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    pairs = Source.parse(f"cityscapes:{streets}").pairs("val")
    wanted = evaluate.evaluate(Segmenter.load(first, threads=1).segment, pairs).mean_iou()
    assert [row["name"] for row in told["models"]] == ["toy", "other"]
    assert [list(row["mean_iou"].values()) for row in told["models"]] == [[wanted], [wanted]]
    assert all(0 < row["median_ms"] <= row["p90_ms"] for row in told["models"])
    assert (told["providers"], told["threads"], told["rounds"], told["frames"]) == ("cpu", 1, 3, 2)
    assert told["pillow_png_ms"] > 0
    with Image.open(picture) as drawn:
        assert drawn.format == "PNG"


def test_people_see_the_fastest_first_and_pillow_beside(toy_file: Toy, streets: Path, frames_folder: Path) -> None:
    done = run(toy_file(), "--data", streets, "--limit", 1, "--frames", frames_folder, "--rounds", 1, "--threads", 1)
    assert done.returncode == 0, done.stderr
    assert "toy fp32" in done.stdout
    assert "Pillow decodes the PNG" in done.stdout
    assert "cpu, 1 thread; 1 round in turn" in " ".join(done.stdout.split())


def test_warm_up_is_not_counted(toy_file: Toy) -> None:
    segmenters = {"toy": Segmenter.load(toy_file(), threads=1)}
    shots = [np.zeros((64, 96, 3), np.uint8)] * 2
    times, decoding = tradeoff.time_in_turn(segmenters, shots, range(tradeoff.WARM_UP + 3))
    assert len(times["toy"]) == 3 * len(shots)
    assert len(decoding) == 3 * len(shots)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--rounds", 0), "--rounds must be 1 to"),
        (("--limit", 0), "--limit must be at least 1"),
        (("--picture", "a.jpg"), "name it .png"),
        (("--providers", "none-such"), "none-such"),
    ],
)
def test_wrong_arguments_are_told_in_one_line(
    toy_file: Toy, streets: Path, wrong: tuple[object, ...], said: str
) -> None:
    done = run(toy_file(), "--data", streets, *wrong)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_two_files_of_one_name_are_refused(toy_file: Toy, streets: Path, tmp_path: Path) -> None:
    first = toy_file()
    (tmp_path / "elsewhere").mkdir()
    second = shutil.copy(first, tmp_path / "elsewhere" / first.name)
    done = run(first, second, "--data", streets)
    assert done.returncode == 2
    assert "have one name" in done.stderr


def test_a_better_model_is_drawn_higher_and_a_slower_one_further_right() -> None:
    def found(points: list[Point], color: str) -> tuple[float, float]:
        with Image.open(io.BytesIO(tradeoff_picture.draw(points, 50, "title"))) as picture:
            pixels = np.asarray(picture.convert("RGB")).astype(int)
        wanted = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])
        rows, columns = np.nonzero((abs(pixels - wanted) < 12).all(-1))
        return float(rows.mean()), float(columns.mean())

    points = [point("good", "int8", 20, 0.8), point("bad", "fp32", 80, 0.6)]
    good, bad = (found(points, tradeoff_picture.COLORS[i]) for i in (0, 1))
    assert good[0] < bad[0]
    assert good[1] < bad[1]


def test_a_model_without_a_score_is_left_out_of_the_picture() -> None:
    assert tradeoff_picture.draw([point("good", "int8", 20, 0.8), point("none", "fp32", 30, None)], 50, "title")


def test_no_label_covers_another() -> None:
    near = [
        point("accurate", "int8", 65.3, 0.8186),
        point("accurate", "fp32", 114.1, 0.8166),
        point("before", "int8", 49.8, 0.8204),
        point("before", "fp32", 96.5, 0.8204),
        point("fast", "int8", 17.6, 0.7827),
    ]
    figure = tradeoff_picture.plot(near, 80.1, "five of one run")
    (axes,) = figure.axes
    boxes = [text.get_window_extent(figure.canvas.get_renderer()) for text in axes.texts]
    assert len(boxes) == len(near) + 1
    assert not [(a, b) for n, a in enumerate(boxes) for b in boxes[:n] if a.overlaps(b)]
