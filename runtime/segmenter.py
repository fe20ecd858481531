"""A model file at work: frames in, masks out."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from runtime import contract, frames, sessions
from runtime.contract import Contract
from runtime.errors import ModelInvalid
from runtime.frames import Frame, Mask
from runtime.sessions import Opened

Confidence = npt.NDArray[np.uint8]
"""Of each pixel's category, 0..255 for a probability of 0..1 (`contract.CONFIDENCE`); shaped like the mask."""


def _version(path: Path) -> str:
    """ "" if there is no such file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path.is_file() else ""


class Segmenter:
    """Segments frames of any size. Safe to share between threads."""

    def __init__(
        self, opened: Opened, promised: Contract, name: str, version: str, *, has_confidence: bool = False
    ) -> None:
        self._session = opened.session
        self._turn = threading.Lock() if opened.is_exclusive else contextlib.nullcontext()
        self.contract = promised
        self.name = name
        """The file's stem: `accurate-int8`."""
        self.version = version
        """The first 12 hexadecimal digits of the file's SHA-256: another content, another version, on every machine."""
        self.nodes = opened.nodes
        """Short name of an execution provider to operator to number of nodes, as onnxruntime assigned them."""
        self.provider = next(iter(opened.nodes))
        """Short name of the execution provider that was asked for first; it runs at least one node."""
        self.threads = opened.threads
        """Of one inference, on the CPU."""
        self.options = opened.options
        """What was set: `session`, and each provider that was asked for by its short name."""
        self.has_confidence = has_confidence
        """Whether `infer_with_confidence` and `segment_with_confidence` can be asked for."""

    @classmethod
    def load(
        cls,
        path: Path,
        providers_wanted: Sequence[str] = ("cpu",),
        threads: int | None = None,
        *,
        confidence: bool = False,
    ) -> Segmenter:
        """The model of a file.

        Args:
            path: an `.onnx` file that `python -m convert` made.
            providers_wanted: execution providers in order of preference, as `runtime.providers.parse` gives them.
            threads: None takes the cores that this process may use.
            confidence: keep the output of that name. It costs time at every inference; without, it is cut away where
                the file has it, and costs nothing.

        Raises:
            ModelInvalid: no model, its contract is missing or does not hold, or a confidence is asked of a file that
                has none.
            ProviderUnavailable: a provider that is not there, or does not run the model.
        """
        version = _version(path)
        without = None if confidence else contract.CONFIDENCE
        opened = sessions.open_session(path, providers_wanted, threads, without=without)
        session = opened.session
        if version != _version(path):
            raise ModelInvalid(f"{path} was changed while it was loaded: load it again")
        try:
            promised = Contract.from_metadata(session.get_modelmeta().custom_metadata_map)
            outputs = {tensor.name: (tensor.type, tensor.shape) for tensor in session.get_outputs()}
            promised.check_graph({tensor.name: (tensor.type, tensor.shape) for tensor in session.get_inputs()}, outputs)
            if confidence and contract.CONFIDENCE not in outputs:
                raise ModelInvalid("the file has no confidence: make it anew with this release's python -m convert")
            said = path.stem.rpartition("-")[2]
            if said in contract.PRECISIONS and said != promised.precision:
                raise ModelInvalid(f"the file is named {said}, its contract says {promised.precision}")
        except ModelInvalid as error:
            raise ModelInvalid(f"{path}: {error}") from error
        return cls(opened, promised, path.stem, version, has_confidence=confidence)

    def plan(self, frame: Frame) -> frames.Fit:
        """How this frame will lie in the network's input."""
        return frames.plan(frame.shape[0], frame.shape[1], self.contract.geometry)

    def infer(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Network inputs to network outputs: uint8 batch x h x w x 3 to uint8 batch x h x w, ids 1..7.

        Raises:
            ModelInvalid: it can't be run, or the network's output has another size than its input.
        """
        return self._run(images, [contract.OUTPUT])[0]

    def infer_with_confidence(self, images: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], Confidence]:
        """As `infer`, and each id's probability: twice uint8 batch x h x w, the second one 0..255 for 0..1.

        Raises:
            ModelInvalid: as `infer`, or it was loaded without confidence.
        """
        if not self.has_confidence:
            raise ModelInvalid(f"{self.name} was loaded without confidence: load it with confidence=True")
        masks, confidences = self._run(images, [contract.OUTPUT, contract.CONFIDENCE])
        return masks, confidences

    def _run(self, images: npt.NDArray[np.uint8], outputs: list[str]) -> list[npt.NDArray[np.uint8]]:
        try:
            with self._turn:
                made: list[npt.NDArray[np.uint8]] = self._session.run(outputs, {contract.INPUT: images})
        except Exception as error:  # onnxruntime's exceptions share no base class of their own
            reason = sessions.reason_of(error)
            raise ModelInvalid(f"{self.name} can't be run on {self.provider}: {reason}") from error
        for values in made:
            if values.shape != images.shape[:3]:
                raise ModelInvalid(
                    f"{self.name} made {list(values.shape)} of {list(images.shape)}: one id a pixel is promised"
                )
        return made

    def segment(self, frame: Frame) -> Mask:
        """The mask of a frame: uint8 H x W, ids 1..7, at the frame's own size.

        Args:
            frame: uint8 H x W x 3, RGB.

        Raises:
            ValueError: another dtype or shape.
        """
        where = self._checked_plan(frame)
        return frames.restore(self.infer(frames.fit(frame, where)[None])[0], where)

    def segment_with_confidence(self, frame: Frame) -> tuple[Mask, Confidence]:
        """As `segment`, and each id's probability: twice uint8 H x W, the second one 0..255 for 0..1.

        Both are brought to the frame's size in the same way, so a pixel's confidence is that of its own id.

        Raises:
            ValueError: another dtype or shape.
            ModelInvalid: it was loaded without confidence.
        """
        where = self._checked_plan(frame)
        masks, confidences = self.infer_with_confidence(frames.fit(frame, where)[None])
        return frames.restore(masks[0], where), frames.restore(confidences[0], where)

    def _checked_plan(self, frame: Frame) -> frames.Fit:
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
            raise ValueError(f"a frame is uint8 H x W x 3, this is {frame.dtype} {frame.shape}")
        return self.plan(frame)
