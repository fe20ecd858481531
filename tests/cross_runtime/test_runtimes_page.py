"""The programs on runtime/RUNTIMES.md, as they stand there: taken out, built where that is needed, and run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from runtime import frames, model_files, scenes
from runtime.frames import Geometry
from runtime.segmenter import Segmenter

Array = npt.NDArray[np.uint8]

PAGE = (model_files.SHIPPED.parent / "RUNTIMES.md").read_text()
PROGRAMS = dict(re.findall(r"^```\w+ (\S+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))

FITTING_MAIN = """
#include <cstdio>
#include <cstdlib>
#include "fitting.hpp"
// HEIGHT WIDTH, and on the standard input a frame and a mask of its network input; the input and the mask come back.
int main(int, char** argv) {
  const cv::Size frame(std::atoi(argv[2]), std::atoi(argv[1]));
  const Fit where = plan(frame);
  cv::Mat rgb(frame, CV_8UC3), mask(where.input, CV_8UC1);
  std::fread(rgb.data, 1, rgb.total() * 3, stdin);
  std::fread(mask.data, 1, mask.total(), stdin);
  const cv::Mat input = fit(rgb, where), restored = restore(mask, where, frame);
  std::fwrite(input.data, 1, input.total() * 3, stdout);
  std::fwrite(restored.data, 1, restored.total(), stdout);
}
"""


def run(arguments: Sequence[str | Path], standard_input: bytes = b"") -> bytes:
    """What the program writes; its error output is the message where it fails."""
    done = subprocess.run(arguments, input=standard_input, capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return bytes(done.stdout)


def written(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_text(PROGRAMS[name])
    return path


def as_a_function(program: Sequence[str | Path], model: Path, folder: Path) -> Callable[[Array], Array]:
    """A program of the page that takes `MODEL IMAGE HEIGHT WIDTH MASK`, as a function from network inputs to masks."""

    def segment(batch: Array) -> Array:
        batch.tofile(folder / "image.rgb")
        height, width = map(str, batch.shape[1:3])
        run([*program, model, folder / "image.rgb", height, width, folder / "mask.raw"])
        return np.fromfile(folder / "mask.raw", np.uint8).reshape(batch.shape[:3])

    return segment


def flags(package: str, install: str) -> list[str]:
    """What the compiler needs for a library, from pkg-config; without g++, pkg-config or the library the test skips."""
    wanted = [shutil.which("g++"), shutil.which("pkg-config")]
    if None in wanted or subprocess.run(["pkg-config", "--exists", package], check=False).returncode:
        pytest.skip(f"{package} for C++ is missing: apt install g++ pkg-config {install}")
    return subprocess.check_output(["pkg-config", "--cflags", "--libs", package], text=True).split()


@pytest.fixture(scope="module")
def built_for_openvino(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`segment_openvino.cpp`, compiled against the headers and the library in OpenVINO's wheel."""
    openvino = pytest.importorskip("openvino", reason="pip install openvino")
    if shutil.which("g++") is None:
        pytest.skip("g++ is missing: apt install g++")
    wheel = Path(openvino.__file__).parent
    libraries = wheel / "libs"
    (library,) = libraries.glob("libopenvino.so.*")
    folder = tmp_path_factory.mktemp("openvino")
    source = written(folder, "segment_openvino.cpp")
    linked = [f"-L{libraries}", f"-l:{library.name}", f"-Wl,-rpath,{libraries}"]
    run(["g++", "-std=c++17", source, f"-I{wheel / 'include'}", *linked, "-o", folder / "segment"])
    return folder / "segment"


@pytest.fixture(scope="module")
def built_for_onnxruntime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`segment_onnxruntime.cpp`, compiled against the system's onnxruntime."""
    needed = flags("libonnxruntime", "libonnxruntime-dev")
    folder = tmp_path_factory.mktemp("onnxruntime")
    source = written(folder, "segment_onnxruntime.cpp")
    run(["g++", "-std=c++17", source, *needed, "-o", folder / "segment"])
    return folder / "segment"


def test_every_program_of_the_page_is_tested_here() -> None:
    assert set(PROGRAMS) == {
        "segment.py",
        "segment_onnxruntime.cpp",
        "segment_openvino.cpp",
        "segment_openvino.py",
        "segment.mjs",
        "fitting.hpp",
    }


def test_the_javascript_on_the_page_is_the_file_that_is_tested() -> None:
    assert PROGRAMS["segment.mjs"] == (Path(__file__).parent / "segment.mjs").read_text()


@pytest.mark.parametrize("size", [(480, 360), (360, 480), (1920, 1080), (129, 64), (1024, 512)])
def test_the_python_program_makes_our_mask_of_a_picture_of_any_size(size: tuple[int, int], tmp_path: Path) -> None:
    model = model_files.find("accurate-int8")
    frame = scenes.generate(39, *size).frame
    cv2.imwrite(str(tmp_path / "frame.png"), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    program = written(tmp_path, "segment.py")
    run([sys.executable, program, model, tmp_path / "frame.png", tmp_path / "mask.png"])
    mask = cv2.imread(str(tmp_path / "mask.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(mask, Segmenter.load(model).segment(frame))


def test_openvino_s_python_program_makes_our_masks(
    model: Path, differing: Callable[..., float], most: float, tmp_path: Path
) -> None:
    pytest.importorskip("openvino", reason="pip install openvino")
    program = [sys.executable, written(tmp_path, "segment_openvino.py")]
    assert differing(as_a_function(program, model, tmp_path)) <= most


def test_openvino_s_c_plus_plus_program_makes_our_masks(
    built_for_openvino: Path, model: Path, differing: Callable[..., float], most: float, tmp_path: Path
) -> None:
    assert differing(as_a_function([built_for_openvino], model, tmp_path)) <= most


def test_onnxruntime_s_c_plus_plus_program_makes_our_masks(
    built_for_onnxruntime: Path, model: Path, differing: Callable[..., float], most: float, tmp_path: Path
) -> None:
    assert differing(as_a_function([built_for_onnxruntime], model, tmp_path)) <= most


def test_c_plus_plus_fits_and_restores_as_we_do(tmp_path: Path) -> None:
    needed = [flag for flag in flags("opencv4", "libopencv-dev") if not flag.startswith("-lopencv")]
    written(tmp_path, "fitting.hpp")
    (tmp_path / "main.cpp").write_text(FITTING_MAIN)
    libraries = ["-lopencv_imgproc", "-lopencv_core"]
    run(["g++", "-std=c++17", tmp_path / "main.cpp", *needed, *libraries, "-o", tmp_path / "fitting"])
    for width, height in ((480, 360), (2048, 1024), (1920, 1080), (129, 64), (511, 1023), (1936, 1216)):
        frame = scenes.generate(7, width, height).frame
        where = frames.plan(height, width, Geometry())
        mask = frames.resize(frame, where.height, where.width)[..., 0] // 32
        stream = run([tmp_path / "fitting", str(height), str(width)], frame.tobytes() + mask.tobytes())
        there = np.frombuffer(stream, np.uint8)
        input_size = where.height * where.width * 3
        assert there.size == input_size + height * width
        # OpenCV's versions may round the last digit of a value differently, and take the other of two ids equally near.
        fitted = there[:input_size].reshape(where.height, where.width, 3)
        assert np.abs(fitted.astype(int) - frames.fit(frame, where)).max() <= 1
        assert (there[input_size:].reshape(height, width) != frames.restore(mask, where)).mean() < 0.02
