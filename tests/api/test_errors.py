"""What clients can do wrong: each gets its status and one sentence, and none a 500."""

from __future__ import annotations

import logging
import socket
import struct
import time
from itertools import product

import numpy as np
import pytest

from api.uploads import MEDIA_TYPES


def npy_header(descr: str, shape: str) -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


KINDS = [("JPEG", {}), ("PNG", {}), ("WEBP", {}), ("BMP", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"})]


@pytest.mark.parametrize(("kind", "options"), KINDS)
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_truncated_image_is_told_so(server, assert_problem, frame, encode, kind, options, share):
    body = encode(frame(), kind, **options)
    assert_problem(server.http.post("/segment", content=body[: int(len(body) * share)]), 400)


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_a_corrupt_image_never_breaks_the_server(server, frame, encode, kind, options):
    body, noise = encode(frame(), kind, **options), np.random.default_rng(4)
    for _ in range(25):
        broken = bytearray(body)
        for place in noise.integers(0, len(body), 8):
            broken[place] = noise.integers(0, 256)
        # What is hit may be a pixel, and the image still one.
        assert server.http.post("/segment", content=bytes(broken)).status_code in (200, 400, 413)


@pytest.mark.parametrize(
    "body",
    [b"", b"a text file, not an image\n", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a" + bytes(50), bytes(100)],
)
@pytest.mark.parametrize("media_type", ["image/png", "application/octet-stream", "text/plain"])
def test_what_is_no_image_is_told_so(server, assert_problem, body, media_type):
    answer = server.http.post("/segment", content=body, headers={"Content-Type": media_type})
    assert_problem(answer, 415 if media_type == "text/plain" else 400)


def test_a_gif_is_not_read_although_pillow_could(server, assert_problem, frame, encode):
    body = encode(frame(), "GIF")
    assert_problem(server.http.post("/segment", content=body), 400, "JPEG, PNG, WebP, BMP or TIFF")
    assert_problem(server.http.post("/segment", content=body, headers={"Content-Type": "image/gif"}), 415, "image/gif")


@pytest.mark.parametrize(
    "body",
    [
        b"\x93NUMPY",
        b"\x93NUMPY\x01\x00\xff\xff{'descr'",
        b"\x93NUMPY\x03\x00" + bytes(200),
        npy_header("|u1", "(4, 4, 3)") + bytes(47),
        npy_header("|u1", "(4, 4, 3)") + bytes(49),
        npy_header("|u1", "(4, 4)") + bytes(16),
        npy_header("|u1", "(4, 4, 4)") + bytes(64),
        npy_header("|u1", "(0, 4, 3)"),
        npy_header("|u1", "(-4, -4, 3)") + bytes(48),
        npy_header("|u1", "()") + bytes(1),
        npy_header("<f4", "(4, 4, 3)") + bytes(192),
        npy_header("|O", "(4, 4, 3)") + b"cos\nsystem\n(S'true'\ntR.",
        npy_header("|u1", "__import__('os').getpid()"),
        npy_header("|u1", "(" * 300),
    ],
)
def test_an_npy_body_that_is_no_frame_is_told_so(server, assert_problem, body):
    assert_problem(server.http.post("/segment", content=body, headers={"Content-Type": "application/x-npy"}), 400)


# What is not there.


@pytest.mark.parametrize(
    "media_type", ["text/plain", "image/gif", "application/json", "multipart/mixed; boundary=a", "x"]
)
def test_a_media_type_that_is_not_handled(server, assert_problem, frame, encode, media_type):
    answer = server.http.post("/segment", content=encode(frame()), headers={"Content-Type": media_type})
    assert_problem(answer, 415, media_type.split(";")[0], "image/jpeg")


def test_a_body_that_is_compressed_on_top(server, assert_problem, frame, encode):
    answer = server.http.post("/segment", content=encode(frame()), headers={"Content-Encoding": "gzip"})
    assert_problem(answer, 415, "gzip")


@pytest.mark.parametrize("path", ["/", "/segments", "/segment/", "/SEGMENT", "/a%00b", "/%ff%fe", "/ünï/../x"])
def test_an_unknown_route(server, assert_problem, path):
    assert_problem(server.http.post(path), 404, "there is no /")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_a_wrong_method(server, assert_problem, method):
    answer = server.http.request(method, "/segment")
    assert_problem(answer, 405, method, "POST")
    assert answer.headers["allow"] == "POST"


def test_head_has_the_head_of_the_error_and_no_body(server):
    answer = server.http.head("/segment")
    assert (answer.status_code, answer.content) == (405, b"")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "model", ["fast", "accurate-fp16", "", "../accurate-int8", "accurate-int8.onnx", "é\x00\ud7ff"]
)
def test_an_unknown_model(server, assert_problem, frame, encode, model):
    answer = server.http.post("/segment", params={"model": model}, content=encode(frame()))
    assert_problem(answer, 404, "accurate-int8")


def test_no_model_is_loaded_from_outside_the_folder(server, assert_problem, tmp_path, frame, encode, model_folder):
    elsewhere = tmp_path / "accurate-int8.onnx"
    elsewhere.write_bytes((model_folder / "accurate-int8.onnx").read_bytes())
    answer = server.http.post("/segment", params={"model": str(elsewhere)}, content=encode(frame()))
    assert_problem(answer, 404)


def test_a_model_file_that_is_broken_is_unavailable_and_the_others_go_on(server, assert_problem, frame, encode):
    answer = server.http.post("/segment?model=broken", content=encode(frame()))
    assert_problem(answer, 503, "broken")
    assert answer.headers["retry-after"]
    assert server.http.post("/segment", content=encode(frame())).status_code == 200


@pytest.mark.parametrize("asked", [{"format": "gif"}, {"format": ""}, {"format": "PNG"}])
def test_an_unknown_format(server, assert_problem, frame, encode, asked):
    assert_problem(server.http.post("/segment", params=asked, content=encode(frame())), 406, "png, json, npy, jpeg")


@pytest.mark.parametrize("accept", ["text/html", "image/avif, video/*", "image/png;q=0", "garbage"])
def test_nothing_acceptable(server, assert_problem, frame, encode, accept):
    answer = server.http.post("/segment", content=encode(frame()), headers={"Accept": accept})
    assert_problem(answer, 406, "image/png")


@pytest.mark.parametrize("opacity", ["1.1", "-0.1", "nan", "inf", "half", ""])
def test_an_opacity_that_is_none(server, assert_problem, frame, encode, opacity):
    answer = server.http.post("/segment", params={"opacity": opacity}, content=encode(frame()))
    assert_problem(answer, 400, f"'{opacity}'")


# Anything else.


def test_no_random_bytes_get_a_500(server, assert_problem, frame, encode):
    noise = np.random.default_rng(5)
    starts = [
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0",
        b"RIFF\x40\0\0\0WEBPVP8 ",
        b"BM",
        b"II*\0",
        b"\x93NUMPY\x01\0",
    ]
    starts += [
        b"MM\0*\0\0\0\x08",
        b"--b\r\n",
        b'--b\r\nContent-Disposition: form-data; name="a"; filename="a.png"\r\n\r\nbyt',
        encode(frame())[:60],
    ]
    for start, media_type in product(starts, (*MEDIA_TYPES, "multipart/form-data; boundary=b", "text/plain")):
        body = start + noise.bytes(noise.integers(0, 300))
        answer = server.http.post("/segment", content=body, headers={"Content-Type": media_type})
        assert_problem(answer, 415 if media_type == "text/plain" else 400)


def test_what_is_not_http_is_refused_and_the_server_goes_on(server):
    for junk in (b"\x16\x03\x01\x02\0\x01\0", b"GET\r\n\r\n", b"POST /segment HTTP/1.1\r\nContent-Length: -1\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", server.http.base_url.port), timeout=10) as line:
            line.sendall(junk + b"\r\n\r\n")
            assert line.recv(65536).startswith(b"HTTP/1.1 400 ")
    assert server.http.get("/v2/health/ready").status_code == 200


def test_the_errors_of_the_inference_protocol_have_its_form(server):
    answer = server.http.get("/v2/nothing")
    assert answer.status_code == 404
    assert list(answer.json()) == ["error"]


def test_a_mistake_of_the_server_itself_is_a_500_that_tells_nothing(start, gated, frame, encode, caplog):
    gated.gate.set()
    server = start(gated)
    logging.getLogger("uvicorn.error").addHandler(caplog.handler)
    gated.infer = lambda images: 1 / 0
    answer = server.http.post("/segment", content=encode(frame()))
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "division" not in answer.text
    # It is logged after it is answered.
    give_up = time.monotonic() + 10
    while "ZeroDivisionError" not in caplog.text:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    logging.getLogger("uvicorn.error").removeHandler(caplog.handler)
