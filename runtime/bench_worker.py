"""One configuration of a benchmark, in a process of its own: `python -m runtime.bench_worker`.

Jobs come in as JSON lines on standard input, each is answered by one on standard output; the process ends with its
input. A job is an object of one name and its arguments, the answer the job's result or `{"error": line}`:

    {"load": {"path", "providers", "threads", "frames": [.npy]}}
                                       -> {"load_ms", "first_ms", "precision", "nodes", "inputs"}
    {"time": {}}                       -> {"ms": [one for each frame]}
    {"masks": {"files": [.npy]}}       -> {}
    {"memory": {}}                     -> {"rss_mb": MiB or null}
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from runtime import frames, providers
from runtime.errors import RoadmaskError
from runtime.frames import Fit
from runtime.segmenter import Segmenter

_STATUS = Path("/proc/self/status")


def resident_mb() -> float | None:
    """Resident memory of this process in MiB, as Linux tells it; None on other systems."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:")), None)


class Subject:
    """A model on one piece of hardware, with the frames that it is measured on."""

    def __init__(self) -> None:
        self._segmenter: Segmenter | None = None
        self._inputs: list[tuple[npt.NDArray[np.uint8], Fit]] = []

    @property
    def _loaded(self) -> Segmenter:
        assert self._segmenter is not None, "the first job is load"
        return self._segmenter

    def load(self, path: str, providers_text: str, threads: int, files: list[str]) -> dict[str, Any]:
        """Load the model, fit the frames and run the first of them.

        onnxruntime is imported before the clock runs: a server pays that once, whatever it loads.
        """
        wanted = providers.parse(providers_text)
        providers.import_onnxruntime()
        began = time.perf_counter()
        self._segmenter = Segmenter.load(Path(path), wanted, threads)
        load_ms = (time.perf_counter() - began) * 1000
        for file in files:
            frame = np.load(file)
            where = self._segmenter.plan(frame)
            self._inputs.append((frames.fit(frame, where)[None], where))
        first_ms = self._run(self._inputs[0][0])
        inputs = sorted({f"{where.width}x{where.height}" for _, where in self._inputs})
        told = {"precision": self._segmenter.contract.precision, "nodes": nodes_of(self._segmenter), "inputs": inputs}
        return told | {"load_ms": load_ms, "first_ms": first_ms}

    def time(self) -> dict[str, Any]:
        """Milliseconds of `infer` on each frame, after one that isn't timed: another process had the caches."""
        self._run(self._inputs[0][0])
        return {"ms": [self._run(image) for image, _ in self._inputs]}

    def masks(self, files: list[str]) -> dict[str, Any]:
        """Write the mask of each frame, at the frame's own size."""
        for (image, where), file in zip(self._inputs, files, strict=True):
            np.save(file, frames.restore(self._loaded.infer(image)[0], where))
        return {}

    def memory(self) -> dict[str, Any]:
        """What the process holds now."""
        return {"rss_mb": resident_mb()}

    def _run(self, image: npt.NDArray[np.uint8]) -> float:
        began = time.perf_counter()
        self._loaded.infer(image)
        return (time.perf_counter() - began) * 1000


def nodes_of(segmenter: Segmenter) -> dict[str, int]:
    """How many nodes each provider was given by onnxruntime, by short name."""
    return {name: sum(types.values()) for name, types in segmenter.nodes.items()}


def answer(subject: Subject, job: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A job's result, or one line that says why there is none."""
    jobs: dict[str, Callable[..., dict[str, Any]]] = {
        "load": lambda path, providers, threads, frames: subject.load(path, providers, threads, frames),
        "time": subject.time,
        "masks": subject.masks,
        "memory": subject.memory,
    }
    ((name, arguments),) = job.items()
    try:
        return jobs[name](**arguments)
    except RoadmaskError as error:
        return {"error": str(error)}
    except Exception as error:  # noqa: BLE001  a provider fails in whatever way; onnxruntime has no base class either
        lines = str(error).strip().splitlines()
        return {"error": f"{type(error).__name__}: {lines[0] if lines else 'no word why'}"}


def main() -> None:
    """Answer jobs until standard input ends."""
    # Providers print to standard output as they please: the answers go where nothing else does.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    subject = Subject()
    for line in sys.stdin:
        print(json.dumps(answer(subject, json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
