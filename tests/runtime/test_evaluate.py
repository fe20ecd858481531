from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from runtime import categories, confusion_picture, contract, datasets
from runtime.calibration import Reliability
from runtime.contract import Contract
from runtime.datasets import Source
from runtime.metrics import Confusion
from runtime.segmenter import Segmenter

Toy = Callable[..., Path]


def run(*arguments: object, code: str = "") -> subprocess.CompletedProcess[str]:
    """`python -m runtime evaluate`, or the same after some code."""
    program = ["-m", "runtime"]
    if code:
        program = ["-c", f"{code}\nimport sys\nfrom runtime.__main__ import main\nraise SystemExit(main(sys.argv[1:]))"]
    return subprocess.run(
        [sys.executable, *program, "evaluate", *map(str, arguments)], capture_output=True, text=True, timeout=120
    )


def pixels(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as picture:
        return np.asarray(picture.convert("RGB"))


def counts(truth: list[int], prediction: list[int]) -> Confusion:
    confusion = Confusion()
    confusion.add(np.array([truth], np.uint8), np.array([prediction], np.uint8))
    return confusion


def test_json_tells_the_hardware_and_the_whole_confusion_matrix(toy_file: Toy, streets: Path) -> None:
    model = toy_file()
    done = run(model, "--data", f"cityscapes:{streets}", "--threads", 1, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    segmenter, confusion = Segmenter.load(model, threads=1), Confusion()
    for pair in Source.parse(f"cityscapes:{streets}").pairs("val"):
        frame, truth = datasets.read(pair, scored_only=True)
        confusion.add(truth, segmenter.segment(frame))
    (row,) = told["data"].values()
    assert row["confusion"] == confusion.matrix.tolist()
    assert (told["model"], told["precision"]) == ("toy-fp32", "fp32")
    assert (told["providers"], told["provider"], told["threads"]) == ("cpu", "cpu", 1)
    assert told["nodes"] == {"cpu": sum(segmenter.nodes["cpu"].values())}


def test_confidence_is_measured_by_what_is_served(toy_file: Toy, streets: Path) -> None:
    stamped = Contract("fp32", temperature=1.5, quality={"luma_low": 256, "confidence_low": 0.0})
    model = toy_file(confidence=True, stamped={contract.KEY: stamped.to_json()})
    done = run(model, "--data", streets, "--confidence", "--json", "--threads", 1)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["data"].values()
    segmenter, reliability = Segmenter.load(model, confidence=True), Reliability()
    pairs = Source.parse(str(streets)).pairs("val")
    for pair in pairs:
        frame, truth = datasets.read(pair, scored_only=True)
        reliability.add(truth, *segmenter.segment_with_confidence(frame))
    assert row["calibration"] == {"temperature": 1.5, **reliability.summary()}
    assert row["quality"]["flagged"] == row["quality"]["flags"]["too dark"] == len(pairs)
    assert row["quality"]["flags"]["unlike the training data"] == 0
    told = run(model, "--data", streets, "--confidence", "--threads", 1).stdout
    assert f"{reliability.error():.4f}" in told
    plain = json.loads(run(model, "--data", streets, "--json", "--threads", 1).stdout)
    (without,) = plain["data"].values()
    assert without == {key: value for key, value in row.items() if key not in ("calibration", "quality")}


def test_confidence_that_cannot_be_measured_is_one_line(toy_file: Toy, streets: Path) -> None:
    for more, named in (([], "has no confidence: make it anew"), (["--corruptions"], "without --corruptions")):
        done = run(toy_file(), "--data", streets, "--confidence", *more)
        assert done.returncode == 2
        assert named in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_people_are_told_the_hardware_above_the_table(toy_file: Toy, streets: Path) -> None:
    done = run(toy_file(), "--data", streets, "--limit", 1, "--threads", 1)
    assert done.returncode == 0, done.stderr
    line = done.stdout.splitlines()[0]
    assert line.startswith("toy-fp32 on cpu (cpu ")
    assert "nodes), 1 thread, split 'val'" in line


def test_a_picture_has_a_panel_for_each_data_set(toy_file: Toy, streets: Path, tmp_path: Path) -> None:
    model, one, two = toy_file(), tmp_path / "one.png", tmp_path / "two.PNG"
    other = tmp_path / "other"
    other.symlink_to(streets)
    assert run(model, "--data", streets, "--limit", 1, "--picture", one).returncode == 0
    done = run(model, "--data", streets, "--data", other, "--limit", 1, "--picture", two, "--json")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["data"]) == 2
    small, large = pixels(one.read_bytes()), pixels(two.read_bytes())
    assert large.shape[0] == small.shape[0]
    assert large.shape[1] == 2 * small.shape[1]


def test_a_picture_that_cannot_be_drawn_is_refused_before_the_work(
    toy_file: Toy, streets: Path, tmp_path: Path
) -> None:
    missing = "import sys; sys.modules['matplotlib'] = None"
    for path, named, code in (
        (tmp_path / "matrix.jpg", ".png", ""),
        (tmp_path / "absent" / "matrix.png", "no folder", ""),
        (tmp_path / "matrix.png", "pip install 'roadmask[plot]'", missing),
    ):
        # The model is not there either: what is told first is what was checked first.
        done = run(tmp_path / "absent.onnx", "--data", streets, "--picture", path, code=code)
        assert done.returncode == 2
        assert named in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert not path.exists()


def test_matplotlib_is_imported_for_a_picture_alone_and_its_state_is_left_alone(
    toy_file: Toy, streets: Path, tmp_path: Path
) -> None:
    told = "import atexit, sys; atexit.register(lambda: print([m for m in sys.modules if m in {names}]))"
    arguments = (toy_file(), "--data", streets, "--limit", 1)
    without = run(*arguments, code=told.format(names={"matplotlib"}))
    assert without.stdout.splitlines()[-1] == "[]", without
    drawn = run(*arguments, "--picture", tmp_path / "a.png", code=told.format(names={"matplotlib.pyplot"}))
    assert drawn.returncode == 0, drawn.stderr
    assert drawn.stdout.splitlines()[-1] == "[]"


def test_shares_are_of_the_truth_s_pixels_void_left_out() -> None:
    shares = confusion_picture.shares(counts([0, 0, 1, 1, 1, 1, 7], [1, 2, 1, 1, 1, 2, 7]))
    assert shares.shape == (7, 7)
    assert shares[0].tolist() == [0.75, 0.25, 0, 0, 0, 0, 0]
    assert shares[6].tolist() == [0, 0, 0, 0, 0, 0, 1]
    assert np.isnan(shares[1:6]).all()


def test_a_picture_shows_every_category_s_colour_and_cuts_nothing_off() -> None:
    long = "cityscapes-of-a-folder-with-a-long-name, val: 1000 frames"
    title = "accurate-fp16 on tensorrt (tensorrt 100 nodes, cuda 20 nodes, cpu 9 nodes), 16 threads"
    some, none = counts([1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 6, 6]), Confusion()
    for confusions in ({"camvid": some}, {"camvid": some, long: some}, {"camvid": some, long: none, "third": some}):
        drawn = pixels(confusion_picture.draw(confusions, title))
        colours = {tuple(colour) for colour in np.unique(drawn.reshape(-1, 3), axis=0).tolist()}
        assert {categories.CATEGORIES[i].color for i in categories.SCORED} <= colours
        edges = (drawn[:3], drawn[-3:], drawn[:, :3], drawn[:, -3:])
        assert all((edge == 255).all() for edge in edges)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_equal_shares_have_equal_colours_in_every_panel(share: float) -> None:
    right = round(100 * share)
    alone = counts([1] * 100, [1] * right + [2] * (100 - right))
    beside = counts([1] * 300 + [2] * 50, [1] * 3 * right + [2] * 3 * (100 - right) + [2] * 50)
    drawn = pixels(confusion_picture.draw({"a": alone, "b": beside}, "title"))
    half = drawn.shape[1] // 2
    # The first cell of each panel, at its left, where no figure stands: beside the square in the category's colour.
    cells = []
    for panel in (drawn[:, :half], drawn[:, half:]):
        square = np.argwhere((panel == categories.CATEGORIES[1].color).all(axis=2))
        cells.append(panel[square[:, 0].min(), square[:, 1].max() + 25].tolist())
    assert cells[0] == cells[1]
    assert (cells[0] == [255, 255, 255]) is False
