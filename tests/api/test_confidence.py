"""Confidence and quality through the API: every format, every border, and what is told where it is off.

The model of these tests is as sure of a pixel as its brightest channel is bright.
"""

from __future__ import annotations

import base64
import io
import math
import os
import subprocess
import sys
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from PIL import Image

from api.confidence import least_stored
from runtime import categories, frames
from runtime.frames import Geometry
from runtime.segmenter import Segmenter


def grey(text: str) -> np.ndarray:
    """What a greyscale PNG in base64 holds."""
    image = Image.open(io.BytesIO(base64.b64decode(text)))
    assert (image.format, image.mode) == ("PNG", "L")
    return np.array(image)


def in_formats(server: Any, body: bytes, **asked: object) -> dict[str, np.ndarray]:
    """The masks of the formats that hold one."""
    answers = {form: server.http.post("/segment", content=body, params={**asked, "format": form}) for form in FORMATS}
    assert all(answer.status_code == 200 for answer in answers.values()), answers
    npy = np.load(io.BytesIO(answers["npy"].content))
    return {
        "png": np.array(Image.open(io.BytesIO(answers["png"].content))),
        "npy": npy if npy.ndim == 2 else npy[:, :, 0],
        "json": np.array(Image.open(io.BytesIO(base64.b64decode(answers["json"].json()["mask"])))),
    }


FORMATS = ("png", "npy", "json")


# With confidence=1.


@pytest.mark.parametrize(("height", "width"), [(48, 64), (31, 45), (1, 333)])
def test_json_carries_the_confidence_of_every_pixel(confident, frame, mask_of, encode, height, width):
    pixels = frame(height, width)
    told = confident.http.post("/segment?confidence=1&format=json", content=encode(pixels)).json()
    np.testing.assert_array_equal(grey(told["confidence"]), pixels.max(axis=2))
    assert told["mean_confidence"] == pytest.approx(pixels.max(axis=2).mean() / 255)
    assert set(told["quality"]) == {"flags", "luma", "sharpness"}
    assert told["quality"]["luma"] == pytest.approx(pixels.mean(), abs=8)
    assert [row["pixels"] for row in told["categories"]] == [int((mask_of(pixels) == i).sum()) for i in range(8)]


def test_npy_is_mask_and_confidence(confident, frame, mask_of, encode):
    answer = confident.http.post("/segment?confidence=1&format=npy", content=encode(frame()))
    both = np.load(io.BytesIO(answer.content))
    assert (both.dtype, both.shape) == (np.uint8, (48, 64, 2))
    np.testing.assert_array_equal(both[:, :, 0], mask_of(frame()))
    np.testing.assert_array_equal(both[:, :, 1], frame().max(axis=2))


def test_mask_and_confidence_are_brought_back_by_the_same_pixels(confident, frame, mask_of, encode):
    pixels = frame(1080, 1920)
    fit = frames.plan(1080, 1920, Geometry(max_upscale=1.0))
    fitted = frames.fit(pixels, fit)
    answer = confident.http.post("/segment?confidence=1&format=npy", content=encode(pixels, compress_level=1))
    both = np.load(io.BytesIO(answer.content))
    np.testing.assert_array_equal(both[:, :, 0], frames.restore(mask_of(fitted), fit))
    np.testing.assert_array_equal(both[:, :, 1], frames.restore(fitted.max(axis=2), fit))


def test_png_and_jpeg_stay_pictures_and_say_the_mean_in_a_header(confident, frame, mask_of, encode):
    for form in ("png", "jpeg"):
        plain = confident.http.post(f"/segment?format={form}", content=encode(frame()))
        asked = confident.http.post(f"/segment?format={form}&confidence=1", content=encode(frame()))
        assert asked.content == plain.content
        assert float(asked.headers["roadmask-confidence"]) == pytest.approx(frame().max(axis=2).mean() / 255, abs=6e-4)


def test_without_asking_nothing_but_the_headers_is_more(confident, server, frame, encode):
    for form in (*FORMATS, "jpeg"):
        answers = [one.http.post(f"/segment?format={form}", content=encode(frame())) for one in (confident, server)]
        if form == "json":
            documents = [{**answer.json(), "timings_ms": None} for answer in answers]
            assert documents[0] == documents[1]
        else:
            assert answers[0].content == answers[1].content
        assert set(answers[0].headers) - set(answers[1].headers) == {"roadmask-confidence", "roadmask-quality"}


