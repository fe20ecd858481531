"""Frames that unpack to more than they look like: how much of them is under way at a time, and in how much memory."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from PIL import Image

from api.room import BYTES_PER_PIXEL, USUAL_PIXELS, Claim, Room
from runtime import memory
from runtime.errors import QueueFull

GROUPS = Path("/sys/fs/cgroup/memory")
MIB = 2**20


def test_there_is_room_for_the_largest_frame_beside_one_of_4k_in_every_other_place():
    room = Room(50_000_000, places=3)
    assert room.pixels == 50_000_000 + 2 * USUAL_PIXELS
    assert room.bytes == room.pixels * BYTES_PER_PIXEL
    largest, first, second = Claim(room), Claim(room), Claim(room)
    largest(50_000_000)
    first(USUAL_PIXELS)
    second(USUAL_PIXELS)
    with pytest.raises(QueueFull, match="67 megapixels"):
        Claim(room)(1)
    for claim in (largest, first, second):
        claim.end()
    assert room.taken == 0


def test_small_limits_make_a_small_room():
    assert Room(1_000_000, places=4).pixels == 4_000_000


def test_what_is_refused_takes_nothing_and_gives_nothing_back():
    room = Room(100, places=1)
    first, second = Claim(room), Claim(room)
    first(60)
    with pytest.raises(QueueFull):
        second(60)
    second.end()
    assert room.taken == 60


def test_a_frame_and_its_truth_have_room_if_they_are_alone():
    room = Room(100, places=1)
    alone, other = Claim(room), Claim(room)
    alone(100)
    alone(100)
    assert room.taken == 200
    with pytest.raises(QueueFull):
        other(1)
    alone.end()
    other(1)
    with pytest.raises(QueueFull):
        Claim(room)(100)


def test_a_thread_that_still_works_holds_the_claim_of_a_job_that_is_over():
    room = Room(100, places=1)
    claim = Claim(room)
    with claim:
        claim(80)
        claim.end()
        assert room.taken == 80
    assert room.taken == 0


@pytest.fixture
def giant() -> bytes:
    """A frame of 4 megapixels in a few kilobytes."""
    buffer = io.BytesIO()
    Image.new("RGB", (2000, 2000)).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_giant_that_finds_no_room_is_refused_and_a_frame_as_usual_is_not(start, gated, giant, frame, encode):
    gated.gate.set()
    server = start(gated, queue_size=4, max_pixels=4_000_000)
    room = server.app.state.service.room
    room.pixels = 5_000_000  # as a place's share of 4K is more than the largest frame is here
    gated.close_gate()
    with ThreadPoolExecutor(2) as clients:
        first = clients.submit(httpx.post, f"{server.url}/segment", content=giant, timeout=20)
        assert gated.entered.acquire(timeout=20)
        refused = server.http.post("/segment", content=giant)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert "4 megapixels are being worked on" in refused.json()["detail"]
        usual = clients.submit(httpx.post, f"{server.url}/segment", content=encode(frame()), timeout=20)
        gated.gate.set()
        assert (first.result().status_code, usual.result().status_code) == (200, 200)
    assert server.http.post("/segment", content=giant).status_code == 200
    assert room.taken == 0


def test_room_is_given_back_whatever_becomes_of_a_request(start, giant, encode, frame):
    server = start(max_pixels=4_000_000)
    room = server.app.state.service.room
    broken = giant[:-30] + bytes(30)
    for _ in range(3):
        assert server.http.post("/segment", content=broken).status_code == 400
        files = {"image": giant, "truth": encode(frame())}
        assert server.http.post("/compare", files=files).status_code == 400
    assert room.taken == 0


def test_a_truth_claims_its_pixels_too(start, gated, giant):
    gated.gate.set()
    server = start(gated, max_pixels=4_000_000)
    gated.close_gate()
    buffer = io.BytesIO()
    Image.new("L", (2000, 2000)).save(buffer, "PNG")
    with ThreadPoolExecutor(1) as clients:
        files = {"image": giant, "truth": buffer.getvalue()}
        answer = clients.submit(httpx.post, f"{server.url}/compare", files=files, timeout=20)
        assert gated.entered.acquire(timeout=20)
        assert server.app.state.service.room.taken == 8_000_000
        gated.gate.set()
        assert answer.result().status_code == 200


def deep_png(height: int, width: int) -> bytes:
    """16 bits a channel, with alpha."""
    written, data = cv2.imencode(".png", np.full((height, width, 4), 40_000, np.uint16))
    assert written
    return data.tobytes()


def as_pillow_writes(mode: str, form: str, **options: object) -> Callable[[int, int], bytes]:
    def make(height: int, width: int) -> bytes:
        buffer = io.BytesIO()
        Image.radial_gradient("L").resize((width, height)).convert(mode).save(buffer, form, **options)
        return buffer.getvalue()

    return make


MEASURE = """
import io, sys
from pathlib import Path
from runtime import codecs

