"""What the report is made of: run folders, charts, shares in words, and a Keras file at work."""

from __future__ import annotations

import io
import json
import re
import zipfile

import numpy as np
import pytest

from runtime.errors import DataInvalid
from train.reports import lines, markup, runs
from train.reports.analysis import keras_segment


def write_run(folder, **settings):
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"frames": 3, "settings": settings}))
    return folder


def test_runs_of_one_name_are_told_apart_and_a_run_counts_once(tmp_path):
    folders = [write_run(tmp_path / "a" / "run"), write_run(tmp_path / "b" / "run"), write_run(tmp_path / "other")]
    assert [run.name for run in runs.read([*folders, folders[0]])] == ["a/run", "b/run", "other"]


def test_settings_that_differ_are_found_inside_others(tmp_path):
    one = write_run(tmp_path / "one", seed=1, loss="both", augmentation={"blur": 0.1, "crop": [2, 3]})
    two = write_run(tmp_path / "two", seed=1, loss="dice", augmentation={"blur": 0.2, "crop": [2, 3]}, extra=True)
    differing = runs.differing(runs.read([one, two]))
    assert differing == {"loss": ["both", "dice"], "augmentation.blur": [0.1, 0.2], "extra": [None, True]}


def test_parameters_are_the_numbers_in_the_weights(tmp_path):
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as weights:
        weights["layers/conv/vars/0"] = np.zeros((3, 3, 3, 16))
        weights["layers/conv/vars/1"] = np.zeros(16)
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.writestr("model.weights.h5", buffer.getvalue())
    assert runs.parameters(tmp_path / "model.keras") == 3 * 3 * 3 * 16 + 16
    assert runs.parameters(tmp_path / "none.keras") is None


def test_the_best_epoch_is_not_the_last(tmp_path):
    folder = write_run(tmp_path / "run")
    rows = [{"epoch": n, "loss": 1.0, "validation": {"x": {"mean_iou": v}}} for n, v in ((1, 0.4), (2, 0.6), (3, 0.5))]
    (folder / "metrics.json").write_text(json.dumps([*rows, {"epoch": 4, "loss": 1.0}]))
    (run,) = runs.read([folder])
    assert run.best("x") == (2.0, 0.6)
    assert run.best("y") is None
    assert run.data_sets() == ["x"]


def test_speed_and_stall_are_means_over_the_time_of_the_epochs_that_know_them(tmp_path):
    folder = write_run(tmp_path / "run")
    known = [{"seconds": 10, "frames_per_s": 8.0, "stall": 0.5}, {"seconds": 30, "frames_per_s": 4.0, "stall": 0.1}]
    rows = [{"epoch": 1, "loss": 1.0, "seconds": 99}, *({"epoch": 2, "loss": 1.0} | row for row in known)]
    (folder / "metrics.json").write_text(json.dumps(rows))
    (run,) = runs.read([folder])
    assert run.over_time("frames_per_s") == pytest.approx((10 * 8 + 30 * 4) / 40)
    assert run.over_time("stall") == pytest.approx((10 * 0.5 + 30 * 0.1) / 40)
    (folder / "metrics.json").write_text(json.dumps(rows[:1]))
    assert runs.read([folder])[0].over_time("stall") is None


@pytest.mark.parametrize(
    ("span", "wanted"),
    [
        ((0, 1), [0, 0.2, 0.4, 0.6, 0.8, 1]),
        ((0.46, 10.54), [2, 4, 6, 8, 10]),
        ((-3, 7), [-2, 0, 2, 4, 6]),
        ((5, 5), [5]),
    ],
)
def test_ticks_are_round_and_inside(span, wanted):
    assert lines.ticks(*span) == pytest.approx(wanted)


@pytest.mark.parametrize("points", [[(1, 0.5)], [(1, 0.5), (2, 0.5)], [(1, -3e6), (9, 4e-9), (12, 8e6)]])
def test_a_chart_keeps_its_points_inside(points):
    drawn = lines.chart({"a < b": points, "none": []}, x_name="epoch", y_name="loss")
    chart = drawn.partition('<div class="legend">')[0]
    (path,) = re.findall(r'<polyline points="([^"]+)"', chart)
    for pair in path.split():
        x, y = map(float, pair.split(","))
        assert 0 <= x <= lines.WIDTH
        assert 0 <= y <= lines.HEIGHT
    assert "a &lt; b" in drawn
    assert "a < b" not in drawn
    assert lines.chart({"none": []}, x_name="", y_name="") == ""


@pytest.mark.parametrize(
    ("value", "said"), [(None, "-"), (0.0, "0.0 %"), (0.0001, "<0.1 %"), (0.812, "81.2 %"), (1.0, "100.0 %")]
)
def test_shares_in_words(value, said):
    assert markup.percent(value).replace("\u00a0", " ") == said


def test_only_markup_passes_unescaped():
    assert markup.join("<i>", markup.Html("<i>")) == "&lt;i&gt;\n<i>"


def test_a_keras_file_segments_as_its_logits_say(tmp_path):
    import keras

    image = keras.Input((None, None, 3))
    # The logit of category 1 + c is channel c: the mask is 1 + the brightest channel.
    layer = keras.layers.Conv2D(7, 1, use_bias=False)
    model = keras.Model(image, layer(image))
    kernel = np.full((1, 1, 3, 7), -1.0, np.float32)
    kernel[0, 0, :, :3] = np.eye(3)
    layer.set_weights([kernel])
    model.save(tmp_path / "model.keras")
    frame = np.random.default_rng(0).integers(1, 256, (32, 64, 3), np.uint8)
    segment = keras_segment(tmp_path / "model.keras", {"geometry": {"pixel_budget": 32 * 64, "max_upscale": 1.0}})
    np.testing.assert_array_equal(segment(frame), frame.argmax(-1) + 1)
    (tmp_path / "broken.keras").write_text("no archive")
    with pytest.raises(DataInvalid, match=r"broken\.keras"):
        keras_segment(tmp_path / "broken.keras", {})