@pytest.mark.parametrize(
    ("value", "flags"),
    [(None, []), (0, ["too dark", "blurred", "unlike the training data"]), (255, ["too bright", "blurred"])],
)
def test_every_answer_says_what_is_wrong_with_the_frame(confident, frame, encode, value, flags):
    body = encode(frame() if value is None else np.full((48, 64, 3), value, np.uint8))
    for query in ("", "?confidence=1&format=json"):
        answer = confident.http.post(f"/segment{query}", content=body)
        assert answer.headers["roadmask-quality"] == (", ".join(flags) or "good")
    assert answer.json()["quality"]["flags"] == flags


# min_confidence.


def test_what_is_below_is_void_in_every_format(confident, frame, mask_of, encode):
    expected = np.where(frame().max(axis=2) >= 179, mask_of(frame()), 0)  # 255 x 0.7 = 178.5
    for more in ({}, {"confidence": 1}):
        for form, mask in in_formats(confident, encode(frame()), min_confidence=0.7, **more).items():
            np.testing.assert_array_equal(mask, expected, form)
    told = confident.http.post("/segment?min_confidence=0.7&format=json", content=encode(frame())).json()
    assert [row["pixels"] for row in told["categories"]] == [int((expected == i).sum()) for i in range(8)]
    assert told["categories"][0]["share"] == pytest.approx((expected == 0).mean())
    assert "confidence" not in told


def test_the_confidence_itself_and_the_quality_stay_as_they_are(confident, frame, encode):
    asked = [f"/segment?confidence=1&format=json&min_confidence={least}" for least in (0, 1)]
    first, second = (confident.http.post(path, content=encode(frame())).json() for path in asked)
    assert all(first[key] == second[key] for key in ("confidence", "mean_confidence", "quality"))
    assert first["mask"] != second["mask"]


def test_the_overlay_shows_void_where_it_is_not_sure(confident, encode):
    pixels = np.full((40, 56, 3), (200, 10, 30), np.uint8)
    for least, color in ((200 / 255, categories.PALETTE[1]), (201 / 255, categories.PALETTE[0])):
        path = f"/segment?format=jpeg&opacity=1&min_confidence={least}"
        overlay = np.array(Image.open(io.BytesIO(confident.http.post(path, content=encode(pixels)).content)))
        assert np.abs(overlay - color.astype(float)).max() <= 3


@pytest.mark.parametrize("stored", [0, 1, 51, 127, 128, 254, 255])
def test_a_stored_value_is_kept_at_its_own_share_and_void_just_above(confident, encode, stored):
    body = encode(np.array([[[stored, 0, 0], [255, 0, 0]]], np.uint8))
    share = stored / 255
    for least, is_kept in ((share, True), (math.nextafter(share, 2), False)):
        if least <= 1:
            answer = confident.http.post(
                "/segment", params={"min_confidence": repr(least), "format": "npy"}, content=body
            )
            np.testing.assert_array_equal(np.load(io.BytesIO(answer.content)), [[int(is_kept), 1]])


def test_the_least_that_is_kept_is_255_times_the_share_rounded_up():
    for thousandths in range(1001):
        assert least_stored(float(f"{thousandths / 1000:.3f}")) == math.ceil(255 * Fraction(thousandths, 1000))
    assert [least_stored(stored / 255) for stored in range(256)] == list(range(256))


def test_zero_changes_nothing(confident, encode):
    body = encode(np.zeros((8, 8, 3), np.uint8))
    for path in (
        "/segment?format=npy&min_confidence=0",
        "/segment?format=npy&min_confidence=0.0",
        "/segment?format=npy",
    ):
        assert (np.load(io.BytesIO(confident.http.post(path, content=body).content)) == 1).all()


def test_compare_counts_void_as_a_miss_and_as_nothing_else(confident, encode):
    # Flat, flat, construction, construction; the second and the last one dim.
    pixels = np.array([[[250, 0, 0], [90, 0, 0], [0, 250, 0], [0, 90, 0]]], np.uint8)
    files = {"image": ("a.png", encode(pixels)), "truth": ("b.png", encode(np.array([[1, 1, 2, 1]], np.uint8)))}
    whole, sure = (confident.http.post(f"/compare?min_confidence={least}", files=files).json() for least in (0, 0.5))
    assert (whole["iou"]["flat"], whole["iou"]["construction"], whole["accuracy"]) == (2 / 3, 1 / 2, 3 / 4)
    # Void is no false positive: that of construction is gone, the two misses of flat are misses.
    assert (sure["iou"]["flat"], sure["iou"]["construction"], sure["accuracy"]) == (1 / 3, 1, 2 / 4)
    assert sure["confusion"][1] == [2, 1, 0, 0, 0, 0, 0, 0]
    prediction = np.array(Image.open(io.BytesIO(base64.b64decode(sure["prediction"]))))
    np.testing.assert_array_equal(prediction, [[1, 0, 2, 0]])
    difference = np.array(Image.open(io.BytesIO(base64.b64decode(sure["difference"]))))
    np.testing.assert_array_equal(difference, [[1, 2, 1, 2]])


