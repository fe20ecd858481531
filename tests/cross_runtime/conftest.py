"""What each other runtime is given, and our masks of it on the CPU provider, which it is held against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from runtime import frames, model_files, scenes
from runtime.frames import Geometry
from runtime.segmenter import Segmenter

Array = npt.NDArray[np.uint8]
Compare = Callable[..., float]

SMALL = (96, 160)
MIDDLE = (192, 256)
FITTED = (608, 832)
"""What a CamVid frame of 480 x 360 is fitted to."""


def _real(folder: Path) -> list[Array]:
    paths = sorted((folder / "val").glob("*.png"))
    pictures = [np.asarray(Image.open(path).convert("RGB")) for path in paths[:: len(paths) // 6]]
    top, left = (360 - SMALL[0]) // 2, (480 - SMALL[1]) // 2
    crops = [picture[top : top + SMALL[0], left : left + SMALL[1]] for picture in pictures[:2]]
    fitted = frames.fit(pictures[2], frames.plan(*pictures[2].shape[:2], Geometry()))
    assert fitted.shape[:2] == FITTED
    return [np.stack(crops), pictures[3][None, 84:276, 112:368], fitted[None]]


def _generated() -> list[Array]:
    small = [scenes.generate(seed, *SMALL[::-1]).frame for seed in (42, 39)]
    return [np.stack(small), *(scenes.generate(19, *size[::-1]).frame[None] for size in (MIDDLE, FITTED))]


@pytest.fixture(scope="session", params=("generated", "real"))
def images(request: pytest.FixtureRequest) -> list[Array]:
    """Network inputs, uint8 batch x h x w x 3, smallest first: two of 96 x 160 in one batch, 192 x 256, 608 x 832."""
    if request.param == "generated":
        return _generated()
    return _real(request.getfixturevalue("camvid"))


@pytest.fixture(scope="session", params=("fp32", "fp16", "int8"))
def precision(request: pytest.FixtureRequest) -> str:
    """Each precision of the shipped model."""
    if request.param == "int8" and not model_files.adds_bytes_exactly():
        pytest.skip("this CPU has no VNNI: its int8 saturates, in each runtime in its own way")
    return str(request.param)


@pytest.fixture(scope="session")
def model(precision: str) -> Path:
    """The shipped file of that precision."""
    return model_files.find(f"{model_files.DEFAULT}-{precision}")


@pytest.fixture(scope="session")
def differing(model: Path, images: Sequence[Array]) -> Compare:
    """Gives the share of pixels, 0..1, in which another runtime's masks of the images are not ours.

    It takes a function from network inputs to masks, and which of the images it is tried on.
    """
    segmenter = Segmenter.load(model)
    ours = [segmenter.infer(batch) for batch in images]
    # Agreement is worth something only where there is something to disagree about.
    assert len(np.unique(np.concatenate([mask.ravel() for mask in ours]))) >= 5

    def compare(segment: Callable[[Array], Array], chosen: Sequence[int] = range(len(images))) -> float:
        wrong = 0
        for index in chosen:
            theirs = segment(images[index])
            assert theirs.dtype == np.uint8
            assert theirs.shape == ours[index].shape
            wrong += int((theirs != ours[index]).sum())
        return wrong / sum(ours[index].size for index in chosen)

    return compare


@pytest.fixture(scope="session")
def most(precision: str) -> float:
    """The largest share of pixels that may differ; runtime/RUNTIMES.md has what was measured.

    float32: sums in another order decide a pixel only where two categories tie; none to 3e-6. The bound is a tenth of
    the 0.5 % that the project allows OpenVINO, and below the 0.3 % that computing in bfloat16 costs.
    float16: none where it is computed in float32, as on most CPUs; 0.02 % in the ONNX reference, which rounds each
    operator's result, and up to 0.05 % in a crop of 160 x 96.
    int8: a value that lies between two steps may be rounded either way and changes what follows. None in
    onnxruntime-web (the same integer kernels), 0.1 % in the ONNX reference, 0.2 to 0.3 % in OpenVINO, which merges and
    moves quantisers. Red and blue swapped costs 2 to 3 %.
    """
    return {"fp32": 0.0005, "fp16": 0.002, "int8": 0.006}[precision]
