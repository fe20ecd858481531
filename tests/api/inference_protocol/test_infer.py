"""Tensors in, masks out: as JSON and as bytes, of models of many sizes and of one."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from api.inference_protocol.infer import as_json
from runtime.frames import Geometry

INFER = "/v2/models/accurate/infer"
LENGTH = "Inference-Header-Content-Length"


@pytest.mark.parametrize("path", ["", "/versions/{version}"])
@pytest.mark.parametrize("flatten", [False, True])
def test_json_in_json_out(server, images, masks, path, flatten, tensor):
    (version,) = server.http.get("/v2/models/accurate").json()["versions"]
    data = images.ravel().tolist() if flatten else images.tolist()
    answer = server.http.post(
        f"/v2/models/accurate{path}/infer".format(version=version),
        json={"id": "seven ✓", "inputs": [tensor(images, data=data)]},
    )
    assert answer.headers["content-type"] == "application/json"
    assert LENGTH not in answer.headers
    assert answer.json() == {
        "model_name": "accurate",
        "model_version": version,
        "id": "seven ✓",
        "outputs": [{"name": "mask", "datatype": "UINT8", "shape": [2, 32, 64], "data": masks.ravel().tolist()}],
    }


def test_bytes_in_json_out(server, images, masks, binary):
    (output,) = server.http.post(INFER, **binary(images)).json()["outputs"]
    assert output["data"] == masks.ravel().tolist()


@pytest.mark.parametrize(
    "request_parts",
    [
        {"parameters": {"binary_data_output": True}},
        {"outputs": [{"name": "mask", "parameters": {"binary_data": True}}]},
        {
            "outputs": [{"name": "mask", "parameters": {"binary_data": True}}],
            "parameters": {"binary_data_output": False},
        },
        {"outputs": [{"name": "mask"}], "parameters": {"binary_data_output": True}},
    ],
)
def test_bytes_in_bytes_out(server, images, masks, request_parts, binary, mask_in):
    np.testing.assert_array_equal(mask_in(server.http.post(INFER, **binary(images, request_parts))), masks)


def test_json_in_bytes_out(server, images, masks, tensor, mask_in):
    asked = {"inputs": [tensor(images)], "parameters": {"binary_data_output": True}}
    np.testing.assert_array_equal(mask_in(server.http.post(INFER, json=asked)), masks)


def test_one_output_may_say_otherwise_than_all(server, images, binary):
    asked = {
        "outputs": [{"name": "mask", "parameters": {"binary_data": False}}],
        "parameters": {"binary_data_output": True},
    }
    assert "data" in server.http.post(INFER, **binary(images, asked)).json()["outputs"][0]


def test_no_outputs_listed_means_all_of_them(server, images, binary):
    assert len(server.http.post(INFER, **binary(images, {"outputs": []})).json()["outputs"]) == 1


def test_parameters_that_mean_nothing_here_do_no_harm(server, images, binary):
    ignored = {"priority": 3, "sequence_id": 7, "sequence_start": True, "sequence_end": False, "mine": "a"}
    assert server.http.post(INFER, **binary(images, {"parameters": ignored})).status_code == 200


def test_an_answer_says_who_made_it_and_how_long_it_took(server, images, binary):
    answer = server.http.post("/v2/models/accurate-fp32/infer", **binary(images))
    assert answer.headers["roadmask-model"] == "accurate-fp32"
    assert answer.headers["roadmask-provider"] == "cpu"
    assert re.fullmatch(r"decode;dur=[\d.]+, queue;.*infer;.*encode;dur=[\d.]+", answer.headers["server-timing"])


def test_json_with_escapes_spaces_and_any_order_of_keys_is_json_all_the_same(server, frame, mask_of):
    image = frame(32, 32)
    body = (
        '{ "outputs" : [ ] , "id":"a \\"data\\": [1, 2] b", "inputs" :\r\n\t[{"data"  :\n '
        + json.dumps([image.tolist()], indent=1)
        + ' , "shape" : [ 1, 32, 32, 3 ],"name":"im\\u0061ge", "datatype":"UINT8"} ] }'
    )
    told = server.http.post(INFER, content=body).json()
    assert told["id"] == 'a "data": [1, 2] b'
    assert told["outputs"][0]["data"] == mask_of(image).ravel().tolist()
    # Nobody writes the key like this, and it is JSON.
    assert server.http.post(INFER, content=body.replace('"data"  :', '"d\\u0061ta":')).json() == told


def test_the_whole_budget_as_json(server, frame, mask_of, tensor):
    image = frame(512, 1024)
    (output,) = server.http.post(INFER, json={"inputs": [tensor(image[None])]}).json()["outputs"]
    assert output["data"] == mask_of(image).ravel().tolist()


def test_a_batch_of_more_pixels_than_the_budget(server, frame, mask_of, binary, mask_in):
    batch = np.stack([np.roll(frame(512, 1024), i, axis=0) for i in range(3)])
    asked = binary(batch, {"parameters": {"binary_data_output": True}})
    np.testing.assert_array_equal(mask_in(server.http.post(INFER, **asked)), [mask_of(image) for image in batch])


def test_every_id_has_one_digit_in_json():
    masks = np.arange(8, dtype=np.uint8).reshape(1, 2, 4)
    assert as_json(masks) == b"[0,1,2,3,4,5,6,7]"


# Raw bodies, for models of one size.


@pytest.fixture
def fixed_size(gated) -> Any:
    gated.contract = replace(gated.contract, geometry=Geometry(max_upscale=1.0, fixed=(32, 64)))
    gated.gate.set()
    return gated


def test_a_model_of_one_size_takes_a_raw_body(start, fixed_size, images, mask_in, assert_refused):
    server = start(fixed_size)
    assert server.http.get("/v2/models/gated").json()["inputs"][0]["shape"] == [-1, 32, 64, 3]
    answer = server.http.post("/v2/models/gated/infer", content=images.tobytes(), headers={LENGTH: "0"})
    np.testing.assert_array_equal(mask_in(answer), np.full((2, 32, 64), 5))
    short = server.http.post("/v2/models/gated/infer", content=images.tobytes()[1:], headers={LENGTH: "0"})
    assert_refused(short, 400, "32 x 64 x 3", str(images.size - 1))
    assert_refused(server.http.post("/v2/models/gated/infer", headers={LENGTH: "0"}), 400, "0 bytes")


def test_a_model_of_one_size_refuses_others(start, fixed_size, frame, binary, assert_refused):
    answer = start(fixed_size).http.post("/v2/models/gated/infer", **binary(frame(64, 64)[None]))
    assert_refused(answer, 400, "64 x 64", "32 x 64")


def test_a_model_of_many_sizes_takes_no_raw_body(server, images, assert_refused):
    assert_refused(server.http.post(INFER, content=images.tobytes(), headers={LENGTH: "0"}), 400, "raw", "shape")
