"""What the server and its models tell of themselves."""

from __future__ import annotations

import pytest


def test_the_server_tells_its_extensions(server):
    told = server.http.get("/v2").json()
    assert told["name"] == "roadmask"
    assert {"binary_tensor_data", "statistics", "model_configuration", "model_repository"} <= set(told["extensions"])


@pytest.mark.parametrize("name", ["accurate", "accurate-int8"])
def test_a_model_tells_its_tensors_under_the_name_that_was_asked_for(server, name):
    told = server.http.get(f"/v2/models/{name}").json()
    assert told["name"] == name
    assert told["platform"] == "onnx_onnxv1"
    assert told["inputs"] == [{"name": "image", "datatype": "UINT8", "shape": [-1, -1, -1, 3]}]
    assert told["outputs"] == [{"name": "mask", "datatype": "UINT8", "shape": [-1, -1, -1]}]
    (version,) = told["versions"]
    assert server.http.get(f"/v2/models/{name}/versions/{version}").json() == told


def test_versions_are_whole_numbers_as_tritons_tools_expect(server):
    (version,) = server.http.get("/v2/models/accurate").json()["versions"]
    assert version.isdecimal()
    assert int(version) < 2**53
    assert int(server.http.get("/model").json()["version"], 16) == int(version)


@pytest.mark.parametrize("ending", ["", "/ready", "/config", "/stats"])
def test_every_route_of_a_model_takes_its_version_and_no_other(server, ending, assert_refused):
    (version,) = server.http.get("/v2/models/accurate").json()["versions"]
    assert server.http.get(f"/v2/models/accurate/versions/{version}{ending}").status_code == 200
    hexadecimal = server.http.get("/model").json()["version"]
    assert server.http.get(f"/v2/models/accurate/versions/{hexadecimal}{ending}").status_code == 200
    assert_refused(server.http.get(f"/v2/models/accurate/versions/1{ending}"), 404, "version 1", version)
    assert_refused(server.http.get(f"/v2/models/none{ending}"), 404, "none", "accurate")


def test_the_configuration_has_what_perf_analyzer_reads(server):
    told = server.http.get("/v2/models/accurate/config").json()
    assert (told["name"], told["max_batch_size"], told["backend"]) == ("accurate", 0, "onnxruntime")
    assert told["input"] == [{"name": "image", "data_type": "TYPE_UINT8", "dims": [-1, -1, -1, 3]}]
    assert told["output"] == [{"name": "mask", "data_type": "TYPE_UINT8", "dims": [-1, -1, -1]}]
    assert told["instance_group"][0]["kind"] == "KIND_CPU"
    assert told["parameters"]["stride"] == {"string_value": "32"}
    assert "dynamic_batching" not in told


def test_the_configuration_tells_of_dynamic_batching_where_it_is_on(start):
    told = start(batch_size=4, batch_delay_ms=1.5).http.get("/v2/models/accurate/config").json()
    assert told["dynamic_batching"] == {"preferred_batch_size": [4], "max_queue_delay_microseconds": 1500}


def test_a_model_is_not_ready_before_it_is_loaded_nor_while_the_server_stops(start, gated, assert_refused):
    server = start(gated, wait=False)
    assert_refused(server.http.get("/v2/models/accurate/ready"), 503, "loaded")
    gated.gate.set()
    server.wait_until_ready()
    assert server.http.get("/v2/models/accurate/ready").status_code == 200
    server.app.state.service.scheduler.drain()
    assert_refused(server.http.get("/v2/models/accurate/ready"), 503, "stopping")


@pytest.mark.parametrize(
    ("method", "path", "word"),
    [
        ("GET", "/v2/systemsharedmemory/status", "shared memory"),
        ("POST", "/v2/cudasharedmemory/region/a/register", "shared memory"),
        ("GET", "/v2/trace/setting", "trace"),
        ("POST", "/v2/models/accurate/trace/setting", "trace"),
        ("GET", "/v2/logging", "log"),
    ],
)
def test_what_triton_has_and_we_do_not_is_told_so(server, method, path, word, assert_refused):
    assert_refused(server.http.request(method, path), 400, word, "not supported")
