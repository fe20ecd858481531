"""The report page: whole, self-contained, right, and one line where it can't be made."""

from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from runtime import datasets, evaluate, model_files
from runtime.datasets import Source
from runtime.segmenter import Segmenter
from train import __main__ as train
from train.reports.details import difference

VOID_TAGS = {"meta", "img", "link", "br"}
CATEGORIES = ("flat", "construction", "object", "nature", "sky", "human", "vehicle")


class Page(HTMLParser):
    """A page, taken apart; unbalanced tags fail."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.words = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID_TAGS:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def history(epochs, gain):
    iou = [0.3 + gain * epoch for epoch in range(epochs)]
    return [
        {
            "epoch": n + 1,
            "loss": 1.0 / (n + 1),
            "seconds": 60.0,
            "cpu_seconds": 90.0,
            "validation": {"cityscapes": {"frames": 4, "mean_iou": v, "iou": dict.fromkeys(CATEGORIES, v)}},
        }
        for n, v in enumerate(iou)
    ]


@pytest.fixture
def make_run(tmp_path, streets):
    """Writes a run folder and gives its path."""

    def make(name="one", epochs=4, gain=0.1, **settings):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        stored = {"data": [f"cityscapes:{streets}"], "model": "unet", "epochs": 4, "loss": "both"} | settings
        (folder / "run.json").write_text(json.dumps({"frames": 8, "settings": stored}))
        (folder / "metrics.json").write_text(json.dumps(history(epochs, gain)))
        return folder

    return make


@pytest.fixture
def report(tmp_path, toy_file):
    """Makes a page with the toy model and gives it taken apart, and its text."""

    def make(*arguments):
        out = tmp_path / "report.html"
        given = ["report", *map(str, arguments), "--model", str(toy_file()), "-o", str(out)]
        assert train.main(given) == 0
        text = out.read_text(encoding="utf-8")
        return Page(text), text

    return make


def test_the_page_needs_nothing_but_itself(make_run, report):
    page, text = report(make_run())
    assert not page.all("script")
    assert not page.all("link")
    sources = [attrs["src"] for attrs in page.all("img")]
    assert all(source.startswith("data:image/") for source in sources)
    anchors = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    links = [attrs["href"] for attrs in page.all("a")]
    assert links
    assert all(link.startswith("#") and link[1:] in anchors for link in links)
    assert "http:" not in text
    assert "https:" not in text
    assert not re.search(r"url\(|@import", text)
    assert "must not be committed" in page.text


def test_its_figures_are_those_of_the_evaluation(make_run, report, streets, toy_file):
    page, _ = report(make_run())
    pairs = Source("cityscapes", streets).pairs("val")
    segmenter = Segmenter.load(toy_file())
    found = evaluate.summary(evaluate.evaluate(segmenter.segment, pairs), len(pairs))
    assert f"mean {found['mean_iou']:.3f}" in page.text
    for name, value in found["iou"].items():
        if value is not None:
            assert f"{name} {value:.3f}" in page.text
    assert "4 of 4 validation frames of cityscapes" in page.text


def test_the_worst_frames_are_there_with_truth_mask_and_difference(make_run, report, streets, toy_file):
    page, _ = report(make_run())
    images = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(attrs["src"].partition(",")[2]))))
        for attrs in page.all("img")
    ]
    assert len(images) == 4 * 4
    assert all(attrs["alt"] for attrs in page.all("img"))
    titles = re.findall(r"\d+\. mean IoU ([\d.]+)", page.text)
    assert titles == sorted(titles)
    keys = re.findall(r"frame (\S+)", " ".join(attrs["alt"] for attrs in page.all("img")))
    pairs = {pair.key: pair for pair in Source("cityscapes", streets).pairs("val")}
    segment = Segmenter.load(toy_file()).segment
    for index, key in enumerate(keys):
        frame, truth = datasets.read(pairs[key], scored_only=True)
        _, shown_truth, shown_mask, shown_difference = images[4 * index : 4 * index + 4]
        np.testing.assert_array_equal(shown_truth, truth)
        np.testing.assert_array_equal(shown_mask, segment(frame))
        np.testing.assert_array_equal(shown_difference, difference(truth, segment(frame)))


def test_a_page_without_pictures_names_the_worst_frames_and_holds_nothing_of_a_data_set(make_run, report, streets):
    page, _ = report(make_run(), "--no-pictures")
    worst = {pair.key for pair in Source("cityscapes", streets).pairs("val")}
    named = re.findall(r"\d+\. mean IoU [\d.]+.*?cityscapes (\S+)", page.text, re.DOTALL)
    assert set(named) == worst
    assert not [attrs for attrs in page.all("img") if attrs["alt"].startswith(("frame", "truth", "predicted", "right"))]
    assert "must not be committed" not in page.text


def test_a_difference_tells_right_wrong_and_not_scored():
    truth, mask = np.array([[0, 1, 2]], np.uint8), np.array([[1, 1, 1]], np.uint8)
    assert difference(truth, mask).tolist() == [[0, 1, 2]]


def test_fewer_frames_are_scored_and_said(make_run, report):
    page, _ = report(make_run(), "--frames", 2)
    assert len(page.all("img")) == 2 * 4
    assert "only 2 of 4 validation frames were scored" in page.text


def test_runs_are_compared_by_what_differs(make_run, report, tmp_path):
    first, second = make_run("one", gain=0.1), make_run("two", epochs=3, gain=0.15, seed=7, init="/a/b/model.keras")
    page, text = report(first, second)
    assert "best mean IoU, cityscapes 0.6000 (epoch 4) 0.6000 (epoch 3)" in page.text
    assert "epochs done 4 of 4 3 of 4" in page.text
    assert "seed - 7" in page.text
    assert "init - b/model.keras" in page.text
    assert "model unet" not in page.text
    assert "Not at its end yet: two." in page.text
    assert str(tmp_path) not in text


def test_whatever_a_folder_is_called_it_is_no_markup(make_run, report):
    page, text = report(make_run("<b>one&two"))
    assert "<b>one&two" in page.text
    assert "<b>one" not in text


def test_what_was_not_measured_is_said_with_the_command_that_measures_it(make_run, report):
    page, _ = report(make_run())
    assert "Robustness against bad weather, blur and noise has not been measured." in page.text
    assert "python -m runtime evaluate MODEL --corruptions" in page.text
    assert "How far confidence can be believed has not been measured." in page.text


def corrupted(name, severity, kept):
    shares = dict.fromkeys(CATEGORIES, kept) | {"sky": None}
    return {"name": name, "severity": severity, "mean_iou": 0.7 * kept, "kept": kept, "kept_by_category": shares}


ROBUSTNESS = {
    "model": "toy-fp32",
    "data": {
        "cityscapes:/somewhere/streets": {
            "frames": 4,
            "robustness": {
                "rows": [corrupted("fog", 3, 0.9), corrupted("snow", 3, 0.5), corrupted("size_half", None, 0.95)]
            },
        }
    },
}
BINS = [{"confidence": 0.5, "accuracy": 0.4, "pixels": 10}, {"confidence": 0.9, "accuracy": 0.85, "pixels": 30}]
CALIBRATION = {
    "model": "other",
    "temperature": 1.25,
    "frames": 4,
    "before": {"ece": 0.08, "bins": BINS},
    "after": {"ece": 0.04, "bins": BINS},
}


def test_measures_in_the_run_folder_are_drawn_and_judged(make_run, report):
    folder = make_run()
    (folder / "robustness.json").write_text(json.dumps(ROBUSTNESS))
    (folder / "calibration.json").write_text(json.dumps(CALIBRATION))
    page, text = report(folder)
    words = page.text.replace("\u00a0", " ")
    assert "mean 70 %" in words
    assert "Worst: snow at severity 3 keeps 50 %." in words
    assert "less than 75 % of the clean mean IoU is left under snow at severity 3 (50.0 %)." in words
    assert "ECE 0.080 before, 0.040 after temperature scaling at temperature 1.25." in words
    assert "Confidence is off by 0.040" in words
    assert "calibration.json was measured with other, not with the model of this page." in words
    assert "robustness.json was measured" not in words
    assert "/somewhere" not in text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("robustness.json", '{"rows": []}'),
        ("robustness.json", '{"data": {"cityscapes:x": {"robustness": {"rows": [{"kept": 1}]}}}}'),
        ("robustness.json", "[]"),
        ("calibration.json", '{"before": {"ece": 0.1}}'),
        ("calibration.json", '{"before": {"ece": 0.1, "bins": [1]}, "after": {"ece": 0.1, "bins": []}}'),
        ("calibration.json", "{"),
        ("metrics.json", '[{"loss": 1}]'),
        ("run.json", '{"settings": []}'),
        ("model.keras", "no archive"),
    ],
)
def test_a_broken_file_is_one_line_that_names_it(make_run, toy_file, tmp_path, capsys, name, content):
    folder = make_run()
    (folder / name).write_text(content)
    out = tmp_path / "report.html"
    assert train.main(["report", str(folder), "--model", str(toy_file()), "-o", str(out)]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert name in said[-1]
    assert said[-1].startswith("train report: ")
    assert not out.exists()


def test_bad_arguments_are_one_line(make_run, toy_file, tmp_path, capsys):
    folder, model = make_run(), str(toy_file())
    for arguments, words in (
        ([tmp_path], "run.json"),
        ([folder], "no model.keras"),
        ([folder, "--model", "nowhere.onnx"], "nowhere.onnx"),
        ([folder, "--model", model, "--frames", "0"], "--frames"),
        ([folder, "--model", model, "--data", "cityscapes:/nowhere"], "/nowhere"),
        ([folder, "--model", model, "-o", tmp_path / "no" / "page.html"], "no folder"),
    ):
        assert train.main(["report", *map(str, arguments)]) == 2
        said = capsys.readouterr().err.strip().splitlines()
        assert len(said) == 1
        assert words in said[0]
    with pytest.raises(SystemExit) as ended:
        train.main(["report"])
    assert ended.value.code == 2


def test_help_has_an_example(capsys):
    with pytest.raises(SystemExit) as ended:
        train.main(["report", "--help"])
    assert ended.value.code == 0
    assert "python -m train report runs/lite" in capsys.readouterr().out


def test_a_shipped_model_goes_by_its_name(make_run, tmp_path):
    out = tmp_path / "report.html"
    stem = model_files.stems()[0]
    assert train.main(["report", str(make_run()), "--model", stem, "--frames", "1", "-o", str(out)]) == 0
    assert f"Report on {stem}" in out.read_text(encoding="utf-8")
