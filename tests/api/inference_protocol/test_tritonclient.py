"""Triton's own Python client, unchanged, against a server of ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException


def connect(server: Any) -> triton.InferenceServerClient:
    return triton.InferenceServerClient(server.url.removeprefix("http://"), concurrency=4)


@pytest.fixture
def client(server) -> Iterator[triton.InferenceServerClient]:
    with connect(server) as connected:
        yield connected


@pytest.fixture
def admin(start) -> Iterator[triton.InferenceServerClient]:
    with connect(start(admin=True)) as connected:
        yield connected


def given(images: np.ndarray, as_bytes: bool = True) -> list[triton.InferInput]:
    tensor = triton.InferInput("image", list(images.shape), "UINT8")
    tensor.set_data_from_numpy(images, binary_data=as_bytes)
    return [tensor]


def wanted(as_bytes: bool = True) -> list[triton.InferRequestedOutput]:
    return [triton.InferRequestedOutput("mask", binary_data=as_bytes)]


@pytest.mark.parametrize("bytes_in", [True, False])
@pytest.mark.parametrize("outputs", [None, wanted(True), wanted(False)])
def test_numpy_in_numpy_out(client, images, masks, bytes_in, outputs):
    result = client.infer("accurate", given(images, bytes_in), outputs=outputs, request_id="a-1")
    mask = result.as_numpy("mask")
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, masks)
    told = result.get_response()
    assert (told["model_name"], told["id"]) == ("accurate", "a-1")


@pytest.mark.parametrize("request_coding", [None, "gzip", "deflate"])
@pytest.mark.parametrize("answer_coding", [None, "gzip", "deflate"])
@pytest.mark.parametrize("as_bytes", [True, False])
def test_compressed_either_way(client, images, masks, request_coding, answer_coding, as_bytes):
    result = client.infer(
        "accurate",
        given(images, as_bytes),
        outputs=wanted(as_bytes),
        request_compression_algorithm=request_coding,
        response_compression_algorithm=answer_coding,
    )
    np.testing.assert_array_equal(result.as_numpy("mask"), masks)


def test_several_at_a_time(start, frame, mask_of):
    frames = [np.roll(frame(64, 96), i, axis=1) for i in range(12)]
    with connect(start(queue_size=64)) as client:
        pending = [client.async_infer("accurate", given(image[None]), outputs=wanted()) for image in frames]
        for request, image in zip(pending, frames, strict=True):
            np.testing.assert_array_equal(request.get_result().as_numpy("mask"), mask_of(image)[None])


def test_a_model_by_its_version_with_every_parameter_that_the_client_has(client, images, masks):
    (version,) = client.get_model_metadata("accurate")["versions"]
    result = client.infer(
        "accurate-int8",
        given(images),
        model_version=version,
        sequence_id=3,
        sequence_start=True,
        priority=1,
        timeout=20_000_000,
        parameters={"camera": "front"},
    )
    np.testing.assert_array_equal(result.as_numpy("mask"), masks)
    assert result.get_response()["model_version"] == version


def test_what_the_server_is(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("accurate")
    assert not client.is_model_ready("none")
    assert not client.is_model_ready("accurate", "1")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    assert client.get_model_metadata("accurate")["inputs"][0]["datatype"] == "UINT8"
    assert client.get_model_config("accurate")["input"][0]["dims"] == [-1, -1, -1, 3]


def test_statistics(client, images):
    def count() -> int:
        (row,) = client.get_inference_statistics("accurate")["model_stats"]
        return row["inference_count"]

    before = count()
    client.infer("accurate", given(images))
    assert count() == before + 2
    assert "accurate-int8" in [row["name"] for row in client.get_inference_statistics()["model_stats"]]


def test_the_repository(admin, images):
    states = {entry["name"]: entry["state"] for entry in admin.get_model_repository_index()}
    assert states == {"accurate-int8": "READY", "accurate-fp32": "UNAVAILABLE", "broken-int8": "UNAVAILABLE"}
    admin.load_model("accurate-fp32")
    assert admin.is_model_ready("accurate-fp32")
    admin.unload_model("accurate-fp32", unload_dependents=True)
    assert not admin.is_model_ready("accurate-fp32")
    with pytest.raises(InferenceServerException, match="unloaded"):
        admin.infer("accurate-fp32", given(images))
    admin.load_model("accurate-fp32")
    assert admin.infer("accurate-fp32", given(images)).as_numpy("mask").max() == 4
    with pytest.raises(InferenceServerException, match="'config' is not supported"):
        admin.load_model("accurate-fp32", config="{}")
    with pytest.raises(InferenceServerException, match="broken-int8"):
        admin.load_model("broken")


def test_what_is_wrong_is_an_exception_that_says_so(client, frame):
    with pytest.raises(InferenceServerException, match="multiples of 32") as caught:
        client.infer("accurate", given(frame(33, 64)[None]))
    assert caught.value.status() == "400"
    with pytest.raises(InferenceServerException, match="there is no model 'none'"):
        client.infer("none", given(frame(32, 64)[None]))
    with pytest.raises(InferenceServerException, match="administration is off"):
        client.load_model("accurate")


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.get_system_shared_memory_status(),
        lambda client: client.register_system_shared_memory("a", "/a", 64),
        lambda client: client.unregister_system_shared_memory(),
        lambda client: client.get_cuda_shared_memory_status(),
        lambda client: client.get_trace_settings(),
        lambda client: client.update_trace_settings("accurate", settings={}),
        lambda client: client.get_log_settings(),
        lambda client: client.update_log_settings({}),
    ],
)
def test_what_is_not_supported_is_an_exception_that_says_so(client, call):
    with pytest.raises(InferenceServerException, match="not supported"):
        call(client)
