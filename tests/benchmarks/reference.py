"""The same work without HTTP: decode, fit, infer, restore and encode in one process, one frame after the other.

Jobs come in as JSON lines (`{"do": "loop" | "stages" | "png" | "mask", ...}`), figures go out.
"""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from runtime import codecs, frames, model_files
from runtime.segmenter import Segmenter

LEAST = 4
"""Frames of a timed loop: fewer tell no rate."""


class Reference:
    """One model on one thread."""

    def __init__(self) -> None:
        self.segmenter = Segmenter.load(model_files.find(model_files.DEFAULT), ("cpu",), threads=1)

    def work(self, data: bytes) -> bytes:
        """Encoded frame to encoded mask: what the server does for a request, and nothing else."""
        frame = codecs.decode(data, codecs.Limits())
        where = self.segmenter.plan(frame)
        output = self.segmenter.infer(frames.fit(frame, where)[None])[0]
        return codecs.encode_mask(frames.restore(output, where))

    def loop(self, bodies: list[bytes], requests: int | None = None, seconds: float | None = None) -> dict[str, Any]:
        """Latencies of frames one after the other, so many, or for so long and at least LEAST."""
        samples: list[tuple[float, float, int]] = []
        until = time.time() + seconds if seconds else float("inf")
        while len(samples) < requests if requests else time.time() < until or len(samples) < LEAST:
            start, began = time.time(), time.perf_counter()
            self.work(bodies[len(samples) % len(bodies)])
            samples.append((start, (time.perf_counter() - began) * 1000, 200))
        return {"samples": samples}

    def stages(self, bodies: list[bytes], requests: int) -> dict[str, Any]:
        """CPU milliseconds of each stage, all threads of the process counted, frame by frame."""
        told: dict[str, list[float]] = {"decode": [], "infer": [], "encode": []}
        for i in range(requests):
            at = [time.process_time()]
            frame = codecs.decode(bodies[i % len(bodies)], codecs.Limits())
            where = self.segmenter.plan(frame)
            images = frames.fit(frame, where)[None]
            at.append(time.process_time())
            output = self.segmenter.infer(images)[0]
            at.append(time.process_time())
            codecs.encode_mask(frames.restore(output, where))
            at.append(time.process_time())
            for stage, first, last in zip(told, at, at[1:], strict=False):
                told[stage].append((last - first) * 1000)
        return told

    def png(self, bodies: list[bytes], requests: int) -> dict[str, Any]:
        """CPU milliseconds of decoding by ours and by Pillow, in turn."""
        told: dict[str, list[float]] = {"ours": [], "pillow": []}
        ways: dict[str, Callable[[bytes], Any]] = {"ours": codecs.decode, "pillow": _pillow}
        for i in range(requests):
            for name, decode in ways.items():
                began = time.process_time()
                decode(bodies[i % len(bodies)])
                told[name].append((time.process_time() - began) * 1000)
        return told

    def answer(self, job: dict[str, Any]) -> dict[str, Any]:
        """What a job asks for."""
        do, bodies = job.pop("do"), [Path(path).read_bytes() for path in job.pop("bodies")]
        if do == "mask":
            Path(job["output"]).write_bytes(self.work(bodies[0]))
            return {}
        ways: dict[str, Callable[..., dict[str, Any]]] = {"loop": self.loop, "stages": self.stages, "png": self.png}
        return ways[do](bodies, **job)


def _pillow(data: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def main() -> None:
    """Answer jobs until standard input ends."""
    reference = Reference()
    for line in sys.stdin:
        print(json.dumps(reference.answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
