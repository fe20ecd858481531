"""What is kept under a condition, from frames whose answer is known to the command and its heat map."""

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

from runtime import datasets, robustness, robustness_picture
from runtime.corruptions import CORRUPTIONS
from runtime.datasets import Pair, Source
from runtime.errors import DataInvalid
from runtime.frames import Frame, Mask
from runtime.metrics import Confusion
from runtime.robustness import Condition, Row
from runtime.segmenter import Segmenter

Toy = Callable[..., Path]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "runtime", "evaluate", *map(str, arguments)]
    return subprocess.run(program, capture_output=True, text=True, timeout=120)


def pairs_of(folder: Path) -> list[Pair]:
    return Source.parse(f"cityscapes:{folder}").pairs("val")


def brightest(frame: Frame) -> Mask:
    """1 + the brightest channel: a model that any frame can be given to."""
    return (1 + frame.argmax(axis=2)).astype(np.uint8)


def confusion(hits: int, misses: int) -> Confusion:
    made = Confusion()
    made.add(np.ones((1, hits + misses), np.uint8), np.array([[1] * hits + [2] * misses], np.uint8))
    return made


def test_the_conditions_are_all_fifteen_at_each_severity_and_then_the_others() -> None:
    made = robustness.conditions([5, 1, 1])
    assert len(made) == 2 * 15 + 2 + 2 + 4
    assert [one.severity for one in made[:4]] == [1, 5, 1, 5]
    assert [one.name for one in made[:30:2]] == list(CORRUPTIONS)
    chosen = robustness.conditions([3], ["size", "fog"])
    assert [(one.name, one.severity) for one in chosen] == [("fog", 3), ("size_half", None), ("size_double", None)]
    assert {one.group for one in made} == set(robustness.GROUPS)