# What is wrong, and what is off.


@pytest.mark.parametrize("path", ["/segment", "/compare"])
@pytest.mark.parametrize("text", ["1.01", "-0.1", "nan", "inf", "half", "", "1e400", "0x1", "0.5,0.6", "\u00bd"])
def test_a_least_confidence_that_makes_no_sense(confident, server, encode, frame, assert_problem, path, text):
    files = {field: (f"{field}.png", encode(frame())) for field in ("image", "truth")}
    for one in (confident, server):
        answer = one.http.post(path, params={"min_confidence": text}, files=files)
        assert_problem(answer, 400, f"min_confidence is '{text}'", "from 0 to 1")


@pytest.mark.parametrize("text", ["2", "true", "", "-1", "1.0", "\u0661"])
def test_a_confidence_that_is_neither_on_nor_off(confident, server, encode, frame, assert_problem, text):
    for one in (confident, server):
        answer = one.http.post("/segment", params={"confidence": text}, content=encode(frame()))
        assert_problem(answer, 400, f"confidence is '{text}'", "1")


@pytest.mark.parametrize(
    "path",
    [
        "/segment?confidence=1",
        "/segment?min_confidence=0.5",
        "/segment?min_confidence=1e-9",
        "/compare?min_confidence=1",
    ],
)
def test_where_it_is_off_it_says_how_to_switch_it_on(server, encode, frame, assert_problem, path):
    files = {field: (f"{field}.png", encode(frame())) for field in ("image", "truth")}
    assert_problem(server.http.post(path, files=files), 400, "ROADMASK_CONFIDENCE=1")


def test_where_it_is_off_asking_for_none_of_it_is_no_mistake(server, frame, encode):
    answer = server.http.post("/segment?confidence=0&min_confidence=0", content=encode(frame()))
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name in ("roadmask-confidence", "roadmask-quality")]


def test_off_a_model_is_loaded_without_it(start, confident_model_folder):
    told = start(models=confident_model_folder).http.get("/model").json()
    assert told["confidence"] is False
    assert "ReduceMax" not in {name for name, count in told["operators"]["cpu"].items() if count > 1}


def test_the_model_tells_temperature_and_thresholds(confident, server):
    told = confident.http.get("/model").json()
    assert told["confidence"] is True
    assert told["contract"]["temperature"] == 1.5
    assert set(told["contract"]["quality"]) == {"luma_low", "luma_high", "sharpness_low", "confidence_low"}
    assert server.http.get("/model").json()["contract"]["temperature"] is None


def test_a_default_without_it_ends_the_start_with_one_line(confident_model_folder):
    told = subprocess.run(
        [sys.executable, "-m", "api", "--port", "0", "--models", str(confident_model_folder)],
        env=os.environ | {"ROADMASK_CONFIDENCE": "1", "ROADMASK_MODEL": "plain", "ROADMASK_LOG_LEVEL": "error"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (told.returncode, told.stdout) == (2, "")
    (line,) = told.stderr.splitlines()
    assert line.startswith("python -m api: ")
    assert "plain-int8.onnx" in line
    assert "confidence" in line
    assert "python -m convert" in line


def test_another_model_without_it_can_not_be_asked_for(confident, frame, encode, assert_problem):
    assert_problem(confident.http.post("/segment?model=plain", content=encode(frame())), 503, "plain")


def test_metrics_count_flags_and_confidence_where_it_is_on(confident, server, frame, encode):
    def counted(one: Any) -> dict[str, float]:
        lines = one.http.get("/metrics").text.splitlines()
        wanted = ("roadmask_frame_quality_total", "roadmask_mean_confidence_count")
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line.startswith(wanted)}

    before = counted(confident)
    confident.http.post("/segment", content=encode(frame()))
    confident.http.post("/segment", content=encode(np.zeros((9, 9, 3), np.uint8)))
    after = counted(confident)
    grown = {name.split('"')[1] if '"' in name else "": after[name] - before[name] for name in after}
    assert grown == {"good": 1, "too dark": 1, "too bright": 0, "blurred": 1, "unlike the training data": 1, "": 2}
    assert counted(server) == {}


def test_a_model_that_is_given_with_it_is_served_with_it_whatever_the_setting(
    start, confident_model_folder, encode, frame
):
    path = confident_model_folder / "accurate-int8.onnx"
    given = start(Segmenter.load(path, confidence=True))
    answer = given.http.post("/segment?confidence=1&format=json", content=encode(frame()))
    assert answer.status_code == 200
    assert "roadmask_mean_confidence_count 1.0" in given.http.get("/metrics").text
