"""A model as it is served: what the routes need of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from runtime import frames
from runtime.contract import Contract
from runtime.frames import Frame
from runtime.jobs import Confidences, Images, Masks


class Model(Protocol):
    """What is served: a `runtime.segmenter.Segmenter`, or a test's stand-in."""

    contract: Contract
    name: str
    """The file's stem: `accurate-int8`."""
    version: str
    """Of the file's content: another content, another version."""
    provider: str
    nodes: Mapping[str, Mapping[str, int]]
    """Short name of an execution provider to operator to number of nodes."""
    threads: int
    """Of one inference."""
    has_confidence: bool
    """Whether it was loaded with its second output."""

    def plan(self, frame: Frame) -> frames.Fit:
        """How a frame lies in the network's input."""

    def infer(self, images: Images) -> Masks:
        """uint8 batch x h x w x 3 to uint8 batch x h x w."""

    def infer_with_confidence(self, images: Images) -> tuple[Masks, Confidences]:
        """The same, and of each pixel how sure it is, uint8 batch x h x w; only where `has_confidence`."""


def warm_up(model: Model) -> None:
    """One inference at the full size: the first one allocates, and on some hardware compiles."""
    budget = model.contract.geometry.pixel_budget
    side = max(1, round((budget / 2) ** 0.5))
    frame = np.zeros((side, 2 * side, 3), np.uint8)
    images = frames.fit(frame, model.plan(frame))[None]
    if model.has_confidence:
        model.infer_with_confidence(images)
    else:
        model.infer(images)


def summary(model: Model) -> dict[str, Any]:
    """What `GET /model` tells."""
    return {
        "model": model.name,
        "version": model.version,
        "provider": model.provider,
        "nodes": {provider: sum(operators.values()) for provider, operators in model.nodes.items()},
        "operators": {provider: dict(operators) for provider, operators in model.nodes.items()},
        "threads": model.threads,
        "confidence": model.has_confidence,
        "accuracy": dict(model.contract.accuracy),
        "contract": json.loads(model.contract.to_json()),
    }
