"""Model files by name: `<name>-<fp32|fp16|int8>.onnx` in one folder."""

from __future__ import annotations

from pathlib import Path

from runtime.contract import PRECISIONS
from runtime.errors import ModelNotFound

SHIPPED = Path(__file__).parent / "models"
"""The models that come with the package."""

DEFAULT = "accurate"

PREFERENCE = ("int8", "fp32", "fp16")
"""Of one name, which precision is taken: on a CPU int8 is the fastest and fp16 the slowest."""


def names(folder: Path = SHIPPED) -> tuple[str, ...]:
    """The models of a folder, without their precisions."""
    found = {stem.rpartition("-")[0] for stem in stems(folder)}
    return tuple(sorted(found))


def stems(folder: Path = SHIPPED) -> tuple[str, ...]:
    """The model files of a folder, without `.onnx`."""
    found = (path.stem for path in folder.glob("*.onnx"))
    return tuple(sorted(stem for stem in found if stem.rpartition("-")[2] in PRECISIONS and "-" in stem))


def find(model: str, folder: Path = SHIPPED) -> Path:
    """The file of a path, of a stem (`accurate-fp32`) or of a name (`accurate`, of which PREFERENCE chooses).

    Raises:
        ModelNotFound: there is none; the message names what is there.
    """
    if model.endswith(".onnx"):
        path = Path(model)
        if path.is_file():
            return path
        raise ModelNotFound(f"there is no file {model}")
    there = stems(folder)
    for stem in (model, *(f"{model}-{precision}" for precision in PREFERENCE)):
        if stem in there:
            return folder / f"{stem}.onnx"
    raise ModelNotFound(f"there is no model '{model}' in {folder} (there: {', '.join(there) or 'none'})")
