"""`WS /stream` of a server with confidence: masks with voids, and what the text messages say."""

from __future__ import annotations

import json

import numpy as np
import pytest
from websockets.exceptions import InvalidStatus


def test_masks_have_voids_and_messages_say_how_sure_and_how_good(
    confident, frame, mask_of, encode, open_stream, answer
):
    with open_stream(confident, "?confidence=1&min_confidence=0.7") as client:
        for pixels, flags in (
            (frame(), []),
            (np.zeros((9, 9, 3), np.uint8), ["too dark", "blurred", "unlike the training data"]),
        ):
            client.send(encode(pixels))
            told, mask = answer(client)
            sure = pixels.max(axis=2)
            np.testing.assert_array_equal(mask, np.where(sure >= 179, mask_of(pixels), 0))
            assert told["mean_confidence"] == pytest.approx(sure.mean() / 255)
            assert told["quality"]["flags"] == flags


def test_without_asking_messages_and_masks_are_as_ever(confident, frame, mask_of, encode, open_stream, answer):
    with open_stream(confident) as client:
        client.send(encode(frame()))
        told, mask = answer(client)
        assert set(told) == {"seq", "passed_over", "timings_ms"}
        np.testing.assert_array_equal(mask, mask_of(frame()))


def test_a_frame_that_is_none_is_told_so_and_says_nothing_of_confidence(confident, open_stream, answer):
    with open_stream(confident, "?confidence=1") as client:
        client.send(b"junk")
        assert set(answer(client)[0]) == {"seq", "passed_over", "error"}


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?confidence=yes", "confidence is 'yes'"),
        ("?min_confidence=2", "from 0 to 1"),
        ("?min_confidence=nan", "0 to 1"),
    ],
)
def test_what_makes_no_sense_is_refused_before_there_is_a_stream(confident, open_stream, query, words):
    with pytest.raises(InvalidStatus) as refused:
        open_stream(confident, query)
    assert refused.value.response.status_code == 400
    assert words in json.loads(refused.value.response.body)["detail"]


@pytest.mark.parametrize("query", ["?confidence=1", "?min_confidence=0.1"])
def test_where_it_is_off_the_refusal_says_how_to_switch_it_on(server, open_stream, query):
    with pytest.raises(InvalidStatus) as refused:
        open_stream(server, query)
    assert refused.value.response.status_code == 400
    assert "ROADMASK_CONFIDENCE=1" in json.loads(refused.value.response.body)["detail"]
