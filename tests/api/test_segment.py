"""`POST /segment`: every kind of image in, every kind of answer out, exact to the pixel."""

from __future__ import annotations

import base64
import io
import re
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from PIL import Image

from runtime import categories, frames
from runtime.frames import Geometry


def png_ids(content: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(content))
    assert (image.format, image.mode) == ("PNG", "P")
    return np.array(image)


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def test_a_png_body_gives_the_mask_of_every_pixel(server, frame, mask_of, encode):
    pixels = frame()
    answer = server.http.post("/segment", content=encode(pixels), headers={"Content-Type": "image/png"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    np.testing.assert_array_equal(png_ids(answer.content), mask_of(pixels))


def test_the_palette_holds_the_categories_colours(server, frame, encode):
    answer = server.http.post("/segment", content=encode(frame()))
    palette = Image.open(io.BytesIO(answer.content)).getpalette()
    assert palette[: 3 * categories.COUNT] == categories.PALETTE.ravel().tolist()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 333), (333, 1), (31, 33), (97, 211), (480, 640)])
def test_the_mask_has_the_frames_own_size(server, frame, mask_of, encode, height, width):
    pixels = frame(height, width)
    answer = server.http.post("/segment", content=encode(pixels))
    np.testing.assert_array_equal(png_ids(answer.content), mask_of(pixels))


@pytest.mark.parametrize(("height", "width"), [(1080, 1920), (1, 20_000), (2_000, 601)])
def test_a_frame_over_the_networks_budget_is_fitted_and_brought_back(server, frame, mask_of, encode, height, width):
    pixels = frame(height, width)
    fit = frames.plan(height, width, Geometry(max_upscale=1.0))
    expected = frames.restore(mask_of(frames.fit(pixels, fit)), fit)
    answer = server.http.post("/segment", content=encode(pixels, compress_level=1))
    np.testing.assert_array_equal(png_ids(answer.content), expected)
    assert expected.shape == (height, width)


@pytest.mark.parametrize(
    ("kind", "media_type", "options"),
    [
        ("JPEG", "image/jpeg", {"quality": 80}),
        ("PNG", "image/png", {}),
        ("WEBP", "image/webp", {"lossless": True}),
        ("BMP", "image/bmp", {}),
        ("TIFF", "image/tiff", {}),
        ("TIFF", "image/tiff", {"compression": "tiff_lzw"}),
        ("PNG", "application/octet-stream", {}),
        ("PNG", "application/x-www-form-urlencoded", {}),
        ("PNG", "IMAGE/PNG; charset=binary", {}),
        ("PNG", "image/jpeg", {}),
        ("BMP", "application/x-npy", {}),
        ("PNG", "", {}),
    ],
)
def test_every_declared_type_is_read_by_its_bytes(server, frame, mask_of, encode, kind, media_type, options):
    body = encode(frame(), kind, **options)
    decoded = np.array(Image.open(io.BytesIO(body)).convert("RGB"))
    answer = server.http.post("/segment", content=body, headers={"Content-Type": media_type})
    assert answer.status_code == 200, answer.text
    np.testing.assert_array_equal(png_ids(answer.content), mask_of(decoded))


def test_a_body_without_a_type_is_sniffed(server, frame, mask_of, encode):
    request = httpx.Request("POST", f"{server.url}/segment", content=encode(frame()))
    assert "content-type" not in request.headers
    np.testing.assert_array_equal(png_ids(server.http.send(request).content), mask_of(frame()))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("media_type", ["application/x-npy", "application/octet-stream"])
def test_an_uncompressed_frame(server, frame, mask_of, order, media_type):
    body = npy(np.asarray(frame(31, 45), order=order))
    answer = server.http.post("/segment", content=body, headers={"Content-Type": media_type})
    np.testing.assert_array_equal(png_ids(answer.content), mask_of(frame(31, 45)))


@pytest.mark.parametrize("field", ["image", "file", "with space", "ünïcode"])
def test_the_one_file_of_a_form_whatever_its_field(server, frame, mask_of, encode, field):
    answer = server.http.post("/segment", files={field: ("a.png", encode(frame()))}, data={"note": "not a file"})
    assert answer.status_code == 200, answer.text
    np.testing.assert_array_equal(png_ids(answer.content), mask_of(frame()))


