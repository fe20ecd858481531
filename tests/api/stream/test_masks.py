"""`WS /stream` over real sockets: masks in order, the newest frame first, and handshakes that are refused."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import InvalidStatus


def test_each_frame_gets_its_mask_with_seq_and_timings(server, frame, mask_of, encode, open_stream, answer):
    with open_stream(server) as client:
        assert client.response.headers["Roadmask-Model"] == "accurate-int8"
        assert client.response.headers["Roadmask-Provider"] == "cpu"
        for seq in range(5):
            pixels = frame(40 + seq, 60)
            npy = io.BytesIO()
            np.save(npy, pixels)
            client.send(npy.getvalue() if seq == 4 else encode(pixels, "PNG" if seq % 2 else "BMP"))
            told, mask = answer(client)
            assert (told["seq"], told["passed_over"]) == (seq, 0)
            assert list(told["timings_ms"]) == ["decode", "queue", "infer", "encode"]
            np.testing.assert_array_equal(mask, mask_of(pixels))


def test_a_frame_in_fragments_is_one_frame(server, frame, mask_of, encode, open_stream, answer):
    data = encode(frame())
    with open_stream(server) as client:
        client.send([data[:100], data[100:101], b"", data[101:]])
        told, mask = answer(client)
        assert told["seq"] == 0
        np.testing.assert_array_equal(mask, mask_of(frame()))


def test_a_model_can_be_asked_for(server, frame, mask_of, encode, open_stream, answer):
    with open_stream(server, "?model=accurate-fp32") as client:
        assert client.response.headers["Roadmask-Model"] == "accurate-fp32"
        client.send(encode(frame()))
        np.testing.assert_array_equal(answer(client)[1], mask_of(frame()) + 1)


def test_masks_come_in_order_and_every_frame_is_accounted_for(server, frame, mask_of, encode, open_stream, answer):
    sent = [frame(48, 64 + seq) for seq in range(60)]
    with open_stream(server) as client:
        for pixels in sent:
            client.send(encode(pixels))
        seqs, accounted = [], 0
        while not seqs or seqs[-1] < len(sent) - 1:
            told, mask = answer(client)
            np.testing.assert_array_equal(mask, mask_of(sent[told["seq"]]))
            seqs.append(told["seq"])
            accounted += 1 + told["passed_over"]
            assert accounted == told["seq"] + 1
    assert seqs == sorted(set(seqs))


def test_the_newest_frame_wins(closed_gate, gated, frame, encode, open_stream, answer, fill):
    server = closed_gate()
    with open_stream(server) as client:
        fill(client, server, gated, encode(frame(48, 64)), encode(frame(48, 65)))
        for seq in range(2, 10):
            client.send(encode(frame(48, 64 + seq)))
        assert client.ping().wait(10), "the server has not read all of them"
        assert server.app.state.service.scheduler.places_taken == 2
        gated.gate.set()
        for seq, passed_over in ((0, 0), (1, 0), (9, 7)):
            told, mask = answer(client)
            assert (told["seq"], told["passed_over"]) == (seq, passed_over)
            np.testing.assert_array_equal(mask, np.full((48, 64 + seq), 5))
        with pytest.raises(TimeoutError):
            client.recv(timeout=0.2)


def test_a_frame_that_is_none_is_told_so_and_the_stream_goes_on(server, frame, encode, open_stream, answer):
    good = encode(frame())
    with open_stream(server) as client:
        for seq, data in enumerate((good, b"junk", good[:200], b"", good)):
            client.send(data)
            told, mask = answer(client)
            assert (told["seq"], told["passed_over"]) == (seq, 0)
            assert (mask is None) == (seq in (1, 2, 3))
            if mask is None:
                assert set(told) == {"seq", "passed_over", "error"}
                assert told["error"]
                assert "\n" not in told["error"]


def test_a_frame_over_the_limit_on_pixels_is_told_so(start, frame, encode, open_stream, answer):
    with open_stream(start(max_pixels=3000)) as client:
        client.send(encode(frame(100, 100)))
        assert "3000" in answer(client)[0]["error"]
        client.send(encode(frame(20, 20)))
        assert answer(client)[0]["seq"] == 1


# Handshakes that are refused.


@pytest.fixture
def refusal(open_stream) -> Callable[..., Any]:
    """`refusal(server, query)`: what the server answers in place of a WebSocket."""

    def refused(server: Any, query: str = "") -> Any:
        with pytest.raises(InvalidStatus) as caught:
            open_stream(server, query)
        return caught.value.response

    return refused


def test_an_unknown_model_is_refused_with_404(server, refusal):
    told = refusal(server, "?model=none")
    assert (told.status_code, told.headers["Content-Type"]) == (404, "application/problem+json")
    assert "none" in json.loads(told.body)["detail"]


def test_a_model_that_is_not_ready_is_refused_with_503(start, gated, refusal):
    told = refusal(start(gated, wait=False))
    assert told.status_code == 503
    assert int(told.headers["Retry-After"]) > 0


def test_a_server_that_stops_refuses_with_503(start, refusal):
    server = start()
    server.app.state.service.scheduler.drain()
    told = refusal(server)
    assert (told.status_code, told.headers["Retry-After"]) == (503, "5")
