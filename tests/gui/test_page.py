"""The page's server and its client, against a real API and against none."""

from __future__ import annotations

import asyncio
import base64
import io
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from gui import client
from gui.__main__ import main
from runtime.segmenter import Segmenter


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        return int(listening.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes]) -> httpx.Response:
    give_up = time.monotonic() + 60
    while True:
        try:
            answer = httpx.get(url)
        except httpx.TransportError:
            answer = None
        if answer is not None and answer.status_code == 200:
            return answer
        assert process.poll() is None, "it ended by itself"
        assert time.monotonic() < give_up, "it did not come up"
        time.sleep(0.1)


@pytest.fixture
def api(toy_file: Callable[..., Path]) -> Iterator[str]:
    """A real API that serves the toy model as its default."""
    folder, port = toy_file("accurate-fp32.onnx").parent, free_port()
    arguments = [sys.executable, "-m", "api", "--port", str(port), "--models", str(folder)]
    with subprocess.Popen(arguments) as process:
        try:
            wait_for(f"http://127.0.0.1:{port}/v2/health/ready", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def test_the_client_gets_mask_shares_and_timings(api: str, toy_file: Callable[..., Path]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    answer = asyncio.run(client.segment(api, buffer.getvalue()))
    mask = np.asarray(Image.open(io.BytesIO(base64.b64decode(answer.mask))))
    assert (mask == Segmenter.load(toy_file()).segment(pixels)).all()
    assert (answer.width, answer.height, answer.model, answer.provider) == (60, 40, "accurate-fp32", "cpu")
    assert [row.share for row in answer.shares] == pytest.approx(np.bincount(mask.ravel(), minlength=8) / mask.size)
    assert set(answer.timings_ms) == {"decode", "queue", "infer", "encode"}


def test_what_the_api_refuses_is_told_in_its_own_words(api: str) -> None:
    with pytest.raises(client.ApiError, match="send JPEG, PNG, WebP, BMP or TIFF"):
        asyncio.run(client.segment(api, b"a text"))


def test_an_api_that_is_away_is_told_with_what_to_do() -> None:
    with pytest.raises(client.ApiError, match=r"can't be reached. Start it with: python -m api"):
        asyncio.run(client.segment(f"http://127.0.0.1:{free_port()}", b"anything"))


def test_the_page_is_served_whole_without_another_host() -> None:
    port = free_port()
    # NiceGUI behaves otherwise where it finds itself under pytest.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    with subprocess.Popen([sys.executable, "-m", "gui", "--port", str(port)], env=environment) as process:
        try:
            page = wait_for(f"http://127.0.0.1:{port}/", process)
        finally:
            process.terminate()
    assert "<title>roadmask</title>" in page.text
    assert "Drop a camera frame" in page.text
    assert 'src="http' not in page.text
    assert 'href="http' not in page.text


@pytest.mark.parametrize(
    "arguments",
    [
        ["--api", "nowhere"],
        ["--api", "ftp://host"],
        ["--api", "http://"],
        ["--api", "http://["],
        ["--api", "http://host:abc"],
        ["--port", "99999"],
        ["--port", "0"],
        ["--port", "taken"],
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        taken = str(listening.getsockname()[1])
        assert main([argument.replace("taken", taken) for argument in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.strip().splitlines()) == 1


def test_an_image_that_browsers_cannot_show_is_shown_as_jpeg(api: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "TIFF")
    shown = asyncio.run(client.as_jpeg(api, buffer.getvalue()))
    assert Image.open(io.BytesIO(shown)).size == (60, 40)
