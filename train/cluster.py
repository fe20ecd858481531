"""Which worker of how many this process is: what TensorFlow's own variable, TF_CONFIG, says, read without TensorFlow.

    {"cluster": {"worker": ["host0:port", "host1:port"]}, "task": {"type": "worker", "index": 0}}

One task may be named `chief`, as some operators do; it comes before the workers. Without TF_CONFIG there is one worker.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from runtime.errors import DataInvalid

_JOBS = ("chief", "worker")
"""In the order in which TensorFlow counts their tasks."""
_EXAMPLE = '{"cluster": {"worker": ["host0:12345", "host1:12345"]}, "task": {"type": "worker", "index": 0}}'


class WorkerLost(Exception):
    """Another worker is gone, and this one can't go on without it. Nothing is wrong with this one's input."""


@dataclass(frozen=True)
class Cluster:
    """This process among those that train one network."""

    index: int = 0
    """Counted from 0, over chief and workers."""
    workers: int = 1

    @property
    def chief(self) -> bool:
        """Whether this is the one that writes the run folder, validates and prints."""
        return self.index == 0

    @classmethod
    def parse(cls, text: str | None) -> Cluster:
        """TF_CONFIG's value; None, nothing and one address are one worker.

        Raises:
            DataInvalid: not of the form above, or of another way to train than with workers that mirror each other.
        """
        if not text:
            return ALONE
        try:
            stated = json.loads(text)
            jobs = stated.get("cluster", {})
            if any(isinstance(addresses, str) for addresses in jobs.values()):
                raise TypeError("each job has a list of addresses")
            return cls._of({job: len(addresses) for job, addresses in jobs.items()}, stated.get("task", {}))
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise DataInvalid(f"TF_CONFIG can't be read ({error!r}): it takes the form {_EXAMPLE}") from error

    @classmethod
    def _of(cls, counts: dict[str, int], task: dict[str, Any]) -> Cluster:
        if others := sorted(set(counts) - set(_JOBS)):
            raise DataInvalid(f"TF_CONFIG names the job '{others[0]}': training takes workers, and at most one chief")
        if counts.get("chief", 0) > 1:
            raise DataInvalid(f"TF_CONFIG names {counts['chief']} chiefs: training takes at most one")
        workers = sum(counts.values())
        if workers < 2:
            return ALONE
        kind, index = task["type"], int(task["index"])
        if not 0 <= index < counts.get(kind, 0):
            raise DataInvalid(f"TF_CONFIG's task is {kind} {index}, which its cluster does not hold: {counts}")
        return cls(index + (counts.get("chief", 0) if kind == "worker" else 0), workers)


ALONE = Cluster()
"""One worker."""
