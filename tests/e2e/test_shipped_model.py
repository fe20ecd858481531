"""The model that is shipped, through the door that users come in by."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from runtime import datasets, evaluate, metrics, model_files, scenes
from runtime.datasets import Source
from runtime.metrics import Confusion
from runtime.segmenter import Segmenter

DAYLIGHT = (42, 39, 19)
"""Seeds of scenes in clear daylight."""

MOST_GMAC = {"accurate": 5, "fast": 1.2}
"""Of a frame of 2048 x 1024, by the names that are shipped."""


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    """`python -m api`, told nothing but a free port."""
    process = subprocess.Popen([sys.executable, "-m", "api", "--port", "0"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        announced = process.stdout.readline()
        assert announced, "the API ended before it was ready; its error stands above"
        yield announced.split()[0]
    finally:
        process.terminate()
        status = process.wait(30)
        process.stdout.close()
    assert status == 0


def post(api: str, body: bytes, **headers: str) -> tuple[bytes, Message]:
    with urllib.request.urlopen(urllib.request.Request(f"{api}/segment", body, headers)) as answer:
        return answer.read(), answer.headers


def jpeg(frame: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def test_a_street_that_is_posted_comes_back_as_the_right_mask(api: str) -> None:
    confusion = Confusion()
    for seed in DAYLIGHT:
        scene = scenes.generate(seed)
        body, headers = post(api, jpeg(scene.frame))
        assert headers["Content-Type"] == "image/png"
        assert headers["Roadmask-Model"] == "accurate-int8"
        mask = np.asarray(Image.open(io.BytesIO(body)))
        assert mask.shape == scene.truth.shape
        confusion.add(scene.truth, mask)
    iou = confusion.iou()
    for name, least in (("flat", 0.85), ("sky", 0.8), ("vehicle", 0.6), ("construction", 0.6), ("nature", 0.5)):
        assert (iou[name] or 0) > least, iou


def test_no_pixel_is_void_and_json_says_the_same_as_png(api: str) -> None:
    frame = jpeg(scenes.generate(7, 640, 480).frame)
    mask = np.asarray(Image.open(io.BytesIO(post(api, frame)[0])))
    assert mask.shape == (480, 640)
    assert mask.min() >= 1
    told = json.loads(post(api, frame, Accept="application/json")[0])
    assert [row["pixels"] for row in told["categories"]] == np.bincount(mask.ravel(), minlength=8).tolist()


def test_the_model_s_float32_is_there_to_compare(api: str) -> None:
    scene = scenes.generate(42)
    request = urllib.request.Request(f"{api}/segment?model=accurate-fp32&format=npy", jpeg(scene.frame))
    with urllib.request.urlopen(request) as answer:
        floating = np.load(io.BytesIO(answer.read()))
    int8 = np.asarray(Image.open(io.BytesIO(post(api, jpeg(scene.frame))[0])))
    assert metrics.agreement(floating, int8) > 0.95


def test_shipped_files_are_small_and_as_summed() -> None:
    sums = (model_files.SHIPPED / "SHA256SUMS").read_text().split()
    assert dict(zip(sums[1::2], sums[::2], strict=True)) == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in model_files.SHIPPED.glob("*.onnx")
    }
    assert model_files.stems() == tuple(f"{name}-{p}" for name in MOST_GMAC for p in ("fp16", "fp32", "int8"))
    for path in model_files.SHIPPED.glob("*.onnx"):
        assert path.stat().st_size < 16e6


def test_the_contract_states_what_the_card_does() -> None:
    card = (model_files.SHIPPED / "README.md").read_text()
    for stem in model_files.stems():
        contract = Segmenter.load(model_files.find(stem)).contract
        assert set(contract.accuracy) == {"cityscapes", "camvid"}
        assert contract.gmac is not None
        assert contract.gmac <= MOST_GMAC[stem.rpartition("-")[0]]
        for row in contract.accuracy.values():
            assert f"{row['mean_iou']:.4f}" in card, (stem, row)


@pytest.mark.parametrize(("name", "least"), [("accurate", 0.78), ("fast", 0.74)])
def test_it_segments_real_frames_as_well_as_the_card_says(camvid: Path, name: str, least: float) -> None:
    pairs = datasets.spread(Source.parse(f"camvid:{camvid}").pairs("val"), 34)
    scores = {
        precision: evaluate.evaluate(Segmenter.load(model_files.find(f"{name}-{precision}")).segment, pairs).mean_iou()
        for precision in ("int8", "fp32")
    }
    assert scores["int8"] > least
    assert abs(scores["int8"] - scores["fp32"]) < 0.01


def test_make_serve_s_page_and_api_do_not_import_tensorflow() -> None:
    code = "import sys, api.server, gui.site; assert not {'tensorflow', 'keras'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_an_api_whose_port_is_taken_says_so(api: str) -> None:
    port = api.rpartition(":")[2]
    done = subprocess.run(
        [sys.executable, "-m", "api", "--port", port], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert port in done.stderr


def test_a_text_file_posted_as_an_image_is_a_problem(api: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(api, b"hello", **{"Content-Type": "image/jpeg"})
    with caught.value as answer:
        assert answer.code == 400
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert "JPEG, PNG, WebP, BMP or TIFF" in json.loads(answer.read())["detail"]