def test_an_input_that_nobody_filled_is_no_file(server, frame, mask_of, encode):
    boundary, empty = b"--b", b'Content-Disposition: form-data; name="other"; filename=""'
    named = b"Content-Disposition: form-data; name=\"image\"; filename*=UTF-8''a.png"
    body = b"\r\n".join([boundary, empty, b"", b"", boundary, named, b"", encode(frame()), boundary + b"--", b""])
    answer = server.http.post("/segment", content=body, headers={"Content-Type": "multipart/form-data; boundary=b"})
    assert answer.status_code == 200, answer.text
    np.testing.assert_array_equal(png_ids(answer.content), mask_of(frame()))


# Images that cameras and people send: what is expected is written out, not taken from our own decoder.


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(server, frame, mask_of, encode, orientation):
    turns = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, 1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    answer = server.http.post("/segment", content=encode(frame(), exif=exif))
    np.testing.assert_array_equal(png_ids(answer.content), mask_of(turns[orientation](frame())))


def test_alpha_is_dropped(server, frame, mask_of, encode):
    alpha = np.random.default_rng(1).integers(0, 256, (48, 64, 1), np.uint8)
    answer = server.http.post("/segment", content=encode(np.concatenate([frame(), alpha], axis=2)))
    np.testing.assert_array_equal(png_ids(answer.content), mask_of(frame()))


def test_a_palette_is_looked_up(server, mask_of, encode):
    colors = np.array([[9, 0, 0], [0, 9, 0], [0, 0, 9], [7, 8, 9]], np.uint8)
    indices = np.random.default_rng(2).integers(0, 4, (40, 50), np.uint8)
    image = Image.fromarray(indices, "L")
    image.putpalette(colors.ravel().tolist())
    answer = server.http.post("/segment", content=encode(image))
    np.testing.assert_array_equal(png_ids(answer.content), mask_of(colors[indices]))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.bool_])
def test_grey_becomes_rgb_whatever_its_depth(server, encode, dtype):
    grey = np.random.default_rng(3).integers(0, 2, (40, 50), dtype)
    answer = server.http.post("/segment?format=npy", content=encode(Image.fromarray(grey)))
    # All channels are equal: the first one is the brightest.
    np.testing.assert_array_equal(np.load(io.BytesIO(answer.content)), np.ones((40, 50), np.uint8))


def test_16_bit_grey_is_scaled_and_not_cut(server, encode):
    grey = np.array([[0, 255, 256, 32_768, 65_535]], np.uint16)
    answer = server.http.post("/segment?format=jpeg&opacity=0", content=encode(Image.fromarray(grey.repeat(64, 0))))
    shown = np.array(Image.open(io.BytesIO(answer.content)).convert("L")).astype(int)
    assert np.abs(shown - [[0, 0, 1, 128, 255]]).max() < 40


def test_cmyk_becomes_rgb(server, mask_of, encode):
    cmyk = Image.new("CMYK", (40, 30), (0, 255, 255, 0))
    answer = server.http.post("/segment", content=encode(cmyk, "JPEG"))
    np.testing.assert_array_equal(png_ids(answer.content), np.ones((30, 40), np.uint8))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_the_first_frame_of_an_animation_counts(server, frame, mask_of, encode, kind):
    more = [Image.fromarray(frame()[::-1].copy()), Image.fromarray(255 - frame())]
    options = {"lossless": True} if kind == "WEBP" else {}
    body = encode(frame(), kind, save_all=True, append_images=more, **options)
    answer = server.http.post("/segment", content=body)
    np.testing.assert_array_equal(png_ids(answer.content), mask_of(frame()))


# What comes back.


def test_json_tells_pixels_and_shares_and_carries_the_mask(server, frame, mask_of, encode):
    answer = server.http.post("/segment", content=encode(frame()), headers={"Accept": "application/json"})
    told, expected = answer.json(), mask_of(frame())
    assert answer.headers["content-type"] == "application/json"
    assert (told["model"], told["provider"]) == ("accurate-int8", "cpu")
    assert (told["width"], told["height"]) == (64, 48)
    np.testing.assert_array_equal(png_ids(base64.b64decode(told["mask"])), expected)
    assert [row["name"] for row in told["categories"]] == list(categories.NAMES)
    assert [row["id"] for row in told["categories"]] == list(range(8))
    assert [row["color"] for row in told["categories"]] == categories.PALETTE.tolist()
    assert [row["pixels"] for row in told["categories"]] == [int((expected == i).sum()) for i in range(8)]
    assert [row["share"] for row in told["categories"]] == [float((expected == i).mean()) for i in range(8)]
    assert set(told["timings_ms"]) == {"decode", "queue", "infer", "encode"}