def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

data = Path(sys.argv[1]).read_bytes()
codecs.decode(data[:0] + Path(sys.argv[2]).read_bytes())
before = peak()
codecs.decode(data)
print((peak() - before) * 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc: peaks of memory can't be read")
@pytest.mark.parametrize(
    "make",
    [
        as_pillow_writes("RGB", "JPEG", progressive=True, subsampling=0),
        as_pillow_writes("CMYK", "JPEG"),
        as_pillow_writes("P", "PNG"),
        deep_png,
        as_pillow_writes("RGB", "WEBP", lossless=True, method=0, quality=0),
        as_pillow_writes("RGB", "WEBP", method=0),
        as_pillow_writes("RGB", "TIFF", compression="tiff_lzw"),
        as_pillow_writes("P", "TIFF", compression="tiff_lzw"),
        as_pillow_writes("1", "BMP"),
    ],
    ids=["progressive-jpeg", "cmyk-jpeg", "p-png", "deep-png", "lossless-webp", "webp", "tiff", "p-tiff", "1-bmp"],
)
def test_unpacking_takes_no_more_memory_than_the_room_counts(make, tmp_path):
    side = 4000
    (tmp_path / "large").write_bytes(make(side, side))
    (tmp_path / "small").write_bytes(make(16, 16))
    run = [sys.executable, "-c", MEASURE, tmp_path / "large", tmp_path / "small"]
    taken = int(subprocess.run(run, capture_output=True, text=True, check=True).stdout)
    assert 3 * side * side <= taken <= BYTES_PER_PIXEL * side * side


# The container's limit.


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"memory.max": "1073741824\n"}, 2**30),
        ({"memory.max": "max\n"}, None),
        ({"memory/memory.limit_in_bytes": "536870912\n"}, 2**29),
        ({"memory/memory.limit_in_bytes": "9223372036854771712\n"}, None),
        ({}, None),
    ],
)
def test_the_limit_is_read_from_both_versions_of_cgroups(tmp_path, files, expected):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert memory.limit(tmp_path) == expected


def test_the_memory_in_use_is_the_process_s_own():
    told = int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) * 1024
    assert memory.resident() == pytest.approx(told, rel=0.2)


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A memory cgroup of its own, to be mounted where a container has it."""
    group = GROUPS / f"roadmask-{os.getpid()}"
    try:
        group.mkdir()
    except OSError:
        pytest.skip("no memory cgroup can be made here: needs root and cgroups of version 1")
    yield group
    group.rmdir()


def in_group(group: Path, *command: object) -> list[str]:
    """The command in that cgroup, which it sees as its root."""
    enter = f'echo $$ > {group}/cgroup.procs; mount --bind {group} {GROUPS}; exec "$@"'
    return ["unshare", "--mount", "sh", "-ec", enter, "sh", *map(str, command)]


def test_too_little_memory_is_told_in_one_line_and_nobody_is_served(small_group, model_folder):
    (small_group / "memory.limit_in_bytes").write_text(str(600 * MIB))
    command = in_group(small_group, sys.executable, "-m", "api", "--port", 0, "--models", model_folder)
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "the memory limit is 600 MiB" in ended.stderr.splitlines()[-1]
    assert "ROADMASK_MAX_PIXELS" in ended.stderr.splitlines()[-1]


def test_a_server_that_starts_survives_what_it_may_be_sent(small_group, model_folder):
    """Giants, six at a time: no memory but that which was promised, so that the kernel kills nobody."""
    limits = {"ROADMASK_MAX_PIXELS": "16000000", "ROADMASK_MAX_BUFFERED_BYTES": str(64 * MIB)}
    settings = {**limits, "ROADMASK_QUEUE_SIZE": "2"}
    (small_group / "memory.limit_in_bytes").write_text(str(650 * MIB))
    giants = [
        make(4000, 4000) for make in (deep_png, as_pillow_writes("RGB", "WEBP"), as_pillow_writes("CMYK", "JPEG"))
    ]
    command = in_group(small_group, sys.executable, "-m", "api", "--port", 0, "--models", model_folder, "--threads", 1)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | settings) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[0]

        def send(index: int) -> int:
            return httpx.post(f"{url}/segment?format=jpeg", content=giants[index % 3], timeout=60).status_code

        try:
            with ThreadPoolExecutor(6) as clients:
                statuses = list(clients.map(send, range(30)))
        finally:
            process.send_signal(signal.SIGTERM)
    assert set(statuses) == {200, 503}
    assert process.returncode == 0
