"""TF_CONFIG, as operators write it."""

from __future__ import annotations

import json

import pytest

from runtime.errors import DataInvalid
from train.cluster import ALONE, Cluster


def config(cluster: dict[str, list[str]], kind: str = "worker", index: int = 0) -> str:
    return json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})


TWO = ["a:1", "b:1"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, ALONE),
        ("", ALONE),
        ("{}", ALONE),
        (config({"worker": ["a:1"]}), ALONE),
        (config({"worker": TWO}), Cluster(0, 2)),
        (config({"worker": TWO}, index=1), Cluster(1, 2)),
        (config({"chief": ["c:1"], "worker": TWO}, "chief"), Cluster(0, 3)),
        (config({"chief": ["c:1"], "worker": TWO}, index=1), Cluster(2, 3)),
    ],
)
def test_the_place_among_the_workers_is_told(text: str | None, expected: Cluster) -> None:
    assert Cluster.parse(text) == expected


def test_the_first_one_is_the_chief() -> None:
    assert [Cluster(index, 3).chief for index in range(3)] == [True, False, False]
    assert ALONE.chief


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("four workers", "can't be read"),
        ("[]", "can't be read"),
        (json.dumps({"cluster": {"worker": "a:1"}, "task": {"type": "worker", "index": 0}}), "can't be read"),
        (json.dumps({"cluster": {"worker": TWO}}), "can't be read"),
        (json.dumps({"cluster": {"worker": TWO}, "task": {"type": "worker", "index": "$(INDEX)"}}), "can't be read"),
        (config({"worker": TWO}, index=2), "worker 2, which its cluster does not hold"),
        (config({"worker": TWO}, "evaluator"), "evaluator 0, which its cluster does not hold"),
        (config({"worker": TWO, "ps": ["d:1"]}), "the job 'ps'"),
        (config({"worker": TWO, "chief": TWO}), "2 chiefs"),
    ],
)
def test_what_can_t_be_is_told(text: str, named: str) -> None:
    with pytest.raises(DataInvalid, match="TF_CONFIG") as raised:
        Cluster.parse(text)
    assert named in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1
