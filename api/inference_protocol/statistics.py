"""How often a model was used and where the time went, as Triton's clients ask for it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from api.model import Model
from runtime.jobs import Job


@dataclass
class Duration:
    """How often something happened and how long it took in all."""

    count: int = 0
    ns: int = 0

    def add(self, milliseconds: float) -> None:
        """Count it once more."""
        self.count += 1
        self.ns += round(milliseconds * 1e6)

    def as_dict(self) -> dict[str, int]:
        """Triton's `$duration_stat`."""
        return {"count": self.count, "ns": self.ns}


@dataclass
class _Batch:
    """The inferences of one size."""

    compute_input: Duration = field(default_factory=Duration)
    compute_infer: Duration = field(default_factory=Duration)
    compute_output: Duration = field(default_factory=Duration)


@dataclass
class _Counts:
    """One model's."""

    last_inference_ms: int = 0
    inferences: int = 0
    executions: int = 0
    success: Duration = field(default_factory=Duration)
    fail: Duration = field(default_factory=Duration)
    queue: Duration = field(default_factory=Duration)
    compute_input: Duration = field(default_factory=Duration)
    compute_infer: Duration = field(default_factory=Duration)
    compute_output: Duration = field(default_factory=Duration)
    batches: dict[int, _Batch] = field(default_factory=dict)


class Statistics:
    """Of all models, whichever route used them, since each was loaded. Belongs to the event loop's thread."""

    def __init__(self) -> None:
        # Those of a model that was replaced and has finished go with it.
        self._of: WeakKeyDictionary[Model, _Counts] = WeakKeyDictionary()

    def success(self, model: Model, job: Job[Any]) -> None:
        """Count a job that is done.

        Decoding counts as `compute_input` and encoding as `compute_output`: all that is not inference or waiting.
        """
        counts, timings = self._counts(model), job.timings
        counts.last_inference_ms = round(time.time() * 1000)
        counts.inferences += job.frames
        counts.executions += len(job.batches)
        counts.success.add(timings.decode + timings.queue + timings.infer + timings.encode)
        counts.queue.add(timings.queue)
        counts.compute_input.add(timings.decode)
        counts.compute_infer.add(timings.infer)
        counts.compute_output.add(timings.encode)
        for size in job.batches:
            batch = counts.batches.setdefault(size, _Batch())
            batch.compute_input.add(timings.decode / len(job.batches))
            batch.compute_infer.add(timings.infer / len(job.batches))
            batch.compute_output.add(timings.encode / len(job.batches))

    def failure(self, model: Model, milliseconds: float) -> None:
        """Count a request that the model was to answer and that failed after so long."""
        self._counts(model).fail.add(milliseconds)

    def of(self, model: Model, name: str, version: str) -> dict[str, Any]:
        """Triton's `$model_stat`, times in nanoseconds; there is no cache, so nothing was ever found in it.

        Args:
            model: which.
            name: what it is called there.
            version: likewise.
        """
        counts = self._of.get(model, _Counts())
        stages = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output")
        return {
            "name": name,
            "version": version,
            "last_inference": counts.last_inference_ms,
            "inference_count": counts.inferences,
            "execution_count": counts.executions,
            "inference_stats": {
                **{stage: getattr(counts, stage).as_dict() for stage in stages},
                "cache_hit": Duration().as_dict(),
                "cache_miss": Duration().as_dict(),
            },
            "batch_stats": [
                {
                    "batch_size": size,
                    "compute_input": batch.compute_input.as_dict(),
                    "compute_infer": batch.compute_infer.as_dict(),
                    "compute_output": batch.compute_output.as_dict(),
                }
                for size, batch in sorted(counts.batches.items())
            ],
        }

    def _counts(self, model: Model) -> _Counts:
        return self._of.setdefault(model, _Counts())
