"""What an enemy found: files that cost far more than they weigh, connections and jobs that hold what nobody needs."""

from __future__ import annotations

import asyncio
import gc
import io
import logging
import shutil
import signal
import socket
import struct
import threading
import time
import tracemalloc
import weakref
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from api.service import Service
from api.settings import Settings
from runtime import codecs, cores
from runtime.contract import Contract
from runtime.errors import FrameError, FrameUndecodable
from runtime.jobs import Job
from runtime.scheduler import Scheduler

SHORT, LONG, RATIONAL = 3, 4, 5
"""TIFF's types of a tag's values (TIFF 6.0, section 2)."""
BYTES_OF = {SHORT: 2, LONG: 4, RATIONAL: 8}


def tiff(tags: dict[int, tuple[int, bytes]], pixels: bytes = b"") -> bytes:
    """A little-endian TIFF of one directory: tag to type and values; the pixels, if any, are at byte 8."""
    place = 8 + len(pixels)
    ahead = place + 2 + 12 * len(tags) + 4
    directory, values = struct.pack("<H", len(tags)), b""
    for tag, (kind, value) in sorted(tags.items()):
        told = value.ljust(4, b"\0")
        if len(value) > 4:
            told = struct.pack("<I", ahead + len(values))
            values += value
        directory += struct.pack("<HHI", tag, kind, len(value) // BYTES_OF[kind]) + told
    return b"II*\0" + struct.pack("<I", place) + pixels + directory + bytes(4) + values


def grey(width: int, height: int, **more: tuple[int, bytes]) -> dict[int, tuple[int, bytes]]:
    """The tags of an uncompressed grey image in one strip; `more` is by number, as `_273`."""
    tags = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: height, 279: width * height}
    made = {tag: (LONG, struct.pack("<I", value)) for tag, value in tags.items()}
    return made | {int(tag[1:]): value for tag, value in more.items()}


def rationals(count: int) -> tuple[int, bytes]:
    return RATIONAL, np.arange(1, 2 * count + 1, dtype="<u4").tobytes()


def many_strips() -> bytes:
    offsets = (SHORT, struct.pack("<H", 8) * 20_000)
    one_row = (LONG, struct.pack("<I", 1))
    return tiff(grey(1, 20_000, _273=offsets, _278=one_row), b"\x80")


def many_bits_a_sample() -> bytes:
    return tiff(grey(16, 16, _258=rationals(20_000)), bytes(256))


def jpeg_of_an_endless_orientation() -> bytes:
    exif = tiff({274: rationals(20_000)})
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "JPEG")
    image = buffer.getvalue()
    # What does not fit into one segment goes on in the next: Pillow puts them together.
    pieces = [b"Exif\0\0" + exif[place : place + 65_000] for place in range(0, len(exif), 65_000)]
    segments = b"".join(b"\xff\xe1" + struct.pack(">H", len(piece) + 2) + piece for piece in pieces)
    return image[:2] + segments + image[2:]


def webp_of_long_metadata() -> bytes:
    exif = tiff({274: (SHORT, struct.pack("<H", 6)), 33434: rationals(20_000)})
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "WEBP", exif=b"Exif\0\0" + exif)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "make", [many_strips, many_bits_a_sample, jpeg_of_an_endless_orientation, webp_of_long_metadata]
)
def test_no_metadata_takes_much_more_memory_than_its_bytes(make):
    data = make()
    tracemalloc.start()
    try:
        codecs.decode(data)
    except FrameError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 4 * len(data) + 500_000, f"{len(data)} bytes took {peak}"


def test_a_tile_counts_with_all_its_pixels(start, assert_problem):
    pixels = zlib.compress(bytes(256 * 256))
    tags = {256: 16, 257: 16, 258: 8, 259: 8, 262: 1, 277: 1, 322: 256, 323: 256, 324: 8, 325: len(pixels)}
    body = tiff({tag: (LONG, struct.pack("<I", value)) for tag, value in tags.items()}, pixels)
    assert start(max_pixels=256 * 256).http.post("/segment", content=body).status_code == 200, "the file is none"
    assert_problem(start(max_pixels=256 * 256 - 1).http.post("/segment", content=body), 413)


def samples(count: int) -> bytes:
    return tiff(grey(16, 16, _277=(SHORT, struct.pack("<H", count))), bytes(256))