def test_npy_is_the_mask_as_an_array(server, frame, mask_of, encode):
    answer = server.http.post("/segment", content=encode(frame()), headers={"Accept": "application/x-npy"})
    mask = np.load(io.BytesIO(answer.content))
    assert (answer.headers["content-type"], mask.dtype) == ("application/x-npy", np.uint8)
    np.testing.assert_array_equal(mask, mask_of(frame()))


@pytest.mark.parametrize("opacity", [0.0, 0.25, 1.0, None])
def test_jpeg_is_the_frame_under_the_colours(server, encode, mask_of, opacity):
    # One colour all over, so that what JPEG does to edges plays no part.
    pixels = np.full((40, 56, 3), (10, 200, 30), np.uint8)
    asked = {} if opacity is None else {"opacity": str(opacity)}
    answer = server.http.post("/segment", params=asked, content=encode(pixels), headers={"Accept": "image/jpeg"})
    overlay = Image.open(io.BytesIO(answer.content))
    assert (overlay.format, overlay.size) == ("JPEG", (56, 40))
    share = 0.5 if opacity is None else opacity
    blend = (1 - share) * pixels + share * categories.PALETTE[mask_of(pixels)].astype(float)
    assert np.abs(np.array(overlay) - blend).max() <= 3


@pytest.mark.parametrize("side", [(1, 70_000), (70_000, 1)])
def test_a_frame_too_long_for_a_jpeg_is_not_acceptable_as_one(server, encode, side):
    body = encode(Image.new("RGB", side))
    assert server.http.post("/segment?format=jpeg", content=body).status_code == 406
    assert server.http.post("/segment?format=png", content=body).status_code == 200


def test_every_answer_says_who_made_it_and_how_long_it_took(server, frame, encode):
    answer = server.http.post("/segment", content=encode(frame()), headers={"Frame-Timestamp": "1717.25; clock=gps"})
    assert answer.headers["roadmask-model"] == "accurate-int8"
    assert answer.headers["roadmask-provider"] == "cpu"
    assert answer.headers["frame-timestamp"] == "1717.25; clock=gps"
    timing = re.fullmatch(
        r"decode;dur=([\d.]+), queue;dur=([\d.]+), infer;dur=([\d.]+), encode;dur=([\d.]+)",
        answer.headers["server-timing"],
    )
    assert timing
    assert all(0 < float(part) < 5_000 for part in timing.groups())
    assert "server" not in answer.headers


@pytest.mark.parametrize(("sent", "is_kept"), [("abc-123.X_/=:@+", True), ("a b", False), ("x" * 200, False)])
def test_a_sane_request_id_is_given_back(server, sent, is_kept):
    given = server.http.get("/categories", headers={"X-Request-ID": sent}).headers["x-request-id"]
    assert (given == sent) is is_kept
    assert re.fullmatch(r"[0-9a-f]{32}", given) or is_kept


def test_each_request_gets_an_id_of_its_own_even_when_it_fails(server):
    ids = {server.http.post("/segment", content=b"junk").headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("asked", "model", "shift"),
    [
        ("accurate", "accurate-int8", 0),
        ("accurate-int8", "accurate-int8", 0),
        ("accurate-fp32", "accurate-fp32", 1),
    ],
)
def test_a_model_is_chosen_by_name_or_stem(server, frame, mask_of, encode, asked, model, shift):
    answer = server.http.post("/segment", params={"model": asked}, content=encode(frame()))
    assert answer.headers["roadmask-model"] == model
    np.testing.assert_array_equal(png_ids(answer.content), mask_of(frame()) + shift)


def test_requests_at_the_same_time_get_the_masks_that_they_get_alone(server, frame, mask_of, encode):
    sizes = [(40 + 7 * i, 300 - 11 * i) for i in range(12)]

    def ask(size: tuple[int, int]) -> np.ndarray:
        return png_ids(httpx.post(f"{server.url}/segment", content=encode(frame(*size)), timeout=20).content)

    with ThreadPoolExecutor(6) as clients:
        for size, mask in zip(sizes, clients.map(ask, sizes), strict=True):
            np.testing.assert_array_equal(mask, mask_of(frame(*size)))
