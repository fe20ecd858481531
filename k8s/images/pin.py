"""Writes what each image installs, exactly: `python3.13 k8s/images/pin.py [IMAGE ...]`.

pip works out, without installing, what pyproject.toml's ranges give today; `constraints/IMAGE.txt` then holds every
package with its version, and the image installs that list without dependencies: nothing comes in that isn't named.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent

EXTRAS = {
    "api-cpu": ("", "cpu", "api", "traces"),
    "api-cuda": ("", "cuda", "api", "traces"),
    "api-openvino": ("", "openvino", "api", "traces"),
    # The page asks the API over HTTP and imports nothing of `runtime`: it needs none of the base dependencies.
    "gui": ("gui",),
    # With what converts: a run that ends on the cluster becomes a model there.
    "train": ("", "train", "convert"),
}
"""Image to the extras of pyproject.toml that it installs; "" stands for the base dependencies."""

BESIDE = {
    # CUDA 13 and cuDNN 9, as the extras of this onnxruntime-gpu ask for.
    "api-cuda": ("onnxruntime-gpu[cuda,cudnn]",),
    # What builds the wheel of this repository, in a stage that is thrown away.
    "build": ("pip", "setuptools"),
}
"""Image to requirements that are no extra of this package."""


def requirements(image: str) -> list[str]:
    """What an image asks for, before it is worked out."""
    project = tomllib.loads((HERE.parents[1] / "pyproject.toml").read_text())["project"]
    extras = {"": project["dependencies"], **project["optional-dependencies"]}
    named = [line for extra in EXTRAS.get(image, ()) for line in extras[extra]]
    # `convert` names other extras of this package.
    inner = [line for line in named if line.startswith(f"{project['name']}[")]
    for line in inner:
        named.remove(line)
        for extra in line.partition("[")[2].rstrip("]").split(","):
            named += extras[extra]
    return [*dict.fromkeys(named), *BESIDE.get(image, ())]


def resolve(wanted: list[str]) -> list[str]:
    """`name==version` of everything that pip would install for these requirements, sorted.

    Raises:
        subprocess.CalledProcessError: pip finds no versions that fit; it has said which.
    """
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-"]
    answer = subprocess.run([*pip, "--only-binary", ":all:", *wanted], check=True, stdout=subprocess.PIPE).stdout
    found = [package["metadata"] for package in json.loads(answer)["install"]]
    return sorted((f"{one['name']}=={one['version']}" for one in found), key=str.lower)


def main(images: list[str]) -> int:
    """Exit status 0, or 2 and one line."""
    known = [*EXTRAS, "build"]
    if strangers := sorted(set(images) - set(known)):
        print(f"pin.py: no image is called {', '.join(strangers)}: give some of {', '.join(known)}", file=sys.stderr)
        return 2
    if sys.version_info[:2] != (3, 13):
        print("pin.py: run it with Python 3.13, which the images have: others get other wheels", file=sys.stderr)
        return 2
    for image in images or known:
        try:
            pinned = resolve(requirements(image))
        except subprocess.CalledProcessError:
            print(f"pin.py: {image}: pip finds no versions that fit together, see above", file=sys.stderr)
            return 2
        head = f"# Everything in the image {image}, written by k8s/images/pin.py from pyproject.toml's ranges."
        (HERE / "constraints" / f"{image}.txt").write_text("\n".join([head, *pinned, ""]))
        print(f"{image}: {len(pinned)} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
