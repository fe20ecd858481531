"""`POST /compare`: figures that can be told by hand, and forms that are not what they should be."""

from __future__ import annotations

import base64
import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from api import compare
from runtime import categories
from runtime.truth import LABELS


def image_of(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))


def form(image: bytes, truth: bytes) -> dict[str, Any]:
    return {"image": ("frame.png", image), "truth": ("truth.png", truth)}


def primary(channels: np.ndarray) -> np.ndarray:
    """A frame whose brightest channels are these: `accurate-int8` gives channel + 1."""
    return np.eye(3, dtype=np.uint8)[channels] * 255


PREDICTED = np.array([[1, 1, 2, 2], [3, 3, 3, 1]], np.uint8)
TRUTH = np.array([[1, 1, 2, 1], [3, 3, 0, 7]], np.uint8)
FRAME = primary(PREDICTED - 1)


def test_figures_and_pictures_of_a_comparison(server, encode):
    answer = server.http.post("/compare", files=form(encode(FRAME), encode(TRUTH)))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["roadmask-model"] == "accurate-int8"
    assert answer.headers["server-timing"].startswith("decode;dur=")
    told = answer.json()
    assert set(told) == {
        "model", "provider", "width", "height", "iou", "mean_iou", "accuracy", "confusion", "prediction", "truth",
        "difference", "truth_kind", "timings_ms",
    }  # fmt: skip
    assert (told["model"], told["provider"], told["width"], told["height"]) == ("accurate-int8", "cpu", 4, 2)
    assert told["truth_kind"] == "category_ids"
    confusion = np.zeros((8, 8), int)
    for truth, predicted in zip(TRUTH.ravel(), PREDICTED.ravel(), strict=True):
        confusion[truth, predicted] += 1
    assert told["confusion"] == confusion.tolist()
    iou = {"flat": 2 / 4, "construction": 1 / 2, "object": 2 / 2, "nature": None, "sky": None, "human": None}
    assert told["iou"] == {**iou, "vehicle": 0.0}
    assert told["mean_iou"] == pytest.approx((2 / 4 + 1 / 2 + 1 + 0) / 4)
    assert told["accuracy"] == pytest.approx(5 / 7)
    assert list(told["timings_ms"]) == ["decode", "queue", "infer", "encode"]
    for key, pixels in (("prediction", PREDICTED), ("truth", TRUTH)):
        picture = image_of(told[key])
        np.testing.assert_array_equal(np.array(picture), pixels)
        np.testing.assert_array_equal(np.array(picture.convert("RGB")), categories.PALETTE[pixels])
    difference = image_of(told["difference"])
    expected = np.array([[1, 1, 1, 2], [1, 1, 0, 2]], np.uint8)
    np.testing.assert_array_equal(np.array(difference), expected)
    np.testing.assert_array_equal(np.array(difference.convert("RGB")), compare.DIFFERENCE_PALETTE[expected])


@pytest.mark.parametrize("kind", ["label_ids", "colors"])
def test_the_truth_is_recognised(server, encode, kind):
    label_ids = np.array([[7, 8, 11, 7], [17, 19, 10, 26]], np.uint8)  # rail track (10) is not scored
    color_of = {label_id: color for _, label_id, color in LABELS}
    colors = np.array([[color_of[int(i)] for i in row] for row in label_ids], np.uint8)
    truth = label_ids if kind == "label_ids" else colors
    told = server.http.post("/compare", files=form(encode(FRAME), encode(truth))).json()
    assert told["truth_kind"] == kind
    np.testing.assert_array_equal(np.array(image_of(told["truth"])), TRUTH)


def test_the_model_can_be_chosen(server, encode):
    told = server.http.post("/compare?model=accurate-fp32", files=form(encode(FRAME), encode(TRUTH))).json()
    assert told["model"] == "accurate-fp32"
    np.testing.assert_array_equal(np.array(image_of(told["prediction"])), PREDICTED + 1)
    assert server.http.post("/compare?model=none", files=form(b"", b"")).status_code == 404


def test_a_truth_of_void_alone_has_no_figures(server, encode):
    told = server.http.post("/compare", files=form(encode(FRAME), encode(np.zeros_like(TRUTH)))).json()
    assert (told["mean_iou"], told["accuracy"]) == (None, None)
    assert not np.array(image_of(told["difference"])).any()


