"""The model's second output as a tensor, to Triton's own client and by hand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton

from api.inference_protocol.infer import as_json

INFER = "/v2/models/accurate/infer"
LENGTH = "Inference-Header-Content-Length"


@pytest.fixture
def confidences(images) -> np.ndarray:
    """Of the two frames, by the model of these tests."""
    return images.max(axis=3)


@pytest.fixture
def client(confident) -> Any:
    with triton.InferenceServerClient(confident.url.removeprefix("http://")) as connected:
        yield connected


def test_the_metadata_list_both_outputs(client, confident, server):
    told = client.get_model_metadata("accurate")
    shape = [-1, -1, -1]
    assert told["outputs"] == [{"name": name, "datatype": "UINT8", "shape": shape} for name in ("mask", "confidence")]
    configured = client.get_model_config("accurate")["output"]
    assert configured == [{"name": name, "data_type": "TYPE_UINT8", "dims": shape} for name in ("mask", "confidence")]
    assert [output["name"] for output in server.http.get("/v2/models/accurate").json()["outputs"]] == ["mask"]


@pytest.mark.parametrize("names", [None, ["mask"], ["confidence"], ["confidence", "mask"]])
@pytest.mark.parametrize("binary", [{"mask"}, {"confidence"}, {"mask", "confidence"}, set()])
def test_tritons_client_gets_what_it_lists_and_both_if_it_lists_none(client, images, masks, confidences, names, binary):
    tensor = triton.InferInput("image", list(images.shape), "UINT8")
    tensor.set_data_from_numpy(images)
    wanted = names and [triton.InferRequestedOutput(name, binary_data=name in binary) for name in names]
    result = client.infer("accurate", [tensor], outputs=wanted)
    expected = {"mask": masks, "confidence": confidences}
    assert [output["name"] for output in result.get_response()["outputs"]] == (names or list(expected))
    for name in names or expected:
        assert result.as_numpy(name).dtype == np.uint8
        np.testing.assert_array_equal(result.as_numpy(name), expected[name])


def test_the_mask_alone_runs_the_model_without_the_second_output(confident, images, masks, binary, monkeypatch):
    model = confident.app.state.service.models.default
    monkeypatch.setattr(model, "infer_with_confidence", None)
    (output,) = confident.http.post(INFER, **binary(images, {"outputs": [{"name": "mask"}]})).json()["outputs"]
    assert output["data"] == masks.ravel().tolist()


def test_values_of_one_to_three_digits_are_json(confident, images, confidences, tensor):
    asked = {"id": "a", "inputs": [tensor(images)]}
    answer = confident.http.post(INFER, json=asked)
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    assert (told["id"], told["outputs"][1]["name"]) == ("a", "confidence")
    assert told["outputs"][1]["data"] == confidences.ravel().tolist()
    every = np.arange(256, dtype=np.uint8)
    assert json.loads(as_json(every)) == every.tolist()
    assert json.loads(as_json(every[:1])) == [0]


def test_bytes_and_json_side_by_side(confident, images, masks, confidences, binary):
    outputs = [{"name": "mask"}, {"name": "confidence", "parameters": {"binary_data": True}}]
    answer = confident.http.post(INFER, **binary(images, {"outputs": outputs}))
    length = int(answer.headers[LENGTH])
    mask, confidence = json.loads(answer.content[:length])["outputs"]
    assert mask["data"] == masks.ravel().tolist()
    assert confidence["parameters"] == {"binary_data_size": confidences.size}
    assert answer.content[length:] == confidences.tobytes()


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        ([{"name": "confidence"}] * 2, ["'confidence'", "2 times"]),
        ([{"name": "mask"}, {"name": "logits"}], ["logits", "'mask' and 'confidence'"]),
        ([{"name": "confidence", "parameters": {"binary_data": 1}}], ["binary_data of 'confidence'"]),
        ([{"name": "mask"}, {"name": "confidence", "parameters": {"shared_memory_region": "a"}}], ["shared memory"]),
    ],
)
def test_outputs_that_make_no_sense(confident, images, binary, outputs, words, assert_refused):
    assert_refused(confident.http.post(INFER, **binary(images, {"outputs": outputs})), 400, *words)


def test_where_it_is_off_it_says_how_to_switch_it_on(server, images, binary, assert_refused):
    answer = server.http.post(INFER, **binary(images, {"outputs": [{"name": "confidence"}]}))
    assert_refused(answer, 400, "'confidence'", "ROADMASK_CONFIDENCE=1")