def corrupt_lzw() -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(buffer, "TIFF", compression="tiff_lzw")
    data = bytearray(buffer.getvalue())
    data[len(data) // 2 : len(data) // 2 + 64] = bytes(64)
    data[200:232] = b"\xff" * 32
    return bytes(data)


@pytest.mark.parametrize("body", [samples(2048), corrupt_lzw()], ids=["samples", "lzw"])
def test_a_broken_file_writes_nothing_but_its_requests_line(server, assert_problem, body, caplog, capfd):
    with caplog.at_level(logging.WARNING):
        assert_problem(server.http.post("/segment", content=body), 400)
    assert [record.name for record in caplog.records] == []
    assert capfd.readouterr().err == ""


def wait_for(condition: Callable[[], object]) -> None:
    give_up = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def connect(url: str, head: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=10)
    connection.sendall(f"{head}\r\nHost: a\r\nContent-Length: 1000\r\n\r\n".encode())
    return connection


def test_who_was_refused_and_sends_half_of_the_rest_is_hung_up_on(start):
    with connect(start(body_timeout_s=0.5).url, "POST /nowhere HTTP/1.1") as refused:
        assert refused.recv(2000).startswith(b"HTTP/1.1 404 ")
        refused.sendall(b"x")
        try:
            while refused.recv(2000):
                pass
        except TimeoutError:
            pytest.fail("the connection is held for ever")


def test_a_client_that_leaves_a_pipeline_takes_all_its_requests_along(start, gated, frame, encode):
    gated.gate.set()
    server = start(gated, queue_size=8)
    gated.close_gate()
    scheduler, body = server.app.state.service.scheduler, encode(frame())
    request = f"POST /segment HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    port = int(server.url.rpartition(":")[2])
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as other,
        socket.create_connection(("127.0.0.1", port), timeout=10) as gone,
    ):
        other.sendall(request)
        assert gated.entered.acquire(timeout=20)
        gone.sendall(3 * request)
        wait_for(lambda: scheduler.places_taken == 2)
        gone.close()
        wait_for(lambda: scheduler.places_taken == 1)
        gated.gate.set()
        assert other.recv(2000).startswith(b"HTTP/1.1 200 ")


def test_a_signal_answers_half_a_body_with_503_and_logs_no_mistake(start, caplog):
    server = start(shutdown_timeout_s=1)
    with connect(server.url, "POST /segment HTTP/1.1") as half:
        half.sendall(b"x")
        wait_for(lambda: server.app.state.service.buffered._held)
        with caplog.at_level(logging.WARNING):
            server.server.handle_exit(signal.SIGTERM, None)
            assert half.recv(2000).startswith(b"HTTP/1.1 503 ")
    assert [record.getMessage() for record in caplog.records] == []


def test_loads_are_counted(start, model_folder, tmp_path):
    folder = tmp_path / "models"
    shutil.copytree(model_folder, folder)
    server = start(models=folder, admin=True)

    def counted(result: str) -> bool:
        lines = server.http.get("/metrics").text.splitlines()
        return any(line.startswith(f'roadmask_model_loads_total{{result="{result}"}}') for line in lines)

    assert server.http.post("/v2/repository/models/accurate/load").status_code == 200
    assert server.http.post("/v2/repository/models/broken/load").status_code == 400
    assert counted("loaded")
    assert counted("failed")


# The scheduler alone.


class Bright:
    """A model that answers at once."""

    contract = Contract(precision="fp32")
    has_confidence = False

    def infer(self, images: np.ndarray) -> np.ndarray:
        return np.argmax(images, axis=3).astype(np.uint8)


def test_a_cancelled_job_keeps_nothing_while_it_waits_for_a_thread():
    class Body:
        """Stands for 32 MiB."""

    images, gate = np.zeros((1, 32, 32, 3), np.uint8), threading.Event()
    with Scheduler(places=cores.available() + 2) as scheduler:
        try:
            for _ in range(cores.available() + 1):
                scheduler.submit(Bright(), lambda: (gate.wait(20), images)[1], lambda masks: masks)
            body = Body()
            held = weakref.ref(body)
            job: Job[Any] = scheduler.submit(Bright(), lambda body=body: images, lambda masks: masks)
            del body
            assert job.cancel()
            del job
            assert held() is None, "the place is free, the body is not: any number of them can pile up"
        finally:
            gate.set()


@pytest.mark.parametrize("images", [None, np.zeros((32, 32, 3), np.uint8), np.zeros((1, 0, 0, 3), np.uint8)])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_images_that_are_none_are_their_jobs_error_and_end_no_thread(images):
    scheduler = Scheduler(places=4)  # closed only where all went well: it would wait for ever for a thread that died
    assert scheduler.submit(Bright(), lambda: images, lambda masks: masks).exception(5) is not None
    right = np.zeros((1, 32, 32, 3), np.uint8)
    assert scheduler.submit(Bright(), lambda: right, lambda masks: masks).result(5).shape == (1, 32, 32)
    scheduler.close()


class Body:
    """Stands for 32 MiB: bytes themselves can't be watched."""


@pytest.mark.parametrize("fails", ["prepare", "finish"])
def test_what_failed_is_let_go_at_once(fails):
    """Not at the next collection of garbage, before which gigabytes of bad files may come."""

    def stage(name: str, body: Body) -> Callable[..., np.ndarray]:
        def work(*_masks: np.ndarray) -> np.ndarray:
            if name == fails:
                raise FrameUndecodable(f"no image: {body}")
            return np.zeros((1, 32, 32, 3), np.uint8)

        return work

    async def ask(service: Service) -> weakref.ref[Body]:
        body = Body()
        try:  # pytest.raises would hold the error, and with it the frames
            await service.work(Bright(), stage("prepare", body), stage("finish", body), None, asyncio.Event().wait)
        except FrameUndecodable:
            return weakref.ref(body)
        raise AssertionError("nothing failed")

    service = Service(Settings(), Bright())
    gc.disable()
    try:
        held = asyncio.run(ask(service))
        service.scheduler.close()
        assert held() is None
    finally:
        gc.enable()