@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [
        ("size_half", (96, 192), (48, 96)),
        ("size_double", (96, 192), (192, 384)),
        ("size_half", (1, 1), (1, 1)),
        ("aspect_4_3", (96, 192), (96, 128)),
        ("aspect_16_9", (96, 192), (96, 171)),
        ("aspect_16_9", (360, 480), (270, 480)),
        ("aspect_4_3", (360, 480), (360, 480)),
        ("aspect_4_3", (1, 100), (1, 1)),
        ("aspect_16_9", (100, 1), (1, 1)),
        ("jpeg_10", (96, 192), (96, 192)),
    ],
)
def test_frame_and_mask_change_alike(name: str, size: tuple[int, int], expected: tuple[int, int]) -> None:
    # Each pixel's category is its colour, in blocks of 6 x 6 that no change of size can blend.
    blocks = np.random.default_rng(0).integers(1, 8, (size[0] // 6 + 1, size[1] // 6 + 1), np.uint8)
    mask = np.kron(blocks, np.ones((6, 6), np.uint8))[: size[0], : size[1]]
    frame = np.repeat(30 * mask[..., None], 3, axis=2)
    condition = Condition(name)
    changed, changed_mask = condition.change(frame, 0), condition.change_mask(mask)
    assert changed.shape == (*expected, 3)
    assert changed_mask.shape == expected
    assert (changed.dtype, changed_mask.dtype) == (np.uint8, np.uint8)
    agree = np.abs(changed[..., 0].astype(int) - 30 * changed_mask) <= 15
    # Where an enlarged frame passes from one block to the next, it shows neither colour; nor does JPEG at its worst.
    assert agree.mean() > {"size_double": 0.75, "jpeg_10": 0.5}.get(name, 0.95)


def test_an_aspect_is_the_middle_of_the_frame() -> None:
    frame = np.zeros((100, 200, 3), np.uint8)
    frame[:, 100] = 255
    made = Condition("aspect_4_3").change(frame, 0)
    assert made.shape == (100, 133, 3)
    assert np.flatnonzero(made[0, :, 0]).tolist() == [67]


def test_kept_is_the_share_of_the_clean_iou() -> None:
    row = Row(Condition("fog", 3), found=confusion(40, 60), clean=confusion(80, 20))
    # One category of two occurs in the truth; the other is found where it is not, so its IoU is 0.
    assert row.kept() == pytest.approx(0.5)
    assert row.kept_of()["flat"] == pytest.approx(0.5)
    assert row.kept_of()["construction"] is None
    assert Row(Condition("fog", 3)).kept() is None


def test_the_mean_is_over_the_corruptions_of_a_severity_alone() -> None:
    def row(name: str, severity: int | None, hits: int) -> Row:
        return Row(Condition(name, severity), found=confusion(hits, 100 - hits), clean=confusion(100, 0))

    rows = [row("fog", 1, 80), row("snow", 1, 60), row("fog", 3, 20), row("size_half", None, 100)]
    # Against a clean IoU of 1 of one category stands the mean with a second one that is wrongly found.
    assert robustness.mean_kept(rows) == pytest.approx({1: 0.35, 3: 0.1})
    told = robustness.summary(rows)
    assert told["mean_kept"] == pytest.approx({"1": 0.35, "3": 0.1})
    assert json.loads(json.dumps(told))["rows"][3]["group"] == "size"


def test_a_measurement_is_the_sum_over_frames_each_corrupted_by_its_name(streets: Path) -> None:
    pairs, chosen = pairs_of(streets), [Condition("gaussian_noise", 3), Condition("aspect_4_3"), Condition("size_half")]
    clean, rows = robustness.measure(brightest, pairs, chosen, workers=2)
    clean_alone, first_alone = robustness.measure(brightest, pairs[2:3], chosen, workers=1)
    expected, expected_crop = Confusion(), Confusion()
    for pair in pairs:
        frame, truth = datasets.read(pair, scored_only=True)
        expected.add(truth, brightest(frame))
        expected_crop.add(truth[:, 32:160], brightest(frame[:, 32:160]))
    assert np.array_equal(clean.matrix, expected.matrix)
    assert np.array_equal(rows[0].clean.matrix, expected.matrix)
    assert np.array_equal(rows[1].found.matrix, expected_crop.matrix)
    assert np.array_equal(rows[1].clean.matrix, expected_crop.matrix)
    assert rows[2].found.matrix.sum() == rows[2].clean.matrix.sum() == expected.matrix.sum() // 4
    # The other three make the difference: the third frame has the noise that it has alone.
    _, others = robustness.measure(brightest, [*pairs[:2], pairs[3]], chosen)
    for row, alone, other in zip(rows, first_alone, others, strict=True):
        assert np.array_equal(row.found.matrix, alone.found.matrix + other.found.matrix)
    assert clean_alone.matrix.sum() == 192 * 96


def test_a_model_that_knows_nothing_of_the_frame_keeps_all(streets: Path) -> None:
    chosen = [Condition("snow", 5), Condition("jpeg_10")]
    _, rows = robustness.measure(lambda frame: np.ones(frame.shape[:2], np.uint8), pairs_of(streets), chosen)
    assert [row.kept() for row in rows] == [1, 1]


def test_a_broken_pair_ends_the_measurement(streets: Path, tmp_path: Path) -> None:
    broken = Pair(tmp_path / "absent.png", tmp_path / "absent.png", "cityscapes")
    with pytest.raises(DataInvalid, match="absent"):
        robustness.measure(brightest, [broken, *pairs_of(streets)], [Condition("fog", 1)])


def test_the_command_tells_every_condition_as_json_and_draws_it(toy_file: Toy, streets: Path, tmp_path: Path) -> None:
    model, picture = toy_file(), tmp_path / "heat.png"
    done = run(model, "--data", streets, "--limit", 2, "--threads", 1, "--json", "--picture", picture, "--corruptions",
               "--severities", 1, 5, "--only", "contrast", "pixelate", "aspect")  # fmt: skip
    assert done.returncode == 0, done.stderr
    (told,) = json.loads(done.stdout)["data"].values()
    rows = told["robustness"]["rows"]
    assert [(row["name"], row["severity"]) for row in rows] == [
        ("contrast", 1), ("contrast", 5), ("pixelate", 1), ("pixelate", 5), ("aspect_4_3", None), ("aspect_16_9", None)
    ]  # fmt: skip
    segmenter = Segmenter.load(model, threads=1)
    chosen = datasets.spread(pairs_of(streets), 2)
    clean, (expected, *_) = robustness.measure(segmenter.segment, chosen, [Condition("contrast", 1)])
    assert told["mean_iou"] == clean.mean_iou()
    assert rows[0]["kept"] == expected.kept()
    assert rows[0]["iou"] == expected.found.iou()
    assert told["robustness"]["mean_kept"]["5"] == pytest.approx((rows[1]["kept"] + rows[3]["kept"]) / 2)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_people_get_a_table_that_fits_a_terminal(toy_file: Toy, streets: Path) -> None:
    done = run(toy_file(), "--data", streets, "--limit", 1, "--corruptions", "--only", "elastic_transform", "quality")
    assert done.returncode == 0, done.stderr
    assert all(len(line) <= 80 for line in done.stdout.splitlines()[1:]), done.stdout
    assert "…" not in done.stdout
    for told in ("clean (IoU)", "elastic transform 3", "JPEG q10", "mean of severity 3"):
        assert told in done.stdout


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--corruptions", "--severities", 6), "--severities are 1 to 5"),
        (("--corruptions", "--only", "rain"), "--only knows no 'rain': it takes gaussian_noise,"),
        (("--severities", 3), "--corruptions"),
        (("--only", "fog"), "--corruptions"),
        (("--corruptions", "--severities", "much"), "'much'"),
    ],
)
def test_what_makes_no_sense_is_told_in_one_line(
    streets: Path, tmp_path: Path, options: tuple[object, ...], told: str
) -> None:
    # The model is not there either: what is told first is what was checked first.
    done = run(tmp_path / "absent.onnx", "--data", streets, *options)
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_a_heat_map_cuts_nothing_off() -> None:
    rows = [Row(one, confusion(50, 50), confusion(100, 0)) for one in robustness.conditions([1, 2, 3, 4, 5])]
    one_severity = [row for row in rows if row.condition.severity in (4, None)]
    title = "accurate-fp16 on tensorrt (tensorrt 100 nodes, cuda 20 nodes, cpu 9 nodes), 16 threads"
    others_alone = [row for row in rows if row.condition.severity is None]
    empty = [Row(row.condition) for row in rows]
    for results in ({"a": rows[:5], "b": empty[:5]}, {"a": one_severity}, {"a": others_alone}):
        drawn = np.asarray(Image.open(io.BytesIO(robustness_picture.draw(results, title))).convert("RGB"))
        edges = (drawn[:3], drawn[-3:], drawn[:, :3], drawn[:, -3:])
        assert all((edge == 255).all() for edge in edges)