def test_the_size_that_counts_is_the_one_that_is_displayed(server, encode, assert_problem):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encode(np.ascontiguousarray(np.rot90(FRAME)), exif=exif)
    told = server.http.post("/compare", files=form(turned, encode(TRUTH))).json()
    np.testing.assert_array_equal(np.array(image_of(told["prediction"])), PREDICTED)
    answer = server.http.post("/compare", files=form(encode(FRAME, exif=exif), encode(TRUTH)))
    assert_problem(answer, 400, "2 x 4", "4 x 2")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (["image"], ["no files", "'truth'"]),
        (["truth"], ["no files", "'image'"]),
        (["image", "file"], ["no files", "'truth'", "'image'"]),
        (["image", "image"], ["2 files", "'image'"]),
        (["image", "truth", "truth"], ["2 files", "'truth'"]),
    ],
)
def test_a_form_needs_one_file_in_each_field(server, encode, assert_problem, fields, words):
    files = [(field, ("a.png", encode(FRAME))) for field in fields]
    assert_problem(server.http.post("/compare", files=files), 400, *words)


def test_other_parts_of_the_form_do_not_matter(server, encode):
    files = {"thumbnail": ("t.png", b"junk"), **form(encode(FRAME), encode(TRUTH))}
    assert server.http.post("/compare", files=files, data={"truth": "a field, no file"}).status_code == 200


@pytest.mark.parametrize(
    ("image", "truth", "status", "words"),
    [
        (FRAME, b"junk", 400, ["truth: "]),
        (b"junk", TRUTH, 400, ["image: "]),
        (FRAME, np.array([[34]], np.uint8), 400, ["truth: ", "34", "x 0, y 0"]),
        (FRAME, np.zeros((2, 4), np.uint16), 400, ["truth: ", "8 bits"]),
        (FRAME, np.zeros((200, 100), np.uint8), 413, ["truth: ", "10000"]),
        (np.zeros((200, 100, 3), np.uint8), TRUTH, 413, ["image: ", "10000"]),
        (FRAME, np.zeros((2, 3), np.uint8), 400, ["4 x 2", "3 x 2"]),
    ],
)
def test_what_is_wrong_with_which_image_is_told(start, encode, assert_problem, image, truth, status, words):
    server = start(max_pixels=10_000)
    sent = [pixels if isinstance(pixels, bytes) else encode(pixels) for pixels in (image, truth)]
    assert_problem(server.http.post("/compare", files=form(*sent)), status, *words)


@pytest.mark.parametrize("media_type", ["image/png", "application/json", ""])
def test_anything_but_a_form_is_refused(server, encode, assert_problem, media_type):
    headers = {"Content-Type": media_type}
    assert_problem(server.http.post("/compare", content=encode(FRAME), headers=headers), 415, "multipart/form-data")


def test_a_form_that_is_broken_is_refused(server, encode, assert_problem):
    whole = server.http.build_request("POST", "/compare", files=form(encode(FRAME), encode(TRUTH)))
    cut = whole.read()[:-20]
    headers = {"Content-Type": whole.headers["content-type"]}
    assert_problem(server.http.post("/compare", content=cut, headers=headers), 400, "multipart")


def test_admission_and_deadline_are_those_of_segment(start, gated, encode, assert_problem):
    gated.gate.set()
    server = start(gated)
    gated.close_gate()
    files = form(encode(FRAME), encode(TRUTH))
    for value in ("0", "soon"):
        answer = server.http.post("/compare", files=files, headers={"Request-Timeout-Ms": value})
        assert_problem(answer, 400, "Request-Timeout-Ms")
    with ThreadPoolExecutor(1) as clients:
        first = clients.submit(httpx.post, f"{server.url}/segment", content=encode(FRAME), timeout=20)
        assert gated.entered.acquire(timeout=10)
        late = server.http.post("/compare", files=files, headers={"Request-Timeout-Ms": "100"})
        assert_problem(late, 504, "deadline")
        gated.gate.set()
        assert first.result().status_code == 200
    server.app.state.service.scheduler.drain()
    assert_problem(server.http.post("/compare", files=files), 503, "stopping")
